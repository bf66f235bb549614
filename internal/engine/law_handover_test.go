package engine_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// offered is a leader whose offer stands: it was confirmed at the stage's now.
func offered(t *testing.T, to string) *stage {
	s := leading(t)
	s.pass(time.Second)
	s.mark()
	s.step(engine.HandOver{ID: 5, To: to})
	s.fate = held
	s.settle()
	if s.lock.Seal.Offer == nil || s.lock.Seal.Offer.To != to {
		t.Fatalf("the stage is not set: %+v", s.lock.Seal)
	}
	s.queue = nil
	return s
}

// accepts makes a candidate accept the offer that stands in the lock.
func (s *stage) accepts(by string) {
	s.edit(func(r *engine.Record) {
		r.Acceptance = &engine.Acceptance{By: by, Start: by + "1", Offer: r.Seal.Offer.Nonce}
	})
}

// refusal asserts that hand-over 5 was answered with these words.
func (s *stage) refusal(words string) {
	s.t.Helper()
	if h := last[engine.HandedOver](s); h.ID != 5 || h.Refusal == "" || !strings.Contains(h.Refusal, words) {
		s.t.Errorf("%v: %+v, want a refusal with %q", s.at, h, words)
	}
}

func TestLaw15_TheOfferIsARenewalThatRemovesTheRequest(t *testing.T) {
	for _, to := range []string{"b", ""} {
		s := leading(t)
		s.pass(time.Second)
		s.mark()
		s.edit(func(r *engine.Record) { r.Request = &engine.Request{From: "me", To: to} })
		s.pass(time.Millisecond)
		sw := s.is(renewal, "a request asks for an offer at once")
		if sw.Put.Request != nil || sw.Put.Seal.Offer == nil || sw.Put.Seal.Offer.To != to || sw.Put.Seal.Offer.Nonce == "" {
			t.Errorf("%+v with %+v", sw.Put.Request, sw.Put.Seal.Offer)
		}
		s.leads(true, "an offer gives nothing away")
	}
}

func TestLaw15_ARequestForAnotherHolderIsRemovedByTheNextWrite(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.mark()
	s.edit(func(r *engine.Record) { r.Request = &engine.Request{From: "a", To: "b"} })
	s.pass(100 * time.Millisecond)
	none[engine.Swap](s, "the request addresses another holder")
	s.pass(6 * time.Second)
	if sw := s.is(renewal, "in its time"); sw.Put.Request != nil || sw.Put.Seal.Offer != nil {
		t.Errorf("%+v", sw.Put)
	}
}

func TestLaw15_AnAcquisitionRemovesTheRequestToTheHolderBefore(t *testing.T) {
	rec := sealed("a")
	rec.Request = &engine.Request{From: "a", To: "c"}
	s := before(t, rec)
	s.pass(20 * time.Second)
	if sw := did[engine.Swap](s)[0]; sw.Put.Request != nil {
		t.Errorf("%+v", sw.Put.Request)
	}
}

func TestLaw15_ARequestThatNamesNoHolderIsReported(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.edit(func(r *engine.Record) { r.Request = &engine.Request{To: "b"} })
	s.pass(20 * time.Second)
	s.reports(engine.BadRequest, "HOLDER/CANDIDATE")
	for _, sw := range did[engine.Swap](s) {
		if sw.Put.Seal.Offer != nil {
			t.Error("it is offered all the same")
		}
	}
}

func TestLaw15_AFitCandidateAcceptsOnce(t *testing.T) {
	for _, to := range []string{"me", ""} {
		s := before(t, sealed("a", offering("o1", to)))
		s.pass(10 * time.Second)
		swaps := did[engine.Swap](s)
		if len(swaps) != 1 || swaps[0].Kind != engine.Accept || swaps[0].On.Version != 40 {
			t.Fatalf("%+v", swaps)
		}
		if a := *swaps[0].Put.Acceptance; a != (engine.Acceptance{By: "me", Start: "s1", Offer: "o1"}) {
			t.Errorf("%+v", a)
		}
		put := swaps[0].Put
		put.Acceptance = nil
		if !reflect.DeepEqual(put, swaps[0].On) {
			t.Errorf("the acceptance changes more: %+v, was %+v", put, swaps[0].On)
		}
		s.leads(false, "an acceptance gives no right")
	}
}

