package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/health"
	"github.com/leader-elector/leader-elector/internal/status"
)

// tended checks the command of `run` while it runs. There is nothing to check
// on a standby, so every candidate is fit to lead; a command that turns out to
// be ill gives the lead up, and others go first.
type tended struct {
	cfg  health.Config
	work sync.WaitGroup

	mu  sync.Mutex
	now *health.Monitor // of the lead that goes on; nil: none
}

// Lead begins the checks of a command that has just been started.
func (t *tended) Lead(ctx context.Context, _ elector.Term) error {
	cfg := t.cfg
	var m *health.Monitor
	cfg.Changed = func(bool, string) {
		for _, c := range m.Checks() {
			if c.State == health.Unfit {
				elector.GiveUp(ctx, fmt.Errorf("the command is not well: %s: %s", c.Check, c.Reason))
			}
		}
	}
	m, err := health.New(cfg)
	if err != nil {
		return errors.Join(errors.New("--health-check"), err)
	}
	t.watch(m)
	t.work.Go(func() { m.Run(ctx) })
	return nil
}

// Stop waits for the checks, which end with the lead.
func (t *tended) Stop(context.Context, elector.Reason) error {
	t.work.Wait()
	t.watch(nil)
	return nil
}

func (t *tended) watch(m *health.Monitor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = m
}

// show adds the checks to /status; of a standby there are none.
func (t *tended) show(v status.View) status.View {
	if t == nil {
		return v
	}
	t.mu.Lock()
	m := t.now
	t.mu.Unlock()
	if m == nil {
		return v
	}
	for _, c := range m.Checks() {
		c.Since = c.Since.UTC()
		v.Health.Checks = append(v.Health.Checks, c)
	}
	return v
}
