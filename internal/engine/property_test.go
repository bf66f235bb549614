package engine_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// rapidDice lets rapid decide, and so find the shortest schedule that fails.
type rapidDice struct{ t *rapid.T }

func (d rapidDice) below(n int) int { return rapid.IntRange(0, n-1).Draw(d.t, "die") }

// bytesDice lets the bytes of a fuzzer decide; where they end, it throws zeros.
type bytesDice struct{ left []byte }

func (d *bytesDice) below(n int) int {
	if len(d.left) == 0 {
		return 0
	}
	b := int(d.left[0])
	d.left = d.left[1:]
	return b % n
}

func TestNothingThatIsToldBreaksTheLaws(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWhatever(rapidDice{rt}, rt.Fatalf)
		for range rapid.IntRange(1, 120).Draw(rt, "turns") {
			w.turn()
		}
	})
}

func FuzzStep(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		die := &bytesDice{data}
		w := newWhatever(die, t.Fatalf)
		for len(die.left) > 0 {
			w.turn()
		}
	})
}

// TestWhateverHappenedAFitCandidateLeadsInTheEnd plays faults on a lock that
// keeps the API server's rules, and then lets calm return.
func TestWhateverHappenedAFitCandidateLeadsInTheEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		die := rapidDice{rt}
		s := curtain(t, inPod)
		if die.below(2) == 0 {
			s.cfg.Immediate = true
			s.m = engine.New(s.cfg)
		}
		s.open()
		for range rapid.IntRange(1, 40).Draw(rt, "faults") {
			s.fault(die)
			s.pass(time.Duration(die.below(20)) * time.Second)
		}
		s.fate, s.blind, s.acts = served, false, nil
		s.step(engine.Watching{OK: true})
		s.step(engine.Fitness{Fit: true})
		s.step(engine.Resume{})
		if s.lock != nil {
			s.edit(unpause)
		} else {
			s.step(engine.Observation{Deleted: true}) // the watch's new list
		}
		s.pass(30 * time.Second)
		s.appStops()
		s.pass(2 * time.Minute)
		if _, _, ok := s.m.Leads(s.now()); !ok {
			rt.Fatalf("nobody leads: %s; lately %s", s.m.View(s.now()).Waiting, s.recent())
		}
	})
}

// fault is something that may go wrong, or be wished, at any time.
func (s *stage) fault(die dice) {
	switch die.below(14) {
	case 0, 1:
		s.fate = fate(die.below(int(spurned) + 1))
		if s.fate == held {
			s.fate = served
		}
	case 2:
		s.fate = served
	case 3:
		s.blind = !s.blind
	case 4:
		s.freeze(time.Duration(die.below(40)) * time.Second)
		s.step(engine.Tick{})
	case 5:
		s.step(engine.Fitness{Fit: die.below(2) > 0})
	case 6:
		s.step(engine.Yield{})
	case 7:
		s.appStops()
	case 8:
		s.step(engine.HandOver{ID: 1, To: "b"})
		s.pass(50 * time.Millisecond)
		if s.lock != nil && s.lock.Seal != nil && s.lock.Seal.Offer != nil {
			s.accepts("b")
		}
	case 9:
		s.step(engine.Watching{OK: die.below(2) > 0})
	case 10:
		if s.lock != nil {
			s.delete()
		}
	case 11:
		if s.lock != nil {
			s.edit([]func(*engine.Record){label, pause, unpause, breaks["holder"], breaks["duration"], breaks["renewed"]}[die.below(6)])
		}
	default:
		s.uids = max(s.uids, 1)
		s.put([]engine.Record{
			sealed("b"), released("b"), foreign("x"), tombstone(), {}, ofMyPod("pod-1"), ofMyPod("pod-2"), sealed("b", offering("o1", "me")),
		}[die.below(8)])
	}
}
