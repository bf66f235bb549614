package elector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// Follower is what acts while this candidate leads. Its methods are never
// called at the same time: Lead, then Stop, then perhaps Lead of a later term.
type Follower interface {
	// Lead begins to act for a term and returns. ctx is cancelled, with the
	// cause, when the lead ends: whatever acts for this term must end with it.
	// An error gives up the lead, and others go first.
	Lead(ctx context.Context, term Term) error
	// Stop returns nil once nothing acts any more. The lock is released only
	// after that; an error, or ctx running out (Config.HandoverTimeout), lets
	// the lease run out instead.
	Stop(ctx context.Context, why Reason) error
}

// Reason says why a lead ended; it is the cause of the leader's context too.
type Reason string

// Why a lead ended.
const (
	ReasonLost     Reason = "lost"     // the lock says something else
	ReasonExpired  Reason = "expired"  // no renewal was confirmed in time
	ReasonUnfit    Reason = "unfit"    // the app is not fit to lead
	ReasonYielding Reason = "yielding" // the lead was given up on purpose
	ReasonHandover Reason = "handover" // another candidate accepted to take over
	ReasonStopping Reason = "stopping" // Run was told to end
	ReasonRestored Reason = "restored" // etcd went back in time
)

var reasons = map[engine.Reason]Reason{
	engine.Lost: ReasonLost, engine.Expired: ReasonExpired, engine.Unfit: ReasonUnfit,
	engine.Yielding: ReasonYielding, engine.Handover: ReasonHandover,
	engine.Stopping: ReasonStopping, engine.Restored: ReasonRestored,
}

// ErrLeadEnded is the cause with which a leader's context is cancelled.
var ErrLeadEnded = errors.New("the lead ended")

// EndedError says how a lead ended. errors.Is finds ErrLeadEnded in it.
type EndedError struct {
	Term   Term
	Reason Reason
	Detail string // for people
}

func (e *EndedError) Error() string {
	return fmt.Sprintf("the lead of term %s ended (%s): %s", e.Term, e.Reason, e.Detail)
}

// Is makes every EndedError an ErrLeadEnded.
func (e *EndedError) Is(target error) bool { return target == ErrLeadEnded }

// Work makes a Follower of a function that acts until its context ends. The
// lock is released once the function has returned; if it returns early, the
// lead is given up.
func Work(act func(ctx context.Context, term Term) error) Follower { return &work{act: act} }

type work struct {
	act  func(context.Context, Term) error
	done chan struct{}
}

func (w *work) Lead(ctx context.Context, term Term) error {
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		err := w.act(ctx, term)
		GiveUp(ctx, err)
	}()
	return nil
}

func (w *work) Stop(ctx context.Context, _ Reason) error {
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leadership is one term's calls to the Follower, made in order by one
// goroutine that Run waits for.
type leadership struct {
	term   Term
	ctx    context.Context
	cancel context.CancelCauseFunc
	trust  *held
	giveUp func(why error)
	led    bool          // Lead was called
	ready  chan struct{} // closed when Lead has returned or was skipped
	done   chan struct{} // closed when Stop has returned or was skipped
}

// startLeading calls Lead once the previous term's Stop has returned.
func (e *Elector) startLeading(term Term, until time.Duration) {
	if e.cfg.Follower == nil {
		return
	}
	l := &leadership{term: term, trust: newHeld(until), ready: make(chan struct{}), done: make(chan struct{})}
	l.giveUp = func(why error) {
		detail := "the work ended by itself"
		if why != nil {
			detail = "the work failed: " + why.Error()
		}
		e.send(engine.Yield{Reason: detail})
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(e.base, leadKey{}, l))
	l.ctx, l.cancel = ctx, cancel
	prev := e.last
	e.last = l
	e.spawn(func() {
		defer close(l.ready)
		if prev != nil {
			<-prev.done
		}
		if ctx.Err() != nil {
			return // the lead ended before the app could hear of it
		}
		l.led = true
		if err := e.cfg.Follower.Lead(ctx, term); err != nil && ctx.Err() == nil {
			e.log.Error("the app could not begin to lead, so the lead is given up", "term", term.String(), "error", err)
			e.send(engine.Yield{Reason: "the app could not begin to lead: " + err.Error()})
		}
	})
}

// stopLeading cancels the leader's context, then waits for the Follower to
// confirm that nothing acts any more.
func (e *Elector) stopLeading(s engine.StopLeading) {
	term := Term(s.Term)
	why := reasons[s.Reason]
	l := e.last
	if e.cfg.Follower == nil || l == nil || l.term != term {
		e.later = append(e.later, engine.Stopped{Term: s.Term, Confirmed: true})
		return
	}
	l.cancel(&EndedError{Term: term, Reason: why, Detail: s.Detail})
	e.spawn(func() {
		defer close(l.done)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(e.base), e.cfg.HandoverTimeout)
		defer cancel()
		err := l.stop(ctx, e.cfg.Follower, why)
		if err != nil {
			e.log.Error("the app did not confirm that it stopped", "term", term.String(), "error", err)
		}
		e.send(engine.Stopped{Term: s.Term, Confirmed: err == nil})
	})
}

func (l *leadership) stop(ctx context.Context, f Follower, why Reason) error {
	select {
	case <-l.ready:
	case <-ctx.Done():
		return fmt.Errorf("Lead has not returned: %w", ctx.Err())
	}
	if !l.led {
		return nil
	}
	begun := time.Now()
	if err := f.Stop(ctx, why); err != nil {
		return fmt.Errorf("after %v: %w", time.Since(begun).Round(time.Millisecond), err)
	}
	return nil
}
