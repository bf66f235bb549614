package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	elector "github.com/leader-elector/leader-elector"
	child "github.com/leader-elector/leader-elector/internal/run"
)

// runOptions are the flags of `run`, and what follows from them.
type runOptions struct {
	stopGrace time.Duration
	onExit    string

	command []string     // of the command line; nil: another subcommand
	path    string       // of the command's program
	child   *child.Child // that follows the lead; nil: another subcommand
	tended  *tended      // checks the command; nil: another subcommand, or nothing is checked
}

var runGroup = []string{"stop-grace", "on-exit"}

// runFlags are those of the subcommand `run`.
func (o *options) runFlags(f *pflag.FlagSet) {
	f.DurationVar(&o.stopGrace, "stop-grace", 0, "`DURATION` that the command of run has between SIGTERM and SIGKILL, within what is left of trust and of the hand-over (default: a quarter of --ttl)")
	f.StringVar(&o.onExit, "on-exit", child.Exit, "`WHAT` follows when the command of run ends by itself: exit hands over and ends with its exit code; handover lets others go first and stands by")
}

// takeCommand takes what follows the two dashes of `run`, and returns what is
// left over.
func (o *options) takeCommand(f *pflag.FlagSet) (left []string) {
	dash := f.ArgsLenAtDash()
	if o.command == nil || dash < 0 {
		return f.Args()
	}
	o.command = f.Args()[dash:]
	return f.Args()[:dash]
}

// grace is --stop-grace, or what stands for it.
func (o *options) grace() time.Duration {
	if o.stopGrace == 0 {
		return o.ttl / 4
	}
	return o.stopGrace
}

// checkRun finds the faults of the subcommand `run`.
func (o *options) checkRun() (faults []error) {
	if o.command == nil {
		return nil
	}
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(o.command) == 0 {
		fault("run has no command: write it after two dashes, as in `leader-elector run --election=music -- app --its-flag`")
	} else if path, err := exec.LookPath(o.command[0]); err != nil {
		fault("run: %w", err)
	} else {
		o.path = path
	}
	if o.onExit != child.Exit && o.onExit != child.Handover {
		fault("%s=%q: write %q or %q", o.source("on-exit"), o.onExit, child.Exit, child.Handover)
	}
	// A renewal that is sent in time must have the chance to be confirmed before
	// the command is told to stop: trust is nine tenths of the ttl, and an
	// attempt may take a sixth of it.
	every := o.renewEvery
	if every == 0 {
		every = max(o.ttl/3, time.Second)
	}
	switch most := (o.ttl - max(o.ttl/10, 250*time.Millisecond) - every - o.ttl/6).Truncate(100 * time.Millisecond); {
	case o.stopGrace < 0:
		fault("%s=%v is negative", o.source("stop-grace"), o.stopGrace)
	case o.grace() > most && most > 0:
		fault("%s=%v leaves no time to renew within the ttl %v: at most %v, or a longer --ttl", o.source("stop-grace"), o.grace(), o.ttl, most)
	}
	return faults
}

// followed is what follows the command of run, which may be nothing, and is
// stopped before it: traffic comes when the command was started, and is gone
// before it is told to stop (law 9).
func (o *options) followed(others ...elector.Follower) elector.Follower {
	var all []elector.Follower
	if o.child != nil {
		all = append(all, o.child)
	}
	if o.tended != nil {
		all = append(all, o.tended)
	}
	return elector.Chain(append(all, others...)...)
}

// commandEnded is the cause with which a command that ended by itself ends the
// campaign. The error is nil unless it could not run.
type commandEnded struct{ err error }

func (e *commandEnded) Error() string { return "the command ended" }

// runCommand campaigns until ctx is done or the command has ended, and returns
// the exit code.
func (o *options) runCommand(ctx context.Context, environ []string, stderr io.Writer) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Images choose SIGQUIT for their stop signal too; nginx's does.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGQUIT)
	context.AfterFunc(ctx, stop)
	c, err := child.New(child.Config{
		Path: o.path, Args: o.command, Env: environ, Grace: o.grace(), OnExit: o.onExit,
		Ended: func(err error) { cancel(&commandEnded{err}) }, Log: o.logger(stderr),
	})
	if err != nil {
		return exitUsage, err
	}
	defer forward(c)()
	o.child = c
	if len(o.healthChecks) > 0 {
		cfg := o.healthConfig()
		cfg.Logger = o.logger(stderr)
		o.tended = &tended{cfg: cfg}
	}
	err = o.serve(ctx, stderr)
	var ended *commandEnded
	if errors.As(err, &ended) {
		err = ended.err
	}
	code := c.Code()
	if code == 0 && err != nil {
		code = exitFailed
	}
	return code, err
}

// forward passes on the signals that mean something to a command and nothing
// to us. What it returns ends that.
func forward(c *child.Child) (end func()) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := range signals {
			c.Signal(s)
		}
	}()
	return func() { signal.Stop(signals); close(signals); <-done }
}
