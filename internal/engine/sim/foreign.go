package sim

import (
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// foreign is a candidate in the manner of client-go's leaderelection: it polls,
// waits its own duration since it last saw the record change, and acts until
// its renewals have failed for two thirds of it.
type foreign struct {
	w        *world
	duration time.Duration
	seen     engine.Record
	seenAt   time.Duration
	leads    bool
	renewed  time.Duration // when its last renewal was answered
	away     bool
}

const foreignID = "client-go"

func newForeign(w *world) *foreign {
	f := &foreign{w: w, duration: w.ttl + time.Duration(w.rng.IntN(4))*time.Second}
	w.after(w.span(5*time.Second), f.turn)
	return f
}

func (f *foreign) acts() bool {
	return f.leads && f.w.now < f.renewed+f.duration*2/3
}

// trouble makes it end, with or without a release.
func (f *foreign) trouble() {
	f.leads = false
	f.away = true
	if f.w.rng.IntN(2) == 0 && f.w.server.lock != nil && f.w.server.lock.Holder == foreignID {
		f.w.server.edit(func(r *engine.Record) { r.Holder, r.Duration = "", time.Second })
	}
	f.w.after(f.w.span(10*time.Second), func() { f.away = f.w.calm })
}

func (f *foreign) leave() { f.leads, f.away = false, true }

// turn is one round of its loop.
func (f *foreign) turn() {
	w := f.w
	wait := 2 * time.Second
	if !f.leads {
		wait += w.below(2 * time.Second)
	}
	w.after(wait, f.turn)
	if f.away || w.outage != up {
		return
	}
	lock := w.server.lock
	if lock == nil {
		return // it would create one; the mix has no deletions
	}
	if lock.Holder != f.seen.Holder || !lock.Renewed.Equal(f.seen.Renewed) || lock.Transitions != f.seen.Transitions {
		f.seen, f.seenAt = *lock, w.now
	}
	if lock.Holder != foreignID && lock.Holder != "" && w.now < f.seenAt+max(f.duration, lock.Duration) {
		f.leads = false
		return
	}
	w.server.edit(func(r *engine.Record) {
		if r.Holder != foreignID {
			r.Transitions++
			r.Acquired = stamp(w.now)
		}
		r.Holder, r.Duration = foreignID, f.duration
		r.Renewed = stamp(w.now)
	})
	f.seen, f.seenAt = *w.server.lock, w.now
	f.leads, f.renewed = true, w.now
}
