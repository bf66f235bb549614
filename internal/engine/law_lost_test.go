package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

func TestLaw08_AnythingButMyIntactSealEndsTheLeadInTheSameStep(t *testing.T) {
	changes := map[string]func(*engine.Record){
		"emptied":              func(r *engine.Record) { r.Holder, r.Duration = "", time.Second },
		"without our seal":     func(r *engine.Record) { r.Seal = nil },
		"another one's seal":   func(r *engine.Record) { *r = sealed("b"); r.Seal.Lock = "uid-1" },
		"my twin's seal":       func(r *engine.Record) { *r = sealed("me"); r.Seal.Lock, r.Seal.Start = "uid-1", "s2" },
		"our release by other": func(r *engine.Record) { *r = released("b"); r.Seal.Lock = "uid-1" },
		"a tombstone":          func(r *engine.Record) { *r = tombstone() },
	}
	for name, change := range breaks {
		changes["edited: "+name] = change
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			s := leading(t)
			s.pass(100 * time.Millisecond)
			s.mark()
			s.fate = held
			s.edit(change)
			s.leads(true, "the news has not arrived")
			s.pass(time.Millisecond)
			s.ended(engine.Lost)
			s.pass(time.Second)
			s.leads(false, "lost is final")
		})
	}
}

func TestLaw08_AnotherLockOfTheSameNameIsNotMine(t *testing.T) {
	s := leading(t)
	s.pass(100 * time.Millisecond)
	s.mark()
	s.uids++ // somebody deleted the lock and created it anew from a copy
	s.edit(label)
	s.pass(time.Millisecond)
	s.ended(engine.Lost)
}

func TestLaw08_ADeletionEndsTheLeadInTheSameStep(t *testing.T) {
	s := leading(t)
	s.pass(100 * time.Millisecond)
	s.mark()
	s.delete()
	s.pass(time.Millisecond)
	s.ended(engine.Lost)
}

func TestLaw08_AConsistentReadThatFindsNothingEndsTheLead(t *testing.T) {
	s := leading(t)
	s.pass(100 * time.Millisecond)
	s.blind = true
	s.delete()
	s.mark()
	s.step(engine.Observation{Deleted: true}) // a list that does not show the lock
	s.leads(true, "a list may lag: it proves nothing")
	last[engine.Read](s)
	s.pass(trip)
	s.ended(engine.Lost)
}

func TestLaw08_AReadThatFoundNothingAndWasOvertakenByNewsProvesNothing(t *testing.T) {
	s := curtain(t)
	s.fate = held
	s.open()
	absent := s.commit()
	s.uids = 1
	s.put(sealed("a")) // while the answer was under way
	s.pass(time.Millisecond)
	s.mark()
	s.answer(absent)
	none[engine.Create](s, "the lock was created meanwhile")
	last[engine.Read](s)
	if v := s.m.View(s.now()); v.Leader != "a" {
		t.Errorf("%+v forgot what is newer", v)
	}
}

func TestLaw08_OlderNewsIsALaggingCache(t *testing.T) {
	s := leading(t)
	mine := *s.lock
	s.mark()
	for name, o := range map[string]engine.Observation{
		"an older record":     {Record: engine.Record{UID: mine.UID, Version: mine.Version - 1, Holder: "a"}},
		"an older deletion":   {Deleted: true, Record: engine.Record{UID: "uid-0", Version: mine.Version - 1}},
		"what I knew already": {Record: mine},
	} {
		s.step(o)
		s.leads(true, name+" is no news")
	}
	none[engine.StopLeading](s, "by older news")
	none[engine.Report](s, "by older news")
}

func TestLaw08_ALabelBesideMyIntactSealEndsNothing(t *testing.T) {
	s := leading(t)
	s.pass(100 * time.Millisecond)
	s.edit(label)
	s.pass(2 * time.Millisecond)
	s.leads(true, "my seal is intact")
	s.mark()
	s.pass(6 * time.Second)
	if sw := s.is(renewal, "it goes on"); sw.On.Version != 42 {
		t.Errorf("renewed on version %v, the label is in 42", sw.On.Version)
	}
}

func TestLaw08_TrustThatRanOutIsFinal(t *testing.T) {
	s := leading(t)
	s.fate = held
	s.pass(6 * time.Second) // a renewal is under way
	s.freeze(s.until() - s.at)
	s.mark()
	s.settle() // and is confirmed too late
	s.ended(engine.Expired)
	none[engine.Lead](s, "by a renewal of an ended lead")
	s.pass(time.Second)
	s.leads(false, "the confirmed renewal belongs to an ended lead")
}