func TestLaw15_VoidOffersAreNotAccepted(t *testing.T) {
	late := func(s *stage) { s.freeze(time.Second) }
	soon := func(*stage) {}
	for name, c := range map[string]struct {
		rec  engine.Record
		when func(*stage)
	}{
		"to another":          {sealed("a", offering("o1", "b")), soon},
		"the seal is broken":  {edited(sealed("a", offering("o1", ""))), soon},
		"paused":              {sealed("a", offering("o1", ""), pause), soon},
		"accepted by another": {sealed("a", offering("o1", ""), func(r *engine.Record) { r.Acceptance = &engine.Acceptance{By: "b", Offer: "o1"} }), soon},
		"by my twin":          {ofMyPod("pod-2", offering("o1", "")), soon},
		"in a release":        {released("a", offering("o1", ""), func(r *engine.Record) { r.Seal.To = "b" }), soon},
		"a second old":        {sealed("a", offering("o1", "")), late},
	} {
		t.Run(name, func(t *testing.T) {
			s := before(t, c.rec)
			s.fate = held
			s.step(engine.Fitness{Reason: "sick"})
			s.settle()
			c.when(s)
			s.step(engine.Fitness{Fit: true})
			s.fate = served
			s.pass(200 * time.Millisecond)
			none[engine.Swap](s, "the offer is void")
		})
	}
}

func TestLaw15_AnOffersSecondCountsFromItsFirstSight(t *testing.T) {
	s := before(t, sealed("a", offering("o1", "")))
	s.fate = held
	s.step(engine.Fitness{Reason: "sick"})
	s.settle()
	s.pass(900 * time.Millisecond)
	s.put(sealed("a", offering("o1", ""), func(r *engine.Record) { r.Renewed = epoch }))
	s.pass(200 * time.Millisecond)
	s.step(engine.Fitness{Fit: true})
	none[engine.Swap](s, "a renewal does not make the offer younger")
}

func TestLaw15_OnlyAfterTheAcceptanceLaw9(t *testing.T) {
	s := offered(t, "b")
	s.pass(500 * time.Millisecond)
	s.leads(true, "nobody has accepted")
	s.accepts("b")
	s.mark()
	s.pass(time.Millisecond)
	s.ended(engine.Handover)
	none[engine.Swap](s, "the app still acts")
	none[engine.HandedOver](s, "nothing was released")
	s.appStops()
	if sw := s.is(release, "the app has stopped"); sw.Put.Seal.To != "b" {
		t.Errorf("the release names %q", sw.Put.Seal.To)
	}
	s.settle()
	if h := last[engine.HandedOver](s); h != (engine.HandedOver{ID: 5, To: "b"}) {
		t.Errorf("%+v", h)
	}
}

func TestLaw15_WhoHandedOverHoldsBack(t *testing.T) {
	s := offered(t, "b")
	s.accepts("b")
	s.fate = served
	s.pass(time.Millisecond)
	s.appStops()
	s.mark()
	s.pass(1900 * time.Millisecond)
	none[engine.Swap](s, "b goes first")
	s.pass(time.Second)
	s.leads(true, "b never came")
}

func TestLaw15_AnInvalidAcceptanceEndsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		to     string
		change func(*engine.Record)
	}{
		"by nobody":        {"", func(r *engine.Record) { r.Acceptance.By = "" }},
		"by myself":        {"", func(r *engine.Record) { r.Acceptance.By = "me" }},
		"by another":       {"b", func(r *engine.Record) { r.Acceptance.By = "c" }},
		"of another offer": {"b", func(r *engine.Record) { r.Acceptance.Offer = "o0" }},
		"paused":           {"b", pause},
	} {
		t.Run(name, func(t *testing.T) {
			s := offered(t, c.to)
			s.accepts("b")
			s.queue = nil
			s.edit(c.change)
			s.mark()
			s.pass(500 * time.Millisecond)
			none[engine.StopLeading](s, "by an acceptance that is none")
		})
	}
}

func TestLaw15_AnAcceptanceInABrokenSealIsALoss(t *testing.T) {
	s := offered(t, "b")
	s.edit(func(r *engine.Record) {
		r.Acceptance = &engine.Acceptance{By: "b", Offer: r.Seal.Offer.Nonce}
		r.Transitions++
	})
	s.mark()
	s.pass(time.Millisecond)
	s.ended(engine.Lost)
	s.refusal("edited")
}

func TestLaw15_AnOfferThatNobodyAcceptsIsWithdrawn(t *testing.T) {
	s := offered(t, "b")
	stood := s.at
	s.fate = served
	s.mark()
	s.pass(2 * time.Second)
	s.swapsAt(stood+time.Second, "an offer stands for a second")
	if sw := s.is(renewal, "the withdrawal"); sw.Put.Seal.Offer != nil {
		t.Errorf("%+v", sw.Put.Seal.Offer)
	}
	s.refusal(`"b" did not accept`)
	s.leads(true, "it stays")
	none[engine.StopLeading](s, "it stays")
}

func TestLaw15_ARefusalIsAnsweredWhenTheWithdrawalIsConfirmed(t *testing.T) {
	s := offered(t, "")
	s.mark()
	s.pass(5 * time.Second)
	s.is(renewal, "the withdrawal")
	none[engine.HandedOver](s, "an acceptance may still be in time")
	s.settle()
	s.refusal("no candidate accepted")
}

