package engine_test

import (
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

func TestLaw01_LeadsOnlyByItsOwnConfirmedWrite(t *testing.T) {
	s := before(t, released("a"))
	s.fate = held
	s.settle() // the read
	s.is(acquisition, "the lock was free")
	s.leads(false, "the swap was only sent")
	s.settle()
	s.leads(true, "the answer shows my write")
	if lead := last[engine.Lead](s); !lead.Begin || lead.Term != 40 {
		t.Errorf("%+v, want the begin of term 40", lead)
	}
}

func TestLaw01_MyNameInTheLockGivesNoLead(t *testing.T) {
	s := before(t, sealed("me", func(r *engine.Record) { r.Seal.Start = "another process" }))
	s.pass(ttl - time.Second)
	s.leads(false, "another process uses my name")
	none[engine.Swap](s, "over a record that is not mine")
}

func TestLaw01_AnAnswerThatShowsAnotherWriteIsNoSuccess(t *testing.T) {
	bodies := map[string]func(*engine.Record){
		"another nonce":  func(r *engine.Record) { seal := *r.Seal; seal.Nonce = "s1-99"; r.Seal = &seal },
		"no seal":        func(r *engine.Record) { r.Seal = nil },
		"another holder": func(r *engine.Record) { r.Holder = "b" },
		"another uid":    func(r *engine.Record) { r.UID = "uid-9" },
		"malformed":      func(r *engine.Record) { r.Malformed = "renewTime is no time" },
	}
	for name, change := range bodies {
		t.Run(name, func(t *testing.T) {
			s := before(t, released("a"))
			s.fate = held
			s.settle()
			answer := s.commit()
			change(&answer.Record)
			s.mark()
			s.answer(answer)
			none[engine.Lead](s, "by a body that does not show my write")
			s.leads(false, "the body does not show my write")
		})
	}
}

func TestLaw01_AnAnswerWithoutMyNonceIsReadLikeAnUnknownOne(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.fate = held
	s.step(engine.HandOver{ID: 5})
	s.settle()
	s.accepts("b")
	s.pass(time.Millisecond)
	s.appStops()
	s.mark()
	s.answer(engine.Answer{Outcome: engine.OK, Record: *s.lock}) // a proxy's old copy for my release
	none[engine.HandedOver](s, "the release is not shown")
	none[engine.Swap](s, "the release is not shown")
	last[engine.Read](s)
}

func TestLaw01_AnUnknownOutcomeOrAConflictIsNoSuccess(t *testing.T) {
	for _, outcome := range []engine.Outcome{engine.Unknown, engine.Conflict, engine.Absent, engine.Refused} {
		s := before(t, released("a"))
		s.fate = held
		s.settle()
		s.commit()
		s.answer(engine.Answer{Outcome: outcome})
		s.leads(false, "nothing is confirmed")
	}
}

func TestLaw01_ALaterReadThatShowsMyWriteConfirmsIt(t *testing.T) {
	for _, outcome := range []engine.Outcome{engine.Unknown, engine.Conflict} {
		s := before(t, released("a"))
		s.fate = held
		s.settle()
		sent := s.at
		s.freeze(2 * time.Second)
		s.commit()
		s.answer(engine.Answer{Outcome: outcome})
		s.settle() // the read
		s.leads(true, "the read shows my nonce")
		if s.until() != sent+ttl-margin {
			t.Errorf("trust until %v counts from another write than the one sent at %v", s.until(), sent)
		}
	}
}

func TestLaw01_ACreationOnlyMakesATombstone(t *testing.T) {
	s := curtain(t)
	s.open()
	s.pass(time.Second)
	if put := last[engine.Create](s).Put; put.Holder != engine.Vacant || put.Seal != nil || put.Tombstone == "" {
		t.Errorf("created %+v, want an unsealed placeholder", put)
	}
	s.leads(false, "a creation gives no lead")
}

func TestLaw03_TrustCountsFromTheSending(t *testing.T) {
	s := before(t, released("a"))
	s.fate = held
	s.settle()
	sent := s.at
	s.freeze(2 * time.Second)
	s.settle()
	if want := sent + ttl - margin; s.until() != want {
		t.Errorf("trust until %v, want %v", s.until(), want)
	}
}

func TestLaw03_ASlowRenewalNeverLengthensTrust(t *testing.T) {
	s := leading(t)
	s.fate = held
	s.mark()
	s.pass(6 * time.Second)
	s.is(renewal, "a third of the ttl went by")
	sent := s.sentAt
	s.freeze(3 * time.Second)
	s.settle()
	if want := sent + ttl - margin; s.until() != want {
		t.Errorf("trust until %v, want %v: it must count from the renewal's sending", s.until(), want)
	}
}

func TestLaw03_AnAnswerLaterThanItsOwnTrustBeginsNoLead(t *testing.T) {
	s := before(t, released("a"))
	s.fate = held
	s.settle()
	s.freeze(ttl - margin)
	s.settle()
	none[engine.Lead](s, "although the trust of the write is over")
	s.leads(false, "the trust of the write is over")
}

func TestLaw03_TheMarginIsTakenOff(t *testing.T) {
	s := leading(t, func(c *engine.Config) { c.Margin = 4 * time.Second })
	s.freeze(s.until() - s.at - 1)
	s.leads(true, "a nanosecond of trust is left")
	s.freeze(1)
	s.leads(false, "trust ends at its end")
	if want := trip + ttl - 4*time.Second; s.at != want {
		t.Errorf("trust ended at %v, want %v", s.at, want)
	}
}

func TestLaw06_AnUnknownOutcomeIsReadBeforeTheNextWrite(t *testing.T) {
	s := leading(t)
	s.fate = held
	s.mark()
	s.pass(6 * time.Second)
	s.is(renewal, "a third of the ttl went by")
	s.mark()
	s.answer(engine.Answer{Outcome: engine.Unknown})
	none[engine.Swap](s, "before the outcome is known")
	last[engine.Read](s)
	s.settle()
	s.is(renewal, "the read shows that nothing was written")
}

func TestLaw06_AnUnconfirmedRenewalDoesNotExtendTrust(t *testing.T) {
	s := leading(t)
	until := s.until()
	s.fate = cut
	s.blind = true
	s.pass(until - s.at - 1)
	if s.until() != until {
		t.Errorf("trust until %v, want %v", s.until(), until)
	}
	s.pass(1)
	s.ended(engine.Expired)
}

func TestLaw06_ARenewalThatTheReadShowsExtendsTrustFromItsOwnSending(t *testing.T) {
	s := leading(t)
	s.fate = held
	s.mark()
	s.pass(6 * time.Second)
	sent := s.sentAt
	s.commit()
	s.freeze(2 * time.Second)
	s.answer(engine.Answer{Outcome: engine.Unknown})
	s.settle()
	if want := sent + ttl - margin; s.until() != want {
		t.Errorf("trust until %v, want %v", s.until(), want)
	}
}

func TestLaw06_ARecordOfMyStartIsMineWhicheverWriteItWas(t *testing.T) {
	s := leading(t)
	s.fate = held
	s.pass(ttl) // trust ran out
	s.answer(engine.Answer{Outcome: engine.Unknown})
	s.ended(engine.Expired)
	s.appStops()
	s.settle()
	sw := s.is(acquisition, "my own record may be taken at once")
	s.settle()
	s.leads(true, "a new acquisition was confirmed")
	if last[engine.Lead](s).Term != engine.Term(sw.On.Version) || sw.On.Version <= 40 {
		t.Errorf("%+v is not a new term", last[engine.Lead](s))
	}
}

func TestLaw06_AnAcquisitionFromBeforeAnEndedLeadIsNotConfirmedAgain(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.fate = held
	s.step(engine.Fitness{Reason: "sick"})
	s.step(engine.Fitness{Fit: true})
	s.mark()
	// A label keeps the seal of the acquisition: it is news that shows its nonce.
	s.edit(label)
	s.pass(2 * time.Millisecond)
	none[engine.Lead](s, "by an acquisition whose lead has ended")
	s.leads(false, "its lead has ended")
}

func TestLaw06_AnAcquisitionThatALaterVersionShowsIsConfirmed(t *testing.T) {
	s := before(t, released("a"))
	s.fate = held
	s.settle()
	sent := s.at
	s.commit()
	s.edit(label)
	s.answer(engine.Answer{Outcome: engine.Unknown})
	s.settle()
	s.leads(true, "version 42 shows the nonce of my acquisition")
	if s.until() != sent+ttl-margin {
		t.Errorf("trust until %v", s.until())
	}
	if last[engine.Lead](s).Term != 40 {
		t.Errorf("term %v, want the version that the acquisition replaced", last[engine.Lead](s).Term)
	}
}

func TestLaw06_OneRequestIsUnderWayAtMost(t *testing.T) {
	s := leading(t)
	s.fate = held
	s.pass(6 * time.Second) // step fails the test at a second request
	s.step(engine.HandOver{ID: 1})
	s.step(engine.Fitness{})
	s.step(engine.Stopped{Term: 40, Confirmed: true})
	s.step(engine.Stop{})
	s.step(engine.Watching{})
	s.pass(time.Minute)
}

func TestLaw07_LeadingIsComputedFromTheClock(t *testing.T) {
	s := leading(t)
	until := s.until()
	s.freeze(until - s.at)
	s.leads(false, "trust is over, and the machine was not even turned")
	if v := s.m.View(s.now()); v.Leading || v.Leader != "" || v.Term != 0 {
		t.Errorf("%+v tells of a lead that is over", v)
	}
}

func TestLaw07_AFrozenProcessIsAStandbyInItsFirstAnswer(t *testing.T) {
	s := leading(t)
	s.freeze(time.Minute)
	s.leads(false, "before any event")
	s.mark()
	s.step(engine.Tick{})
	s.ended(engine.Expired)
	if _, ok := s.acts[0].Action.(engine.StopLeading); !ok {
		t.Errorf("the first action after the freeze is %T", s.acts[0].Action)
	}
}

func TestLaw07_TheWallClockTellsOfHiddenSuspension(t *testing.T) {
	s := leading(t)
	s.ahead = margin
	s.leads(true, "the wall clock ran ahead by the margin only")
	s.ahead = margin + 1
	s.leads(false, "the wall clock ran ahead by more than the margin")
	s.mark()
	s.step(engine.Tick{})
	s.ended(engine.Expired)
}

func TestLaw07_AWallClockThatIsSetBackEndsNothing(t *testing.T) {
	s := leading(t)
	s.ahead = -time.Hour
	s.leads(true, "only running ahead tells of a suspension")
}

func TestLaw07_TheEndOfTrustIsATimer(t *testing.T) {
	s := leading(t)
	until := s.until()
	s.fate, s.blind = cut, true
	s.mark()
	s.pass(time.Minute)
	if at := firstAt[engine.StopLeading](s); at != until {
		t.Errorf("the lead was ended at %v, trust ran out at %v", at, until)
	}
}

func TestLaw07_AWallClockThatRanAheadSinceTheRenewalWasSentEndsTheLead(t *testing.T) {
	s := leading(t)
	s.ahead = -2 * time.Second
	s.fate = held
	s.pass(6 * time.Second)
	s.ahead = 0 // 2 s since the renewal was sent, none since the acquisition
	s.mark()
	s.settle()
	none[engine.Lead](s, "by a trust that does not hold")
	s.ended(engine.Expired)
}