func TestLaw08_ALateAnswerDoesNotReviveAnEndedLead(t *testing.T) {
	s := leading(t)
	s.fate = held
	s.mark()
	s.pass(6 * time.Second)
	answer := s.commit() // my renewal, 42
	s.put(sealed("b"))   // 43: a successor's
	s.step(engine.Observation{Record: *s.lock})
	s.ended(engine.Lost)
	s.answer(answer)
	s.leads(false, "the answer is older than the loss")
}

func TestLaw08_AnEditThatIsTakenBackRevivesNothing(t *testing.T) {
	s := leading(t)
	s.fate = held
	s.pass(100 * time.Millisecond)
	s.edit(breaks["renewed"])
	s.pass(time.Millisecond)
	s.ended(engine.Lost)
	s.mark()
	// The seal that my acquisition wrote stands again, in a newer version, and
	// its trust would still hold.
	s.edit(func(r *engine.Record) { r.Renewed = r.Seal.Renewed })
	s.pass(time.Millisecond)
	none[engine.Lead](s, "by the acquisition of an ended lead")
	s.leads(false, "lost is final")
	s.appStops()
	if sw := s.is(acquisition, "the record is mine again, so I may take it anew"); sw.On.Version != s.lock.Version {
		t.Errorf("swapped on version %v, the lock is at %v", sw.On.Version, s.lock.Version)
	}
	s.settle()
	if lead := last[engine.Lead](s); !lead.Begin || lead.Term <= 40 {
		t.Errorf("%+v is no new term", lead)
	}
}

func TestLaw08_LeadingAgainIsANewAcquisitionWithANewTerm(t *testing.T) {
	s := leading(t)
	s.fate, s.blind = cut, true
	s.pass(ttl) // nothing is confirmed: trust runs out
	s.fate = served
	s.appStops()
	s.mark()
	s.pass(5 * time.Second)
	lead := last[engine.Lead](s)
	if !lead.Begin || lead.Term <= 40 || !acquisition(did[engine.Swap](s)[0]) {
		t.Errorf("%+v is no new acquisition", lead)
	}
}

func TestLaw09_TheAnswersChangeBeforeAnythingIsReleased(t *testing.T) {
	s := leading(t)
	s.mark()
	s.step(engine.Stop{})
	s.leads(false, "9(a) comes first")
	if v := s.m.View(s.now()); v.Leading || v.Leader != "" {
		t.Errorf("%+v", v)
	}
	none[engine.Swap](s, "before the app has stopped")
	s.pass(time.Second)
	none[engine.Swap](s, "before the app has stopped")
	s.appStops()
	s.is(release, "the app has stopped")
}

func TestLaw09_AnotherTermsConfirmationReleasesNothing(t *testing.T) {
	s := leading(t)
	s.mark()
	s.step(engine.Stop{})
	s.step(engine.Stopped{Term: 39, Confirmed: true})
	none[engine.Swap](s, "term 40's app still acts")
}

func TestLaw09_UntilTheReleaseItGoesOnRenewing(t *testing.T) {
	s := leading(t, func(c *engine.Config) { c.StopTimeout = 40 * time.Second })
	s.step(engine.Stop{})
	s.pass(30 * time.Second)
	renewals := did[engine.Swap](s)
	if len(renewals) < 5 {
		t.Fatalf("only %d writes in 30s", len(renewals))
	}
	s.is(renewal, "the app still acts")
	if len(did[engine.Lead](s)) != 1 {
		t.Errorf("a renewal while stopping is announced as a lead: %+v", did[engine.Lead](s))
	}
	s.appStops()
	s.is(release, "the app has stopped")
}

func TestLaw09_WithoutConfirmationThereIsNoRelease(t *testing.T) {
	for name, how := range map[string]func(*stage){
		"in time":   func(s *stage) { s.pass(5 * time.Second) },
		"by itself": func(s *stage) { s.step(engine.Stopped{Term: 40}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := leading(t)
			s.step(engine.Fitness{Reason: "sick"})
			s.mark()
			how(s)
			s.reports(engine.StopUnconfirmed, "did not confirm")
			s.pass(time.Minute)
			for _, sw := range did[engine.Swap](s) {
				if release(sw) {
					t.Errorf("%+v is a release", sw)
				}
			}
			s.mark()
			s.pass(time.Minute)
			none[engine.Swap](s, "renewing ends, and nothing is released")
		})
	}
}

func TestLaw09_AConfirmationThatComesLateIsOneAllTheSame(t *testing.T) {
	s := leading(t)
	s.step(engine.Fitness{Reason: "sick"})
	s.pass(5 * time.Second)
	s.reports(engine.StopUnconfirmed, "did not confirm")
	s.mark()
	s.step(engine.Stopped{Term: 40})
	none[engine.Report](s, "of what was reported already")
	s.step(engine.Stopped{Term: 39, Confirmed: true})
	none[engine.Swap](s, "term 40's app may still act")
	s.appStops()
	s.is(release, "now the app is known to have stopped")
}

