package elector

import (
	"context"
	"log/slog"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
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
	switch v := ev.(type) {
	case engine.Answer:
		switch v.Outcome {
		case engine.Unknown, engine.Refused:
			e.wrong(slog.LevelWarn, concernAPI, v.Err)
		case engine.OK:
			e.right(concernAPI)
			e.noteRecord(&v.Record)
		default:
			e.right(concernAPI)
		}
	case engine.Observation:
		if !v.Deleted {
			e.noteRecord(&v.Record)
			// A standby sends nothing while somebody else leads, so what was
			// wrong with its last request would be told for ever.
			if h := v.Record.Holder; h != "" && h != e.cfg.ID {
				e.right(concernAPI)
			}
		}
	case engine.Watching:
		e.watchStands = v.OK
	}
}

func (e *Elector) noteRecord(rec *engine.Record) {
	if rec.Malformed == "" {
		e.right(concernLock)
	}
	if rec.Holder != e.cfg.ID {
		e.right(concernID)
	}
}

// noteAction keeps what an action says of things that are wrong. The mutex is held.
func (e *Elector) noteAction(action engine.Action) {
	switch a := action.(type) {
	case engine.Report:
		switch a.Kind {
		case engine.LockMalformed:
			e.troubles.add(concernLock, a.Detail)
		case engine.TwinHolder:
			e.troubles.add(concernID, a.Detail)
		}
	case engine.Lead:
		e.right(concernID)
	}
}

// wrong notes a trouble and logs it once for as long as it lasts.
func (e *Elector) wrong(level slog.Level, concern, text string) {
	if !e.troubles.add(concern, text) {
		level = slog.LevelDebug
	}
	e.log.Log(context.Background(), level, "something is wrong", "concern", concern, "error", text)
}

func (e *Elector) right(concern string) {
	if e.troubles.clear(concern) {
		e.log.Info("right again", "concern", concern)
	}
}

// startWatch watches the lock until Run ends.
func (e *Elector) startWatch() {
	e.spawn(func() {
		e.lock.Watch(e.base, e.send, func(err error) {
			e.mu.Lock()
			defer e.mu.Unlock()
			if err == nil {
				e.right(concernWatch)
			} else {
				e.wrong(slog.LevelWarn, concernWatch, err.Error())
			}
			e.tell()
		})
	})
}

// checkRights asks the API server whether this candidate may do what it needs,
// until it may: so that a missing rule is told at the start and not at the
// first hand-over.
func (e *Elector) checkRights() {
	for wait := time.Second; ; wait = min(2*wait, 10*time.Second) {
		err := e.lock.CheckRights(e.base)
		e.mu.Lock()
		if err == nil {
			e.rightful = true
			e.right(concernRights)
		} else if e.base.Err() == nil {
			e.wrong(slog.LevelWarn, concernRights, err.Error())
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
