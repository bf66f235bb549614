package engine_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// twoLocks is a candidate "me" of two locks (law 18), and the two objects. Lock 0
// is the Endpoints, at versions from 40; lock 1 is the Lease, from 1040. Every
// answer takes trip, the watch a millisecond, and the app stops when it is let.
type twoLocks struct {
	t       *testing.T
	p       *engine.Pair
	at      time.Duration
	wake    time.Duration
	queue   []dueAt
	locks   [2]*engine.Record
	version [2]engine.Version
	nonces  int
	refused [2]bool // every request of that lock is a definite no
	deaf    [2]bool // nothing arrives of that lock's requests
	still   bool    // the app does not confirm its stop yet
	told    engine.Term
	acts    []pairAct
}

type dueAt struct {
	at time.Duration
	do func()
}

type pairAct struct {
	at   time.Duration
	lock int
	engine.Action
}

// onTwo is a candidate that has just started before the two records.
func onTwo(t *testing.T, endpoints, lease *engine.Record) *twoLocks {
	cfg := engine.Config{ID: "me", Start: "s1", TTL: ttl}
	s := &twoLocks{t: t, p: engine.NewPair(cfg, cfg), version: [2]engine.Version{39, 1039}}
	for n, rec := range []*engine.Record{endpoints, lease} {
		if rec != nil {
			s.put(n, *rec)
		}
	}
	s.step(engine.Tick{})
	return s
}

// leadingBoth is a candidate that took both locks, released by another.
func leadingBoth(t *testing.T) *twoLocks {
	t.Helper()
	rec := released("a")
	s := onTwo(t, &rec, &rec)
	s.pass(time.Second)
	s.leads(true, "both locks were free")
	return s
}

func (s *twoLocks) now() engine.Now { return engine.Now{Boot: boot + s.at, Wall: epoch.Add(s.at)} }

func (s *twoLocks) later(d time.Duration, do func()) {
	s.queue = append(s.queue, dueAt{s.at + d, do})
	slices.SortStableFunc(s.queue, func(a, b dueAt) int { return cmp.Compare(a.at, b.at) })
}

func (s *twoLocks) pass(d time.Duration) {
	s.t.Helper()
	end := s.at + d
	for range 100_000 {
		switch {
		case len(s.queue) > 0 && s.queue[0].at <= end && (s.wake <= s.at || s.queue[0].at <= s.wake):
			next := s.queue[0]
			s.queue = s.queue[1:]
			s.at = max(s.at, next.at)
			next.do()
		case s.wake > s.at && s.wake <= end:
			s.at = s.wake
			s.step(engine.Tick{})
		default:
			s.at = end
			return
		}
	}
	s.t.Fatalf("%v: the candidate does not come to rest", s.at)
}

func (s *twoLocks) step(ev engine.Event) {
	s.t.Helper()
	for _, a := range s.p.Step(s.now(), ev) {
		n := 0
		if on, ok := a.(engine.OnSecond); ok {
			n, a = 1, on.Action
		}
		s.acts = append(s.acts, pairAct{s.at, n, a})
		switch v := a.(type) {
		case engine.Read:
			s.send(n, v.Op, v.Timeout, func() engine.Answer { return s.shown(n) })
		case engine.Swap:
			s.send(n, v.Op, v.Timeout, func() engine.Answer { return s.swap(n, v) })
		case engine.Create:
			s.send(n, v.Op, v.Timeout, func() engine.Answer {
				if s.locks[n] != nil {
					return engine.Answer{Outcome: engine.Conflict}
				}
				s.store(n, v.Put)
				return s.shown(n)
			})
		case engine.StopLeading:
			s.told = v.Term
			if !s.still {
				s.later(trip, func() { s.step(engine.Stopped{Term: v.Term, Confirmed: true}) })
			}
		case engine.WakeAt:
			if s.wake = v.At - boot; s.wake <= s.at {
				s.t.Fatalf("%v: wants to be woken at %v", s.at, s.wake)
			}
		}
	}
}

func (s *twoLocks) of(n int, ev engine.Event) engine.Event {
	if n == 1 {
		return engine.OfSecond{Event: ev}
	}
	return ev
}