func TestLaw15_AnAcceptanceThatTheWithdrawalMetCountsAsInTime(t *testing.T) {
	s := offered(t, "b")
	s.blind = true
	s.pass(time.Second)
	s.accepts("b") // while the withdrawal is under way
	s.mark()
	s.settle() // conflict
	s.leads(true, "the conflict decides nothing")
	s.settle() // read
	s.ended(engine.Handover)
	s.appStops()
	if sw := s.is(release, "after the acceptance law 9"); sw.Put.Seal.To != "b" {
		t.Errorf("the release names %q", sw.Put.Seal.To)
	}
}

func TestLaw15_ARenewalCarriesAStandingOffer(t *testing.T) {
	s := leading(t)
	s.pass(4900 * time.Millisecond)
	s.step(engine.HandOver{ID: 5})
	s.pass(trip)
	nonce := s.lock.Seal.Offer.Nonce
	s.mark()
	s.edit(func(r *engine.Record) { r.Request = &engine.Request{From: "other", To: "x"} })
	s.pass(500 * time.Millisecond)
	if o := s.lock.Seal.Offer; o == nil || o.Nonce != nonce {
		t.Errorf("%+v", o)
	}
}

func TestLaw15_OthersHoldOffForAnAcceptor(t *testing.T) {
	s := waiting(t)
	s.put(released("a", func(r *engine.Record) { r.Seal.To = "b" }))
	seen := s.at + time.Millisecond
	s.pass(time.Second)
	s.swapsAt(seen+300*time.Millisecond, "b goes first")

	s = waiting(t)
	s.put(released("a", func(r *engine.Record) { r.Seal.To = "me" }))
	seen = s.at + time.Millisecond
	s.pass(time.Second)
	s.swapsAt(seen, "I go first")
}

func TestLaw15_SIGTERMNeedsNoAcceptance(t *testing.T) {
	s := offered(t, "b")
	s.mark()
	s.step(engine.Stop{})
	s.ended(engine.Stopping)
	s.refusal("told to stop")
	s.appStops()
	if sw := s.is(release, "law 9 at once"); sw.Put.Seal.To != "" {
		t.Errorf("the release names %q", sw.Put.Seal.To)
	}
}

func TestLaw15_EveryHandOverIsAnsweredOnce(t *testing.T) {
	ends := map[string]func(*stage){
		"not leading":        func(s *stage) { s.put(sealed("b")); s.pass(trip); s.step(engine.HandOver{ID: 5}) },
		"to itself":          func(s *stage) { s.step(engine.HandOver{ID: 5, To: "me"}) },
		"trust ran out":      func(s *stage) { s.step(engine.HandOver{ID: 5}); s.fate = cut; s.pass(ttl) },
		"lost":               func(s *stage) { s.step(engine.HandOver{ID: 5}); s.put(sealed("c")) },
		"deleted":            func(s *stage) { s.step(engine.HandOver{ID: 5}); s.delete() },
		"unfit":              func(s *stage) { s.step(engine.HandOver{ID: 5}); s.step(engine.Fitness{}) },
		"refused":            func(s *stage) { s.fate = refused; s.step(engine.HandOver{ID: 5}) },
		"unknown":            func(s *stage) { s.fate = deaf; s.step(engine.HandOver{ID: 5}); s.pass(ttl / 6); s.fate = served },
		"the app never ends": func(s *stage) { s.step(engine.HandOver{ID: 5}); s.pass(trip); s.accepts("b") },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			s := leading(t)
			s.pass(time.Second)
			s.mark()
			end(s)
			s.pass(30 * time.Second)
			if all := did[engine.HandedOver](s); len(all) != 1 || all[0].ID != 5 || all[0].Refusal == "" {
				t.Errorf("%+v, want one refusal", all)
			}
		})
	}
	s := leading(t)
	s.pass(time.Second)
	s.step(engine.HandOver{ID: 5})
	s.mark()
	s.step(engine.HandOver{ID: 6})
	if h := last[engine.HandedOver](s); h.ID != 6 || !strings.Contains(h.Refusal, "under way") {
		t.Errorf("%+v", h)
	}
}

func TestLaw15_SIGTERMNamesAnAcceptorIfOneIsSeen(t *testing.T) {
	for name, when := range map[string]func(*stage){
		"before it":           func(s *stage) { s.accepts("b"); s.step(engine.Stop{}); s.pass(2 * time.Millisecond) },
		"while the app stops": func(s *stage) { s.step(engine.Stop{}); s.accepts("b"); s.pass(2 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			s := offered(t, "b")
			when(s)
			s.appStops()
			if sw := s.is(release, "law 9 at once"); sw.Put.Seal.To != "b" {
				t.Errorf("the release names %q", sw.Put.Seal.To)
			}
		})
	}
	t.Run("by the release's conflict", func(t *testing.T) {
		s := offered(t, "b")
		s.step(engine.Stop{})
		s.blind = true
		s.accepts("b")
		s.appStops()
		s.settle() // conflict
		s.settle() // read
		if sw := s.is(release, "my seal still stands"); sw.Put.Seal.To != "b" {
			t.Errorf("the release names %q", sw.Put.Seal.To)
		}
	})
}