func TestLaw09_ALateConfirmationReleasesNothingThatIsNotMine(t *testing.T) {
	s := leading(t)
	s.step(engine.Fitness{Reason: "sick"})
	s.pass(5 * time.Second)
	s.put(sealed("b"))
	s.pass(time.Millisecond)
	s.mark()
	s.appStops()
	s.pass(time.Minute)
	none[engine.Swap](s, "b holds the lock")
}

func TestLaw09_AReleaseIsFollowedByNothing(t *testing.T) {
	s := leading(t)
	s.step(engine.Stop{})
	s.appStops()
	s.mark()
	s.pass(time.Second)
	none[engine.Swap](s, "after the release")
	last[engine.Finished](s)
	if s.lock.Holder != "" || !s.lock.Seal.Released || s.lock.Seal.Term != 40 || s.lock.Duration != ttl {
		t.Errorf("%+v is no release of term 40", s.lock)
	}
}

func TestLaw09_AReleaseThatConflictsIsTriedOnWhatTheReadShows(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.fate, s.blind = held, true
	s.step(engine.Stop{})
	s.edit(label) // 42, unseen
	s.appStops()
	s.mark()
	s.settle()
	none[engine.Swap](s, "before the conflict was explained")
	s.settle()
	if sw := s.is(release, "my seal still stands"); sw.On.Version != 42 {
		t.Errorf("released on version %v", sw.On.Version)
	}
}

func TestLaw09_AReleaseNeverCoversASuccessor(t *testing.T) {
	for name, rec := range map[string]engine.Record{
		"one of ours": sealed("b"), "a foreign one": foreign("x"), "an emptied one": {Duration: time.Second}, "a tombstone": tombstone(),
	} {
		t.Run(name, func(t *testing.T) {
			s := leading(t)
			s.pass(time.Second)
			s.fate, s.blind = held, true
			s.step(engine.Stop{})
			s.put(rec) // unseen
			s.appStops()
			s.settle() // conflict
			s.mark()
			s.settle() // read
			none[engine.Swap](s, "on a version that does not show my seal")
			last[engine.Finished](s)
		})
	}
}

func TestLaw09_AReleaseOfUnknownOutcomeIsReadAndRepeated(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.fate = held
	s.step(engine.Stop{})
	s.appStops()
	s.mark()
	s.answer(engine.Answer{Outcome: engine.Unknown})
	last[engine.Read](s)
	none[engine.Swap](s, "before the outcome is known")
	s.settle()
	s.is(release, "my record still stands")
	s.commit()
	s.answer(engine.Answer{Outcome: engine.Unknown})
	s.mark()
	s.settle()
	last[engine.Finished](s)
	none[engine.Swap](s, "the read shows my release")
}

func TestLaw09_AStandbyEndsAtOnce(t *testing.T) {
	s := waiting(t)
	s.step(engine.Stop{})
	last[engine.Finished](s)
	if more := s.m.Step(s.now(), engine.Tick{}); more != nil {
		t.Errorf("%+v after the end", more)
	}
}

func TestLaw09_AnAcquisitionUnderWayWhenItIsToldToStopIsGivenBack(t *testing.T) {
	s := before(t, released("a"))
	s.fate = held
	s.settle()
	s.step(engine.Stop{})
	none[engine.Finished](s, "the acquisition may yet hold the lock")
	s.settle()
	none[engine.Lead](s, "it is stopping")
	s.is(release, "it holds what it may not use")
	s.settle()
	last[engine.Finished](s)
}

func TestLaw09_LossesAreToldInWords(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.put(sealed("b"))
	s.pass(time.Millisecond)
	if stop := s.ended(engine.Lost); !strings.Contains(stop.Detail, `"b"`) {
		t.Errorf("%q does not say who", stop.Detail)
	}
}

func TestLaw09_AProcessEndsAtTheLatestWhenItsLeaseHasRunOut(t *testing.T) {
	for name, fate := range map[string]fate{"nothing arrives": cut, "everything is refused": refused, "writes fail": spurned} {
		t.Run(name, func(t *testing.T) {
			s := leading(t)
			s.pass(time.Second)
			s.fate, s.blind = fate, true
			s.step(engine.Stop{})
			s.appStops()
			s.mark()
			s.pass(10 * time.Minute)
			if at := firstAt[engine.Finished](s); at > 20*time.Second {
				t.Errorf("finished only at %v, though its last lease ran out by 15s", at)
			}
		})
	}
}
