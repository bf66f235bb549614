package engine_test

import (
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// confirmed is the answer to a question, or fails the test.
func (s *stage) confirmed(id uint64, term engine.Term, why string) {
	s.t.Helper()
	var got []engine.Confirmed
	for _, a := range s.acts {
		if c, ok := a.Action.(engine.Confirmed); ok && c.ID == id {
			got = append(got, c)
		}
	}
	if len(got) != 1 || got[0].Term != term {
		s.t.Errorf("%v: %s: %+v, want one answer with term %v", s.at, why, got, term)
	}
}

func (s *stage) unproved(why string) {
	s.t.Helper()
	for _, a := range s.acts {
		if c, ok := a.Action.(engine.Confirmed); ok {
			s.t.Errorf("%v: %s, yet %+v", a.at, why, c)
		}
	}
}

func TestProof_ALeaderProvesItselfByARenewalSentAfterTheQuestion(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.mark()
	s.step(engine.Confirm{ID: 7})
	s.is(renewal, "the question asks for a renewal at once")
	s.unproved("nothing is proved before the answer")
	s.pass(2 * s.trip)
	s.confirmed(7, 40, "the renewal is stored")
}

func TestProof_ARenewalUnderWayProvesNothing(t *testing.T) {
	s := leading(t)
	s.mark()
	s.pass(ttl/3 - s.trip + time.Millisecond) // a renewal is under way
	s.is(renewal, "the renewal is due")
	s.fate = held
	s.step(engine.Confirm{ID: 7})
	s.settle()
	s.unproved("it was sent before the question")
	s.fate = served
	s.pass(2 * s.trip)
	s.confirmed(7, 40, "the second renewal is stored")
}

func TestProof_WhoDoesNotLeadProvesNothing(t *testing.T) {
	s := waiting(t)
	s.step(engine.Confirm{ID: 7})
	s.confirmed(7, 0, "a standby")
}

func TestProof_ALeadThatEndsAnswersWhoAsked(t *testing.T) {
	for name, end := range map[string]func(*stage){
		"taken":   func(s *stage) { s.put(sealed("b")); s.pass(2 * s.trip) },
		"expired": func(s *stage) { s.fate = cut; s.pass(ttl) },
		"unfit":   func(s *stage) { s.fate = held; s.step(engine.Fitness{}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := leading(t)
			s.pass(time.Second)
			s.fate = held
			s.mark()
			s.step(engine.Confirm{ID: 7})
			end(s)
			s.confirmed(7, 0, "the lead ended")
		})
	}
}

func TestProof_AnUnknownOutcomeProvesNothing(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.mark()
	s.fate = cut
	s.step(engine.Confirm{ID: 7})
	s.pass(ttl / 6)
	s.unproved("nobody knows")
	s.fate = served
	s.pass(time.Second)
	s.confirmed(7, 40, "a later renewal is stored")
}
