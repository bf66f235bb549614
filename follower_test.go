package elector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/netfault"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// recorder is a Follower that notes what it is told, and can be slow or refuse.
type recorder struct {
	mu     sync.Mutex
	heard  []string
	leads  func(context.Context) error
	stops  func(context.Context) error
	leader context.Context
}

func (r *recorder) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, fmt.Sprintf(format, args...))
}

func (r *recorder) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprint(r.heard)
}

func (r *recorder) Lead(ctx context.Context, term elector.Term) error {
	r.note("lead")
	r.leader = ctx
	if r.leads != nil {
		return r.leads(ctx)
	}
	return nil
}

func (r *recorder) Stop(ctx context.Context, why elector.Reason) error {
	r.note("stop %s", why)
	if r.leader.Err() == nil {
		r.note("with a context that still stands")
	}
	var ended *elector.EndedError
	if cause := context.Cause(r.leader); !errors.Is(cause, elector.ErrLeadEnded) || !errors.As(cause, &ended) || ended.Reason != why {
		r.note("with the cause %v", cause)
	}
	if r.stops != nil {
		return r.stops(ctx)
	}
	return nil
}

// followed is a candidate with that follower.
func followed(t *testing.T, ns, name string, f elector.Follower, change func(*elector.Config)) *candidate {
	t.Helper()
	return start(t, testplane.Get(t), testplane.Candidate{Namespace: ns, Pod: name, Election: "music"}, func(c *elector.Config) {
		c.Follower = f
		if change != nil {
			change(c)
		}
	})
}

func TestLaw09_TheLockIsReleasedAfterTheAppHasStopped(t *testing.T) {
	t.Parallel()
	ns := testplane.Get(t).Namespace(t)
	goOn, asked := make(chan struct{}), make(chan struct{})
	r := &recorder{stops: func(context.Context) error { close(asked); <-goOn; return nil }}
	a := followed(t, ns, "a", r, nil)
	a.until(t, "a leading", leads)
	b := followed(t, ns, "b", nil, nil)
	b.until(t, "b knowing a", func(s elector.Status) bool { return s.Leader == "a" })
	a.stop()
	<-asked
	if _, ok := a.Leads(); ok {
		t.Error("a still says that it leads while its app is told to stop")
	}
	// A whole lease passes: a renews for as long as its app takes.
	held := time.NewTimer(4500 * time.Millisecond)
	<-held.C
	if _, ok := b.Leads(); ok {
		t.Error("b leads while the app of a has not stopped")
	}
	close(goOn)
	b.until(t, "b leading", leads)
	if got := r.all(); got != "[lead stop stopping]" {
		t.Errorf("the follower heard %s", got)
	}
}

func TestLaw09_WithoutConfirmationTheLeaseRunsOut(t *testing.T) {
	t.Parallel()
	ns := testplane.Get(t).Namespace(t)
	r := &recorder{stops: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	a := followed(t, ns, "a", r, func(c *elector.Config) { c.HandoverTimeout = time.Second })
	a.until(t, "a leading", leads)
	b := followed(t, ns, "b", nil, nil)
	b.until(t, "b knowing a", func(s elector.Status) bool { return s.Leader == "a" })
	a.stop()
	<-a.ended
	if _, ok := b.Leads(); ok {
		t.Error("b leads at once, though nobody knows whether the app of a has stopped")
	}
	b.until(t, "b leading when the lease has run out", leads)
}

func TestAFollowerThatCannotLeadGivesUp(t *testing.T) {
	t.Parallel()
	ns := testplane.Get(t).Namespace(t)
	r := &recorder{leads: func(context.Context) error { return errors.New("the disk is full") }}
	a := followed(t, ns, "a", r, nil)
	a.until(t, "a leading", leads)
	b := followed(t, ns, "b", nil, nil)
	b.until(t, "b leading, since the app of a could not", leads)
	a.stop()
	<-a.ended
	if got := r.all(); len(got) < len("[lead stop yielding]") || got[:len("[lead stop yielding")] != "[lead stop yielding" {
		t.Errorf("the follower heard %s", got)
	}
}

func TestWorkThatEndsGivesUpTheLead(t *testing.T) {
	t.Parallel()
	ns := testplane.Get(t).Namespace(t)
	done := make(chan struct{})
	a := followed(t, ns, "a", elector.Work(func(ctx context.Context, term elector.Term) error {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}), nil)
	a.until(t, "a leading", leads)
	b := followed(t, ns, "b", nil, nil)
	b.until(t, "b knowing a", func(s elector.Status) bool { return s.Leader == "a" })
	close(done)
	b.until(t, "b leading", leads)
}

func TestAFrozenConnectionCostsNoLead(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	forward := netfault.Forward(t, strings.TrimPrefix(p.Server, "https://"))
	a := start(t, p, testplane.Candidate{Namespace: ns, Pod: "a", Election: "music", Server: "https://" + forward.Addr()}, nil)
	term := a.until(t, "a leading", leads).Term
	// Every connection that stands goes silent; new ones pass. The lease is 4 s
	// long, so after three of them the lead would have been lost.
	for range 3 {
		forward.Freeze()
		next := time.NewTimer(4 * time.Second)
		<-next.C
		if s := a.Status(); !s.IsLeader || s.Term != term {
			t.Fatalf("after silent connections a leads: %v, term %v, was %v; %s", s.IsLeader, s.Term, term, s.LastError)
		}
	}
	b := followed(t, ns, "b", nil, nil)
	b.until(t, "b knowing a", func(s elector.Status) bool { return s.Leader == "a" })
}
