package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	elector "github.com/leader-elector/leader-elector"
)

// errGuardLost ends a command that the kernel would not end.
var errGuardLost = errors.New("the command changed its user or group, which takes it out of the kernel's guard: " +
	"start this program as that user (securityContext.runAsUser), or as PID 1 of its container")

// watch sees to one run of the command until nothing of it is left.
type watch struct {
	c      *Child
	l      *life
	ctx    context.Context
	exited <-chan struct{}

	until  time.Duration // the end of trust
	ending bool          // it was told to end, or has ended
	killAt time.Duration // with ending: when patience is over
}

const never = time.Duration(1<<63 - 1)

// over returns when nothing is left of the command and its guard is off.
func (w *watch) over() {
	defer close(w.l.over)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		until, moved := elector.Trusted(w.ctx)
		w.trust(until)
		if wake := w.wakeAt(); wake != never {
			timer.Reset(wake - elector.BootTime())
		}
		select {
		case <-moved:
		case <-timer.C:
			w.late()
		case by := <-w.l.stop:
			w.end(by)
		case <-w.exited:
			w.ended()
		case <-w.l.p.gone:
			if w.exited != nil {
				w.ended()
			}
			if err := w.c.guard.clear(); err != nil {
				w.c.cfg.Log.Error("the kernel's guard stands although nothing is left to guard", "error", err)
			}
			return
		}
	}
}

// trust moves the kernel's guard on to the end of trust.
func (w *watch) trust(until time.Duration) {
	if until == w.until {
		return
	}
	w.until = until
	// Told before it is done, so that the last line in the log of a process
	// that the guard killed names an end that is not too early.
	w.c.cfg.Log.Debug("the kernel's guard moves on", "until", until)
	if err := w.c.guard.set(until - early); err != nil {
		w.c.cfg.Log.Error("the kernel's guard stays where it is and will end this process", "error", err)
	}
	if !w.c.covered && w.l.p.escaped() {
		w.c.cfg.Log.Error("the command is ended", "error", errGuardLost)
		w.end(never)
		w.kill()
		w.c.cfg.Ended(errGuardLost)
	}
}

func (w *watch) wakeAt() time.Duration {
	if w.ending {
		return w.killAt
	}
	return w.until - w.c.cfg.Grace
}

// late is for an instant that came before what it was set for.
func (w *watch) late() {
	switch now := elector.BootTime(); {
	case now < w.wakeAt():
		// The timer was set before trust moved on.
	case w.ending:
		w.c.cfg.Log.Warn("the command has not ended in time and is killed", "pid", w.l.p.pid)
		w.kill()
	default:
		w.c.cfg.Log.Warn("no renewal was confirmed, so the command is told to stop", "pid", w.l.p.pid, "trusted", w.until-now)
		w.end(never)
		elector.GiveUp(w.ctx, errors.New("no renewal was confirmed in time for the command to stop"))
	}
}

// end asks the command to end: within its grace, before by, and before trust
// ends. A second call can only shorten that.
func (w *watch) end(by time.Duration) {
	now := elector.BootTime()
	at := min(now+w.c.cfg.Grace, w.until-ahead, by-ahead)
	if w.ending {
		w.killAt = min(w.killAt, at)
		return
	}
	w.ending, w.killAt = true, at
	w.l.p.terminate()
}

func (w *watch) kill() {
	w.l.p.kill()
	w.killAt = never
}

// ended is for the end of the command itself; what it left behind is asked to
// end too.
func (w *watch) ended() {
	w.exited = nil
	status := code(w.l.p.status)
	w.c.cfg.Log.Info("the command ended", "pid", w.l.p.pid, "code", status, "asked", w.ending)
	if w.ending {
		w.l.p.terminate()
		return
	}
	w.end(never)
	if w.c.cfg.OnExit == Exit {
		w.c.setCode(status)
		w.c.cfg.Ended(nil)
		return
	}
	elector.GiveUp(w.ctx, fmt.Errorf("the command ended with exit code %d", status))
}
