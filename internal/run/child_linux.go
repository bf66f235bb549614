package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	elector "github.com/leader-elector/leader-elector"
)

// Child is an elector.Follower that runs a command while this candidate leads.
// There can be one in a process, which must have no other child processes.
type Child struct {
	cfg     Config
	guard   *guard
	covered bool // Init stands above

	mu   sync.Mutex
	last *life
	code int
}

// life is one run of the command.
type life struct {
	p    *process
	stop chan time.Duration // by when, on the boot clock, nothing may be left
	over chan struct{}      // closed when nothing is left and the guard is off
}

// New says at once what would keep the command from being guarded.
func New(cfg Config) (*Child, error) {
	if err := refuse(cfg.Path); err != nil {
		return nil, err
	}
	g, err := newGuard()
	if err != nil {
		return nil, err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("what the command leaves behind cannot be found: prctl(PR_SET_CHILD_SUBREAPER): %w", err)
	}
	// Of two variables of one name a program may see either.
	cfg.Env = slices.DeleteFunc(slices.Clone(cfg.Env), func(v string) bool { return strings.HasPrefix(v, termVariable) })
	return &Child{cfg: cfg, guard: g, covered: underInit()}, nil
}

// Lead starts the command. The kernel's guard stands before it does.
func (c *Child) Lead(ctx context.Context, term elector.Term) error {
	if l := c.current(); l != nil && !l.isOver() {
		return errors.New("what the command of an earlier term left behind still runs")
	}
	until, _ := elector.Trusted(ctx)
	if left := until - elector.BootTime(); left <= c.cfg.Grace {
		return fmt.Errorf("trust ends in %v, too soon to start the command", left)
	}
	if err := c.guard.set(until - early); err != nil {
		return err
	}
	p, err := start(c.cfg.Path, c.cfg.Args, append(slices.Clip(c.cfg.Env), termVariable+term.String()))
	if err != nil {
		err = errors.Join(fmt.Errorf("%s cannot be started: %w", c.cfg.Path, err), c.guard.clear())
		if c.cfg.OnExit == Exit {
			c.setCode(cannotStart)
			c.cfg.Ended(err)
		}
		return err
	}
	c.cfg.Log.Info("the command runs", "term", term.String(), "pid", p.pid)
	l := &life{p: p, stop: make(chan time.Duration, 1), over: make(chan struct{})}
	c.mu.Lock()
	c.last = l
	c.mu.Unlock()
	go (&watch{c: c, l: l, ctx: ctx, exited: p.exited}).over()
	return nil
}

// Stop returns nil when nothing of the command is left.
func (c *Child) Stop(ctx context.Context, why elector.Reason) error {
	l := c.current()
	if l == nil {
		return nil
	}
	by := time.Duration(1<<63 - 1)
	if deadline, ok := ctx.Deadline(); ok {
		by = elector.BootTime() + time.Until(deadline)
	}
	select {
	case l.stop <- by:
	default: // it was told
	}
	running := !l.isOver()
	select {
	case <-l.over:
		if running && why == elector.ReasonStopping {
			c.setCode(code(l.p.status))
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("something of the command (process %d) still runs: %w", l.p.pid, ctx.Err())
	}
}

// Signal passes a signal on to the command, if it runs.
func (c *Child) Signal(s os.Signal) {
	if number, ok := s.(syscall.Signal); ok {
		if l := c.current(); l != nil {
			l.p.signal(number)
		}
	}
}

// Code is the exit code of the command that was running when this process was
// told to end, or whose end was the reason; zero where there was none.
func (c *Child) Code() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code
}

func (c *Child) setCode(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.code = code
}

func (c *Child) current() *life {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func (l *life) isOver() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}