func (s *twoLocks) send(n int, op engine.Op, timeout time.Duration, serve func() engine.Answer) {
	wait := trip
	if s.deaf[n] {
		wait = timeout
	}
	s.later(wait, func() {
		a := engine.Answer{Outcome: engine.Refused}
		switch {
		case s.deaf[n]:
			a = engine.Answer{}
		case !s.refused[n]:
			a = serve()
		}
		a.Op = op
		s.step(s.of(n, a))
	})
}

func (s *twoLocks) shown(n int) engine.Answer {
	if s.locks[n] == nil {
		return engine.Answer{Outcome: engine.Absent}
	}
	return engine.Answer{Outcome: engine.OK, Record: *s.locks[n]}
}

func (s *twoLocks) swap(n int, a engine.Swap) engine.Answer {
	if l := s.locks[n]; l == nil || l.UID != a.On.UID || l.Version != a.On.Version {
		return engine.Answer{Outcome: engine.Conflict}
	}
	rec := a.Put
	rec.Paused = s.locks[n].Paused
	s.store(n, rec)
	return s.shown(n)
}

func (s *twoLocks) store(n int, rec engine.Record) {
	s.version[n]++
	rec.Version, rec.UID = s.version[n], fmt.Sprintf("uid-%d", n)
	s.locks[n] = &rec
	s.later(time.Millisecond, func() { s.step(s.of(n, engine.Observation{Record: rec})) })
}

// put is what another of ours wrote, with its seal intact.
func (s *twoLocks) put(n int, rec engine.Record) {
	if rec.Seal != nil {
		s.nonces++
		seal := *rec.Seal
		seal.Lock, seal.Nonce = fmt.Sprintf("uid-%d", n), fmt.Sprintf("%s-%d", seal.Start, s.nonces)
		rec.Seal = &seal
	}
	s.store(n, rec)
}

func (s *twoLocks) edit(n int, change func(*engine.Record)) {
	rec := *s.locks[n]
	change(&rec)
	s.store(n, rec)
}

func (s *twoLocks) leads(want bool, why string) {
	s.t.Helper()
	if _, _, ok := s.p.Leads(s.now()); ok != want {
		s.t.Fatalf("%v: leads %v: %s", s.at, ok, why)
	}
}

// swaps are the writes of a kind on a lock since mark, and when.
func (s *twoLocks) swaps(n int, is func(engine.Swap) bool) (found []pairAct) {
	for _, a := range s.acts {
		if sw, ok := a.Action.(engine.Swap); ok && a.lock == n && is(sw) {
			found = append(found, a)
		}
	}
	return found
}

func (s *twoLocks) mark() { s.acts = nil }

func anySwap(engine.Swap) bool { return true }

func isRelease(sw engine.Swap) bool {
	return sw.Kind == engine.Hold && sw.Put.Seal.Released && sw.Put.Holder == ""
}

func (s *twoLocks) stops() (found []engine.StopLeading) {
	for _, a := range s.acts {
		if v, ok := a.Action.(engine.StopLeading); ok {
			found = append(found, v)
		}
	}
	return found
}

func TestLaw18_TheLeadIsThatOfBothLocks(t *testing.T) {
	free, held := released("a"), sealed("b")
	s := onTwo(t, &held, &free)
	s.pass(ttl - time.Second)
	s.leads(false, "another holds the Endpoints")
	if w := s.swaps(1, anySwap); len(w) > 0 {
		t.Fatalf("the Lease is taken before the Endpoints: %+v", w)
	}
	s.pass(2 * time.Second)
	s.leads(true, "patience with the Endpoints is over, and the Lease is free")

	s = onTwo(t, &free, &held)
	s.pass(ttl - time.Second)
	if s.locks[0].Holder != "me" {
		t.Errorf("the Endpoints are free, and %q holds them", s.locks[0].Holder)
	}
	s.leads(false, "another holds the Lease")
	s.pass(2 * time.Second)
	s.leads(true, "patience with the Lease is over")
}

func TestLaw18_TheTermIsTheLeases(t *testing.T) {
	s := leadingBoth(t)
	if term, _, _ := s.p.Leads(s.now()); term != 1040 {
		t.Errorf("the term is %v, want the version that the Lease's acquisition replaced", term)
	}
	for _, a := range s.acts {
		if l, ok := a.Action.(engine.Lead); ok && l.Term != 1040 {
			t.Errorf("the app is told term %v", l.Term)
		}
	}
}

