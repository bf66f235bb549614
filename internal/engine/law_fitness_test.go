package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

var gaveUp = map[string]struct {
	event  engine.Event
	reason engine.Reason
}{
	"unhealthy": {engine.Fitness{Reason: "sick"}, engine.Unfit},
	"yielding":  {engine.Yield{Reason: "asked"}, engine.Yielding},
	"stopping":  {engine.Stop{}, engine.Stopping},
}

func TestLaw13_WhoIsUnfitYieldingOrStoppingGivesUpByLaw9(t *testing.T) {
	for name, c := range gaveUp {
		t.Run(name, func(t *testing.T) {
			s := leading(t)
			s.pass(time.Second)
			s.mark()
			s.step(c.event)
			s.ended(c.reason)
			none[engine.Swap](s, "the app still acts")
			s.appStops()
			s.is(release, "the app has stopped")
			s.mark()
			s.pass(2 * time.Second)
			none[engine.Swap](s, "it lets others go first")
		})
	}
}

func TestLaw13_TheUnfitDoNotCampaign(t *testing.T) {
	for name, rec := range map[string]engine.Record{
		"a free lock": released("a"), "an expired lock": sealed("a"), "an offer": sealed("a", offering("o1", "")), "my pod's": ofMyPod("pod-1"),
	} {
		t.Run(name, func(t *testing.T) {
			s := before(t, rec, inPod)
			s.fate = held
			s.step(engine.Fitness{Reason: "sick"})
			s.settle()
			s.fate = served
			s.pass(10 * time.Minute)
			none[engine.Swap](s, "it is not fit")
			if v := s.m.View(s.now()); v.Fit || !strings.Contains(v.Waiting, "sick") {
				t.Errorf("%+v does not say why", v)
			}
			s.step(engine.Fitness{Fit: true})
			s.pass(time.Second)
			s.leads(true, "it is fit again")
		})
	}
}

func TestLaw13_AnAcquisitionConfirmedWhileUnfitIsGivenBack(t *testing.T) {
	s := before(t, released("a"))
	s.fate = held
	s.settle()
	s.step(engine.Fitness{Reason: "sick"})
	s.settle()
	none[engine.Lead](s, "it is not fit")
	s.is(release, "it holds what it may not use")
}

func TestLaw13_AHoldBackEndsTwoSecondsAfterAConfirmedRelease(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.step(engine.Yield{})
	s.appStops()
	s.pass(trip)
	confirmed := s.at
	s.mark()
	s.pass(time.Minute)
	s.swapsAt(confirmed+2*time.Second, "nobody else took it")
	s.leads(true, "nobody else took it")
}

func TestLaw13_AHoldBackWithoutAReleaseEndsDAndTwoSecondsAfterTheLastWrite(t *testing.T) {
	s := leading(t)
	s.pass(trip)
	sent := trip // of the acquisition, the last write
	s.step(engine.Yield{})
	s.step(engine.Stopped{Term: 40}) // nobody knows whether the app still acts
	s.mark()
	s.pass(time.Minute)
	s.swapsAt(sent+ttl+2*time.Second, "no release was confirmed")
}

func TestLaw13_AHoldBackEndsWhenSomebodyElseAcquires(t *testing.T) {
	for name, rec := range map[string]engine.Record{"one of ours": sealed("b"), "a foreign one": foreign("x")} {
		t.Run(name, func(t *testing.T) {
			s := leading(t)
			s.pass(time.Second)
			s.step(engine.Yield{})
			s.appStops()
			s.pass(500 * time.Millisecond)
			s.put(rec)
			s.pass(100 * time.Millisecond)
			s.mark()
			s.put(released("b"))
			s.pass(100 * time.Millisecond)
			s.leads(true, "its turn has come again, long before 2 s were over")
		})
	}
}

func TestLaw13_ATombstoneOrMyTwinEndsNoHoldBack(t *testing.T) {
	for name, rec := range map[string]engine.Record{"a tombstone": tombstone(), "a twin": ofMyPod("pod-2"), "nobody": {}} {
		t.Run(name, func(t *testing.T) {
			s := leading(t)
			s.pass(time.Second)
			s.step(engine.Yield{})
			s.put(rec)
			s.pass(time.Millisecond)
			s.appStops()
			s.put(released("b"))
			s.mark()
			s.pass(time.Second)
			none[engine.Swap](s, "nobody else has acquired")
		})
	}
}

func TestLaw13_ResumeEndsAHoldBack(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.step(engine.Yield{})
	s.appStops()
	s.pass(100 * time.Millisecond)
	s.step(engine.Resume{})
	s.pass(100 * time.Millisecond)
	s.leads(true, "it may lead again")
}

func TestLaw13_UnhealthyAndStoppingHaveNoSuchEnd(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.step(engine.Fitness{Reason: "sick"})
	s.appStops()
	s.pass(trip)
	s.mark()
	s.pass(time.Hour)
	none[engine.Swap](s, "it is still not fit")
}

func TestLaw13_FitAgainBeforeTheReleaseIsANewAcquisition(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.mark()
	s.step(engine.Fitness{Reason: "sick"})
	s.step(engine.Fitness{Fit: true})
	s.leads(false, "the lead that was given up does not come back")
	none[engine.Swap](s, "the app has not stopped yet")
	s.appStops()
	s.is(acquisition, "the record is still mine, and the app has stopped")
	s.pass(trip)
	if lead := last[engine.Lead](s); !lead.Begin || lead.Term <= 40 {
		t.Errorf("%+v", lead)
	}
}

