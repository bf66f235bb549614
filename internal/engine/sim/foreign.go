package sim

import (
	"math/rand/v2"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// foreign is a candidate of another program, on the same lock. It polls, waits
// its own duration since it last saw the record change, in whole seconds, and
// writes by resourceVersion.
//
// client-go's leaderelection renews until its renewals have failed for two thirds
// of its duration, counted from the start of the attempt, and then empties the
// record: it reads it again and writes over whatever it read. 0.5 tries for half
// of its duration, and releases nothing.
type foreign struct {
	w        *world
	style    style
	rng      *rand.Rand
	duration time.Duration
	seen     engine.Record
	seenAt   time.Duration
	leads    bool
	deadline time.Duration // when it gives up, as it leads
	away     bool
	cutTill  time.Duration
	frozen   time.Duration
	robbed   bool // it has emptied another's record, and acts by that now
}

const (
	foreignID     = "foreign"
	longerForeign = 3 * time.Second // its duration is longer than ours by up to that
)

func newForeign(w *world) *foreign {
	f := &foreign{w: w, style: w.plan.Mix.Foreign, rng: rand.New(rand.NewPCG(w.plan.Seed, 77))}
	f.duration = w.ttl + time.Duration(f.rng.Int64N(int64(longerForeign/time.Second)+1))*time.Second
	w.after(exponential(f.rng, 5*time.Second), f.turn)
	return f
}

// tries is how long it goes on trying to renew.
func (f *foreign) tries() time.Duration {
	if f.style == old05 {
		return f.duration / 2
	}
	return f.duration * 2 / 3
}

func (f *foreign) pause() time.Duration {
	if f.style == old05 {
		return f.duration / 4
	}
	return f.duration * 2 / 15
}

// acts says whether it acts, as far as that is ours to respect (law 17): by its
// own rules it gives up when its deadline is over. That it goes on during a
// freeze, empties its successor's record when it wakes, and takes the lead by
// that, is the same among its like.
func (f *foreign) acts() bool {
	return f.leads && !f.robbed && f.w.now >= f.frozen && f.w.now < f.deadline
}

// end makes it end, with or without a release, and start again.
func (f *foreign) end(x Fault) {
	if x.N%2 == 0 && f.leads && f.style == clientGo {
		f.release()
	}
	f.leads, f.away = false, true
	f.w.after(x.For, func() { f.away = f.w.calm })
}

// freeze stops it, and it finds that it has lost the lead only after it woke.
func (f *foreign) freeze(x Fault) {
	w := f.w
	if f.frozen > w.now {
		return
	}
	f.frozen = w.now + x.For
	if !f.leads || w.now+x.For < f.deadline {
		return
	}
	w.at(f.frozen, func() {
		f.leads = false
		if f.style == clientGo {
			f.robbed = w.server.lock != nil && w.server.lock.Holder != foreignID
			f.release()
		}
	})
}

// release is client-go's: it reads the record and empties it, whoever holds it.
func (f *foreign) release() {
	f.w.server.edit(func(r *engine.Record) {
		r.Holder, r.Duration, r.Renewed = "", time.Second, stamp(f.w.now)
	})
}

func (f *foreign) leave() { f.leads, f.away = false, true }

// turn is one round of its loop: read, judge, write. What it does takes a while
// on the way to the server, and its write is refused if the lock has changed.
func (f *foreign) turn() {
	w := f.w
	wait := f.pause()
	if !f.leads {
		wait += time.Duration(f.rng.Int64N(int64(wait)))
	}
	if f.leads && w.now >= f.deadline {
		f.leads = false
	}
	w.after(wait, f.turn)
	if f.away || w.outage != up || w.now < max(f.cutTill, f.frozen) || w.server.lock == nil {
		return // without a lock it would create one; the mixes have no deletions
	}
	lock := *w.server.lock
	if lock.Holder != f.seen.Holder || !lock.Renewed.Equal(f.seen.Renewed) || lock.Transitions != f.seen.Transitions || lock.Duration != f.seen.Duration {
		f.seen, f.seenAt = lock, w.now
	}
	if lock.Holder != foreignID && lock.Holder != "" {
		f.leads, f.robbed = false, false
		if w.now < f.seenAt+f.duration {
			return
		}
	}
	w.after(exponential(f.rng, 20*time.Millisecond), func() { f.write(lock) })
}

// write is its compare-and-swap on the version that it read.
func (f *foreign) write(on engine.Record) {
	w := f.w
	if f.away || w.outage != up || w.now < max(f.cutTill, f.frozen) || w.server.lock == nil || w.server.lock.Version != on.Version {
		return
	}
	w.server.edit(func(r *engine.Record) {
		switch {
		case r.Holder != foreignID:
			r.Transitions++
			r.Acquired = stamp(w.now)
		case f.style == old05:
			r.Transitions = 0
		}
		r.Holder, r.Duration, r.Renewed = foreignID, f.duration, stamp(w.now)
	})
	if !f.leads {
		w.log("the foreign candidate LEADS")
	}
	f.seen, f.seenAt, f.leads = *w.server.lock, w.now, true
	f.deadline = w.now + f.pause() + f.tries()
}