func TestLaw18_TrustIsTheLesser(t *testing.T) {
	for n := range 2 {
		s := leadingBoth(t)
		s.deaf[n] = true
		s.pass(ttl - margin - time.Second - 200*time.Millisecond)
		_, trust, ok := s.p.Leads(s.now())
		if !ok || trust.Until()-boot > s.at+2*time.Second {
			t.Fatalf("lock %d is not renewed: leads %v, trusted until %v at %v", n, ok, trust.Until()-boot, s.at)
		}
		s.mark()
		s.pass(2 * time.Second)
		s.leads(false, "the trust of one lock is over")
		if stops := s.stops(); len(stops) != 1 || stops[0].Reason != engine.Expired {
			t.Errorf("lock %d: the app is told %+v, want one end of trust", n, stops)
		}
	}
}

func TestLaw18_LosingEitherEndsBoth(t *testing.T) {
	for n := range 2 {
		s := leadingBoth(t)
		s.mark()
		s.edit(n, func(r *engine.Record) { r.Holder = "b" })
		s.pass(time.Millisecond)
		s.leads(false, "one lock names another")
		if stops := s.stops(); len(stops) != 1 || stops[0].Reason != engine.Lost || stops[0].Term != 1040 {
			t.Errorf("lock %d is lost, the app is told %+v", n, stops)
		}
		s.pass(time.Second)
		if other := s.locks[1-n]; other.Holder != "" || !other.Seal.Released {
			t.Errorf("lock %d is lost, and a second later the other is held by %q", n, other.Holder)
		}
	}
}

func TestLaw18_TheLeaseIsReleasedBeforeTheEndpoints(t *testing.T) {
	s := leadingBoth(t)
	s.still = true
	s.mark()
	s.step(engine.Stop{})
	s.leads(false, "it was told to stop")
	s.pass(2 * time.Second)
	if w := append(s.swaps(0, isRelease), s.swaps(1, isRelease)...); len(w) > 0 {
		t.Fatalf("released while the app acts: %+v", w)
	}
	s.step(engine.Stopped{Term: s.told, Confirmed: true})
	s.pass(time.Second)
	first, second := s.swaps(1, isRelease), s.swaps(0, isRelease)
	if len(first) != 1 || len(second) != 1 || second[0].at < first[0].at+trip {
		t.Fatalf("released the Lease %+v and the Endpoints %+v, want the Endpoints after the Lease's answer", first, second)
	}
	if _, ok := s.acts[len(s.acts)-1].Action.(engine.Finished); !ok {
		t.Errorf("it has not finished: %+v", s.acts[len(s.acts)-1])
	}
}

func TestLaw18_WithoutConfirmationNeitherIsReleased(t *testing.T) {
	s := leadingBoth(t)
	s.still = true
	s.mark()
	s.step(engine.Stop{})
	s.pass(2 * ttl)
	if w := append(s.swaps(0, isRelease), s.swaps(1, isRelease)...); len(w) > 0 {
		t.Fatalf("nobody knows whether the app acts: %+v", w)
	}
}

func TestLaw18_AMissingLeaseIsBuriedWhileTheEndpointsAreAnothers(t *testing.T) {
	held := foreign("0.5")
	s := onTwo(t, &held, nil)
	s.pass(time.Second)
	if s.locks[1] == nil || s.locks[1].Holder != engine.Vacant {
		t.Fatalf("the Lease is %+v, want a tombstone whose patience runs already", s.locks[1])
	}
	s.pass(ttl + engine.ForeignSlack)
	s.leads(true, "0.5 is gone, and the wait for the Lease passed meanwhile")
}

func TestLaw18_EndpointsThatAreHeldInVainAreGivenUp(t *testing.T) {
	rec := released("a")
	s := onTwo(t, &rec, &rec)
	s.pass(15 * time.Millisecond) // the Lease was read
	s.refused[1] = true
	s.pass(ttl)
	if s.locks[0].Holder != "me" {
		t.Fatalf("the Endpoints are held by %q", s.locks[0].Holder)
	}
	s.pass(ttl + 2*time.Second)
	if w := s.swaps(0, isRelease); len(w) == 0 {
		t.Error("the Lease cannot be written, and the Endpoints are kept from those who can")
	}
}

