package elector

import (
	"context"
	"errors"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/lock"
)

// What a trouble concerns. At most one trouble of each is told at a time.
const (
	concernAPI    = "api"
	concernWatch  = "watch"
	concernRights = "rights"
	concernLock   = "lock"
	concernID     = "id"
)

var problems = map[engine.Problem]string{
	engine.EtcdRestored: "etcd restored", engine.LockMissing: "lock missing",
	engine.LockMalformed: "lock malformed", engine.TwinHolder: "twin id",
	engine.PatienceRestart: "lock kept busy", engine.BadRequest: "bad switchover request",
	engine.StopUnconfirmed: "stop unconfirmed",
}

// note keeps what an event says of things that are wrong. The mutex is held.
func (e *Elector) note(ev engine.Event) {
	n := 0
	if second, ok := ev.(engine.OfSecond); ok {
		n, ev = 1, second.Event
	}
	api := ofLock(n, concernAPI)
	switch v := ev.(type) {
	case engine.Answer:
		switch v.Outcome {
		case engine.Unknown, engine.Refused:
			e.wrong(api, v.Err, v.Forbidden)
		case engine.OK:
			e.right(api)
			e.noteRecord(n, &v.Record)
		default:
			e.right(api)
		}
	case engine.Observation:
		if !v.Deleted {
			e.noteRecord(n, &v.Record)
			// A standby sends nothing while somebody else leads, so what was
			// wrong with its last request would be told for ever.
			if h := v.Record.Holder; h != "" && h != e.cfg.ID {
				e.right(api)
			}
		}
	case engine.Watching:
		e.watchStands[n] = v.OK
	}
}

func (e *Elector) noteRecord(n int, rec *engine.Record) {
	if rec.Malformed == "" {
		e.right(ofLock(n, concernLock))
	}
	if rec.Holder != e.cfg.ID {
		e.right(ofLock(n, concernID))
	}
}

// ofLock is a concern of one lock. Of two, what is wrong with one is not right
// again because the other is well.
func ofLock(n int, concern string) string {
	if n == 1 {
		return concern + " of the Lease"
	}
	return concern
}

// noteAction keeps what an action says of things that are wrong. The mutex is held.
func (e *Elector) noteAction(action engine.Action) {
	n := 0
	if second, ok := action.(engine.OnSecond); ok {
		n, action = 1, second.Action
	}
	switch a := action.(type) {
	case engine.Report:
		switch a.Kind {
		case engine.LockMalformed:
			e.troubles.add(ofLock(n, concernLock), a.Detail)
		case engine.TwinHolder:
			e.troubles.add(ofLock(n, concernID), a.Detail)
		}
	case engine.Lead:
		e.right(ofLock(0, concernID))
		e.right(ofLock(1, concernID))
	}
}

// wrong notes a trouble and tells it once for as long as it lasts.
func (e *Elector) wrong(concern, text string, forbidden bool) {
	if e.troubles.add(concern, text) {
		e.notice(Notice{Kind: NoticeTrouble, Concern: concern, Text: text, Forbidden: forbidden})
		return
	}
	e.log.Debug("something is wrong", "concern", concern, "error", text)
}

func (e *Elector) right(concern string) {
	if e.troubles.clear(concern) {
		e.notice(Notice{Kind: NoticeRight, Concern: concern})
	}
}

// startWatch watches the locks until Run ends.
func (e *Elector) startWatch() {
	for n, l := range e.locks {
		e.spawn(func() { e.watch(l, n) })
	}
}

// watch watches one lock.
func (e *Elector) watch(l *lock.Lock, n int) {
	concern := ofLock(n, concernWatch)
	l.Watch(e.base, func(ev engine.Event) { e.send(of(n, ev)) }, func(err error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if err == nil {
			e.right(concern)
		} else {
			e.wrong(concern, err.Error(), errors.Is(err, kube.ErrForbidden))
		}
		e.tell()
	})
}

// checkRights asks the API server whether this candidate may do what it needs,
// until it may: so that a missing rule is told at the start and not at the
// first hand-over.
func (e *Elector) checkRights() {
	for wait := time.Second; ; wait = min(2*wait, 10*time.Second) {
		var faults []error
		for _, l := range e.locks {
			faults = append(faults, l.CheckRights(e.base))
		}
		err := errors.Join(faults...)
		e.mu.Lock()
		if err == nil {
			e.rightful = true
			e.right(concernRights)
		} else if e.base.Err() == nil {
			e.wrong(concernRights, err.Error(), errors.Is(err, kube.ErrForbidden))
		}
		e.tell()
		e.mu.Unlock()
		if err == nil || !sleep(e.base, wait) {
			return
		}
	}
}

// sleep says whether the time passed before ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
