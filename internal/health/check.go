package health

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// check asks one question again and again, one at a time.
type check struct {
	cfg   *Config
	probe *probe
	moved chan<- struct{}
	log   *slog.Logger

	held    *held
	ended   bool // the held connection ended just now
	noHold  bool
	heldAt  time.Time // when a connection was last made to be held
	begun   time.Time
	rises   int // successes in a row
	falls   int // failures in a row
	decided string

	mu     sync.Mutex // guards show, and:
	show   Check
	silent bool // the last check got no answer at all
}

func newCheck(cfg *Config, p *probe, moved chan<- struct{}) *check {
	now := time.Now()
	c := &check{
		cfg: cfg, probe: p, moved: moved, begun: now, noHold: cfg.NoHold || p.address == "",
		log: cfg.Logger.With("check", p.name),
	}
	c.decided = "starting: " + p.name + " has not been checked yet"
	c.show = Check{Check: p.name, State: Starting, Since: now}
	return c
}

func (c *check) view() Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.show
}

// verdict is why the check's state is not fit.
func (c *check) verdict() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.decided
}

// run checks until ctx is done.
func (c *check) run(ctx context.Context) {
	c.begun = time.Now()
	defer c.release()
	for {
		err := c.once(ctx)
		if ctx.Err() != nil {
			return
		}
		again := c.doubtHold(err)
		c.judge(err)
		again = c.hold(ctx) || again
		if !again && !c.rest(ctx) {
			return
		}
	}
}

// once is one check, within its time.
func (c *check) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	return c.probe.ask(ctx)
}

// rest waits for the next check: the interval, or the end of the held
// connection. It says whether to go on.
func (c *check) rest(ctx context.Context) bool {
	pause := c.cfg.Interval
	if c.ended {
		pause, c.ended = min(pause, secondLook), false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	var closed <-chan struct{}
	if c.held != nil {
		closed = c.held.closed
	}
	select {
	case <-timer.C:
	case <-closed:
		c.release()
		c.ended = true
	case <-ctx.Done():
		return false
	}
	return true
}

// judge counts a check's outcome, and tells if it changes the state.
func (c *check) judge(err error) {
	state := c.view().State
	was := state
	if err == nil {
		c.rises, c.falls = c.rises+1, 0
		if c.rises >= c.cfg.Rise {
			state = Fit
		}
	} else {
		c.rises, c.falls = 0, c.falls+1
		switch {
		case state == Fit && (c.falls >= c.cfg.Fall || errors.Is(err, syscall.ECONNREFUSED)):
			state = Unfit
		case state == Starting && time.Since(c.begun) >= c.cfg.StartWait:
			state = Unfit
		}
	}
	c.tell(was, state, err)
}

func (c *check) tell(was, state State, err error) {
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	c.mu.Lock()
	c.show.Reason = reason
	c.silent = err != nil && (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err))
	if state != was {
		c.show.State, c.show.Since = state, time.Now()
	}
	switch {
	case state == Fit:
		c.decided = ""
	case state != was || c.falls == 1:
		c.decided = reason
		if state == Starting {
			c.decided = "starting: " + reason
		}
	}
	c.mu.Unlock()
	if state != was {
		c.log.Info("a health check changed", "state", string(state), "reason", reason)
	}
	select {
	case c.moved <- struct{}{}:
	default: // a token is there already
	}
}