func TestLaw14_PausedNobodyButItsHolderAcquires(t *testing.T) {
	for name, rec := range map[string]engine.Record{
		"a release": released("a"), "an expired lease": sealed("a"), "a tombstone": tombstone(), "a foreign one": foreign("x"), "a twin": ofMyPod("pod-2"),
		"a release for me": released("a", func(r *engine.Record) { r.Seal.To = "me" }), "an offer": sealed("a", offering("o1", "")),
	} {
		t.Run(name, func(t *testing.T) {
			pause(&rec)
			s := before(t, rec, inPod)
			s.pass(10 * time.Minute)
			none[engine.Swap](s, "the election is paused")
			v := s.m.View(s.now())
			if !v.Paused || !strings.Contains(v.Waiting, "paused") {
				t.Errorf("%+v does not say so", v)
			}
			if held := rec.Holder != "" && rec.Holder != engine.Vacant; v.HolderExpired != held {
				t.Errorf("holder expired: %v, a holder: %v", v.HolderExpired, held)
			}
			s.edit(unpause)
			s.pass(time.Minute)
			s.leads(true, "the pause is over")
		})
	}
}

func TestLaw14_PausedTheHolderRenews(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.edit(pause)
	s.pass(10 * time.Minute)
	s.leads(true, "the holder renews")
	if v := s.m.View(s.now()); !v.Paused || v.HolderExpired {
		t.Errorf("%+v", v)
	}
	if n := len(did[engine.StopLeading](s)); n > 0 {
		t.Errorf("it stopped leading %d times", n)
	}
}

func TestLaw14_PausedTheHolderMayTakeItsOwnRecordAgain(t *testing.T) {
	t.Run("after its trust ran out (law 6)", func(t *testing.T) {
		s := leading(t)
		s.pass(time.Second)
		s.edit(pause)
		s.pass(time.Second)
		s.fate = cut
		s.pass(20 * time.Second)
		s.ended(engine.Expired)
		s.appStops()
		s.fate = served
		s.pass(5 * time.Second)
		s.leads(true, "the record is still its own")
	})
	t.Run("after a restart in its pod (law 11)", func(t *testing.T) {
		rec := ofMyPod("pod-1")
		pause(&rec)
		s := before(t, rec, inPod)
		s.pass(time.Second)
		s.leads(true, "its predecessor held the lock")
	})
}

func TestLaw14_PausedNoOfferIsMade(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.edit(pause)
	s.pass(10 * time.Millisecond)
	s.mark()
	s.step(engine.HandOver{ID: 5, To: "b"})
	if h := last[engine.HandedOver](s); h.ID != 5 || !strings.Contains(h.Refusal, "paused") {
		t.Errorf("%+v", h)
	}
	s.edit(func(r *engine.Record) { r.Request = &engine.Request{From: "me", To: "b"} })
	s.pass(20 * time.Second)
	for _, sw := range did[engine.Swap](s) {
		if sw.Put.Seal.Offer != nil {
			t.Errorf("%+v is an offer", sw.Put.Seal)
		}
	}
	s.edit(unpause)
	s.mark()
	s.pass(10 * time.Millisecond)
	if sw := last[engine.Swap](s); sw.Put.Seal.Offer == nil || sw.Put.Seal.Offer.To != "b" {
		t.Errorf("the request was forgotten over the pause: %+v", sw.Put.Seal)
	}
}

func TestLaw14_AStandingOfferIsWithdrawnByAPause(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.step(engine.HandOver{ID: 5, To: "b"})
	s.pass(20 * time.Millisecond)
	s.mark()
	s.edit(pause)
	s.pass(20 * time.Millisecond)
	if sw := s.is(renewal, "the withdrawal"); sw.Put.Seal.Offer != nil {
		t.Errorf("the offer stands: %+v", sw.Put.Seal)
	}
	if h := last[engine.HandedOver](s); h.ID != 5 || !strings.Contains(h.Refusal, "paused") {
		t.Errorf("%+v", h)
	}
	s.leads(true, "it stays")
}

func TestLaw14_APauseSeenWhileGivingUpKeepsTheRecord(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.step(engine.Yield{})
	s.edit(pause)
	s.pass(100 * time.Millisecond)
	s.mark()
	s.appStops()
	s.is(acquisition, "paused: it takes its own record again")
	s.pass(trip)
	s.leads(true, "it takes its own record again")
}

func TestLaw14_APausedHolderThatIsUnfitRenewsAndDoesNotLead(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.step(engine.Fitness{Reason: "sick"})
	s.edit(pause)
	s.pass(100 * time.Millisecond)
	s.mark()
	s.appStops()
	s.pass(time.Minute)
	s.leads(false, "it is not fit")
	s.is(renewal, "the holder renews")
	s.edit(unpause)
	s.pass(100 * time.Millisecond)
	s.is(release, "the pause is over, and it is still not fit")
}

func TestLaw14_AStoppingHolderReleasesAndNobodyFollows(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.edit(pause)
	s.pass(100 * time.Millisecond)
	s.step(engine.Stop{})
	s.mark()
	s.appStops()
	s.is(release, "it ends")
	s.pass(time.Second)
	last[engine.Finished](s)
	if !s.lock.Paused {
		t.Error("the release ended the pause")
	}
}

func TestLaw14_PausedTheHolderTakesItsRestoredRecordInTheEnd(t *testing.T) {
	s := leading(t)
	s.pass(4 * time.Second)
	mine := *s.lock
	pause(&mine)
	s.restored(mine, 38)
	s.pass(2 * time.Second)
	s.ended(engine.Restored)
	s.appStops()
	s.mark()
	s.pass(time.Minute)
	if first := did[engine.Swap](s)[0]; !acquisition(first) {
		t.Errorf("%+v is not its own record taken again", first)
	}
	s.leads(true, "nobody else may, and the longest D is over")
}
