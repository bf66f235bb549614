package elector

import (
	"context"
	"errors"

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
	answer := make(chan engine.HandedOver, 1)
	e.mu.Lock()
	if !e.running {
		e.mu.Unlock()
		return ErrNotRunning
	}
	e.asks++
	id := e.asks
	e.asked[id] = answer
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.asked, id)
		e.mu.Unlock()
	}()
	select {
	case e.events <- engine.HandOver{ID: id, To: to}:
	case <-e.ended:
		return ErrNotRunning
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case a := <-answer:
		if a.Refusal != "" {
			return &refusal{why: a.Refusal}
		}
		return nil
	case <-e.ended:
		return ErrNotRunning
	case <-ctx.Done():
		return ctx.Err()
	}
}

// handedOver answers whoever asked; a request that an operator wrote on the
// lock (ID 0) is answered in the log.
func (e *Elector) handedOver(a engine.HandedOver) {
	if a.Refusal != "" {
		e.log.Warn("the lead was not handed over", "reason", a.Refusal)
	} else {
		e.log.Info("the lead was handed over", "to", a.To)
	}
	e.mu.Lock()
	answer := e.asked[a.ID]
	delete(e.asked, a.ID)
	e.mu.Unlock()
	if answer != nil {
		answer <- a
	}
}