func TestLaw18_WhoHasNotReadTheLeaseLeavesTheEndpointsAlone(t *testing.T) {
	rec := released("a")
	s := onTwo(t, &rec, &rec)
	s.refused[1] = true
	s.pass(2 * ttl)
	if w := s.swaps(0, anySwap); len(w) > 0 {
		t.Errorf("it writes the Endpoints: %+v", w[0])
	}
}

func TestLaw18_EndpointsAreKeptWhileTheLeaseIsAnothers(t *testing.T) {
	free, held := released("a"), sealed("b")
	s := onTwo(t, &free, &held)
	for range 20 {
		s.pass(ttl / 3)
		s.put(1, sealed("b", func(r *engine.Record) { r.Renewed = r.Renewed.Add(s.at) }))
	}
	if w := s.swaps(0, isRelease); len(w) > 0 || s.locks[0].Holder != "me" {
		t.Errorf("the Endpoints were let go of %d times while the Lease was another's", len(w))
	}
}

func TestLaw18_AnOfferThatNobodyAcceptsOnTheEndpointsIsMadeOnTheLease(t *testing.T) {
	s := leadingBoth(t)
	s.mark()
	s.step(engine.HandOver{ID: 5, To: "b"})
	s.pass(1500 * time.Millisecond)
	offers := func(sw engine.Swap) bool { return sw.Put.Seal.Offer != nil }
	if len(s.swaps(0, offers)) == 0 || len(s.swaps(1, offers)) == 0 {
		t.Fatal("it was not offered on both")
	}
	s.edit(1, func(r *engine.Record) {
		r.Acceptance = &engine.Acceptance{By: "b", Start: "b1", Offer: r.Seal.Offer.Nonce}
	})
	s.pass(time.Second)
	var answers []engine.HandedOver
	for _, a := range s.acts {
		if v, ok := a.Action.(engine.HandedOver); ok {
			answers = append(answers, v)
		}
	}
	if len(answers) != 1 || answers[0] != (engine.HandedOver{ID: 5, To: "b"}) {
		t.Errorf("answered %+v", answers)
	}
	for n := range 2 {
		if s.locks[n].Holder != "" {
			t.Errorf("lock %d is still held by %q", n, s.locks[n].Holder)
		}
	}
}

func TestLaw18_AProofNeedsBothLocks(t *testing.T) {
	proofs := func(s *twoLocks) (found []engine.Confirmed) {
		for _, a := range s.acts {
			if v, ok := a.Action.(engine.Confirmed); ok {
				found = append(found, v)
			}
		}
		return found
	}
	for n := range 2 {
		s := leadingBoth(t)
		s.deaf[n] = true
		s.mark()
		s.step(engine.Confirm{ID: 3})
		s.pass(2 * time.Second)
		if p := proofs(s); len(p) > 0 {
			t.Fatalf("lock %d was not renewed, and the lead is confirmed: %+v", n, p)
		}
		s.deaf[n] = false
		s.pass(5 * time.Second)
		if p := proofs(s); len(p) != 1 || p[0] != (engine.Confirmed{ID: 3, Term: 1040}) {
			t.Errorf("lock %d: confirmed %+v", n, p)
		}
	}
}

func TestLaw18_TheNameIsWhoLeads(t *testing.T) {
	old, ours, free := foreign("0.5"), sealed("b"), released("a")
	for _, c := range []struct {
		endpoints, lease *engine.Record
		want, why        string
	}{
		{&old, &free, "0.5", "0.5 leads by the Endpoints alone"},
		{&ours, &ours, "b", "b holds both"},
		{&ours, &free, "", "b holds the Endpoints, and does not lead yet"},
		{&free, &ours, "b", "b leads by the Lease alone"},
	} {
		s := onTwo(t, c.endpoints, c.lease)
		s.pass(12 * time.Millisecond)
		if v := s.p.View(s.now()); v.Leader != c.want {
			t.Errorf("%s: it names %q", c.why, v.Leader)
		}
	}
}
