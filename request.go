package elector

import (
	"context"
	"errors"
	"fmt"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// ErrRefused is returned where a hand-over did not come about; the error's text
// says why. The leader stays, or has lost the lead for another reason.
var ErrRefused = errors.New("not handed over")

// refusal carries the reason of an ErrRefused.
type refusal struct{ why string }

func (r *refusal) Error() string        { return "not handed over: " + r.why }
func (r *refusal) Is(target error) bool { return target == ErrRefused }

// StepDown offers the lead to a candidate by its id, or to any if to is empty,
// and returns once the lock was released for whoever accepted. If nobody
// accepts within a second, this candidate goes on leading.
func (e *Elector) StepDown(ctx context.Context, to string) error {
	_, err := e.HandOver(ctx, to)
	return err
}

// HandOver is StepDown, and returns the id of whoever accepted.
func (e *Elector) HandOver(ctx context.Context, to string) (heir string, err error) {
	answer := make(chan engine.HandedOver, 1)
	e.mu.Lock()
	e.asks++
	id := e.asks
	e.asked[id] = answer
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.asked, id)
		e.mu.Unlock()
	}()
	if err := e.tellLoop(ctx, engine.HandOver{ID: id, To: to}); err != nil {
		return "", err
	}
	select {
	case a := <-answer:
		if a.Refusal != "" {
			return "", &refusal{why: a.Refusal}
		}
		return a.To, nil
	case <-e.ended:
		return "", ErrNotRunning
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Confirm returns nil once a renewal of term that was sent after this call is
// stored, so that nobody else has led since the call was made: the proof that a
// leader needs before it overwrites what may be its successor's.
func (e *Elector) Confirm(ctx context.Context, term Term) error {
	answer := make(chan engine.Confirmed, 1)
	e.mu.Lock()
	e.asks++
	id := e.asks
	e.proofs[id] = answer
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.proofs, id)
		e.mu.Unlock()
	}()
	if err := e.tellLoop(ctx, engine.Confirm{ID: id}); err != nil {
		return err
	}
	select {
	case a := <-answer:
		if Term(a.Term) != term || term == 0 {
			return fmt.Errorf("%w: term %v is over", ErrLeadEnded, term)
		}
		return nil
	case <-e.ended:
		return ErrNotRunning
	case <-ctx.Done():
		return fmt.Errorf("the lead of term %v was not confirmed: %w", term, ctx.Err())
	}
}

// SetFit says whether the app is fit to lead, and if not why. An unfit leader
// gives up, an unfit standby does not campaign. What is set before Run holds
// from its first instant; without any call a candidate is fit. It must be
// called from one goroutine at a time, and returns when the election knows.
func (e *Elector) SetFit(fit bool, reason string) {
	ev := engine.Fitness{Fit: fit, Reason: reason}
	e.mu.Lock()
	if !e.running {
		e.fitness = &ev
		e.mu.Unlock()
		return
	}
	e.mu.Unlock()
	e.tellLoop(context.Background(), ev) // fails only when Run is over
}

// tellLoop hands an event to the loop, if Run turns it.
func (e *Elector) tellLoop(ctx context.Context, ev engine.Event) error {
	e.mu.Lock()
	running := e.running
	e.mu.Unlock()
	if !running {
		return ErrNotRunning
	}
	select {
	case e.events <- ev:
		return nil
	case <-e.ended:
		return ErrNotRunning
	case <-ctx.Done():
		return ctx.Err()
	}
}

// confirmed answers whoever asked; nobody, if he went away.
func (e *Elector) confirmed(a engine.Confirmed) {
	e.mu.Lock()
	answer := e.proofs[a.ID]
	e.mu.Unlock()
	if answer != nil {
		answer <- a
	}
}

// handedOver answers whoever asked; a request that an operator wrote on the
// lock (ID 0) is answered in the log.
func (e *Elector) handedOver(a engine.HandedOver) {
	if a.Refusal != "" {
		e.notice(Notice{Kind: NoticeNotHandedOver, Text: a.Refusal})
	} else {
		e.notice(Notice{Kind: NoticeHandedOver, Leader: a.To})
	}
	e.mu.Lock()
	answer := e.asked[a.ID]
	delete(e.asked, a.ID)
	e.mu.Unlock()
	if answer != nil {
		answer <- a
	}
}
