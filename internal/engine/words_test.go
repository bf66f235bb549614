package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// sealed is a record that one of ours wrote as its holder.
func sealed(holder string, change ...func(*engine.Record)) engine.Record {
	r := engine.Record{
		Holder: holder, Duration: ttl, Transitions: 3,
		Acquired: epoch.Add(-time.Hour), Renewed: epoch.Add(-time.Minute),
		Seal: &engine.Seal{Start: holder + "1", Term: 7},
	}
	for _, c := range change {
		c(&r)
	}
	s := r.Seal
	s.Holder, s.Duration, s.Acquired, s.Renewed, s.Transitions = r.Holder, r.Duration, r.Acquired, r.Renewed, r.Transitions
	return r
}

// released is what one of ours leaves when it gives the lock up.
func released(by string, change ...func(*engine.Record)) engine.Record {
	return sealed("", append([]func(*engine.Record){func(r *engine.Record) {
		r.Seal.Start, r.Seal.Released = by+"1", true
	}}, change...)...)
}

// foreign is a record that a foreign candidate wrote.
func foreign(holder string) engine.Record {
	return engine.Record{
		Holder: holder, Duration: ttl, Acquired: epoch.Add(-time.Hour), Renewed: epoch.Add(-time.Minute), Transitions: 3,
	}
}

// tombstone is a placeholder that another candidate created.
func tombstone() engine.Record {
	return engine.Record{Holder: engine.Vacant, Duration: ttl, Tombstone: "somebody's"}
}

// offering makes a record carry an offer.
func offering(nonce, to string) func(*engine.Record) {
	return func(r *engine.Record) { r.Seal.Offer = &engine.Offer{Nonce: nonce, To: to} }
}

func immediate(c *engine.Config) { c.Immediate = true }

func inPod(c *engine.Config) { c.PodUID = "pod-1" }

// did returns what the candidate asked for since mark, of one kind.
func did[A engine.Action](s *stage) []A {
	var found []A
	for _, a := range s.acts {
		if v, ok := a.Action.(A); ok {
			found = append(found, v)
		}
	}
	return found
}

// recent names the last few things that the candidate asked for.
func (s *stage) recent() string {
	var names []string
	for _, a := range s.acts[max(0, len(s.acts)-12):] {
		names = append(names, fmt.Sprintf("%v %T", a.at, a.Action))
	}
	return strings.Join(names, ", ")
}

// last returns the newest action of one kind since mark; there must be one.
func last[A engine.Action](s *stage) A {
	s.t.Helper()
	all := did[A](s)
	if len(all) == 0 {
		var none A
		s.t.Fatalf("%v: no %T among %s", s.at, none, s.recent())
	}
	return all[len(all)-1]
}

// firstAt returns when an action of one kind was first asked for since mark.
func firstAt[A engine.Action](s *stage) time.Duration {
	s.t.Helper()
	for _, a := range s.acts {
		if _, ok := a.Action.(A); ok {
			return a.at
		}
	}
	var none A
	s.t.Fatalf("%v: no %T among %s", s.at, none, s.recent())
	return 0
}

// none asserts that the candidate asked for nothing of that kind since mark.
func none[A engine.Action](s *stage, why string) {
	s.t.Helper()
	if all := did[A](s); len(all) > 0 {
		s.t.Errorf("%v: %T %s: %+v", s.at, all[0], why, all[0])
	}
}

// leads asserts what the candidate says when it is asked now.
func (s *stage) leads(want bool, why string) {
	s.t.Helper()
	if _, _, ok := s.m.Leads(s.now()); ok != want {
		s.t.Errorf("%v: leads is %v: %s", s.at, ok, why)
	}
}

// until is when the leader's trust ends.
func (s *stage) until() time.Duration {
	s.t.Helper()
	_, trust, ok := s.m.Leads(s.now())
	if !ok {
		s.t.Fatalf("%v: does not lead", s.at)
	}
	return trust.Until() - boot
}

// swapsAt asserts that the first swap since mark was sent at that instant.
func (s *stage) swapsAt(want time.Duration, why string) {
	s.t.Helper()
	if got := firstAt[engine.Swap](s); got != want {
		s.t.Errorf("the first swap was sent at %v, not at %v: %s", got, want, why)
	}
}

// ended asserts that the lead ended since mark, and why.
func (s *stage) ended(reason engine.Reason) engine.StopLeading {
	s.t.Helper()
	stop := last[engine.StopLeading](s)
	if stop.Reason != reason {
		s.t.Errorf("%v: the lead ended for %d (%s), not for %d", s.at, stop.Reason, stop.Detail, reason)
	}
	s.leads(false, "it stopped leading")
	return stop
}

// appStops confirms that the app stopped, for the lead that ended last.
func (s *stage) appStops() {
	s.t.Helper()
	s.step(engine.Stopped{Term: s.over, Confirmed: true})
}

// reports asserts that people were told of a problem since mark.
func (s *stage) reports(kind engine.Problem, words string) {
	s.t.Helper()
	for _, r := range did[engine.Report](s) {
		if r.Kind == kind && strings.Contains(r.Detail, words) {
			return
		}
	}
	s.t.Errorf("%v: no report %d of %q in %+v", s.at, kind, words, did[engine.Report](s))
}

// acquisition, renewal and release say what a swap is.
func acquisition(sw engine.Swap) bool {
	return sw.Kind == engine.Hold && sw.Put.Holder == "me" && sw.Put.Seal.Term == engine.Term(sw.On.Version)
}

func renewal(sw engine.Swap) bool {
	return sw.Kind == engine.Hold && sw.Put.Holder == "me" && !acquisition(sw)
}

func release(sw engine.Swap) bool {
	return sw.Kind == engine.Hold && sw.Put.Holder == "" && sw.Put.Seal.Released
}

// is asserts what the newest swap since mark is, and returns it.
func (s *stage) is(what func(engine.Swap) bool, why string) engine.Swap {
	s.t.Helper()
	sw := last[engine.Swap](s)
	if !what(sw) {
		s.t.Errorf("%v: the newest swap is another: %s: %+v", s.at, why, sw)
	}
	return sw
}

func TestLaw03_TheDefaultMarginIsATenthAndAtLeastAQuarterSecond(t *testing.T) {
	for ttl, want := range map[time.Duration]time.Duration{
		15 * time.Second: 1500 * time.Millisecond,
		time.Second:      250 * time.Millisecond,
		2 * time.Second:  250 * time.Millisecond,
		time.Minute:      6 * time.Second,
	} {
		if got := engine.DefaultMargin(ttl); got != want {
			t.Errorf("ttl %v: margin %v, want %v", ttl, got, want)
		}
	}
}
