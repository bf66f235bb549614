package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// Kind of a fault.
type Kind int

// Of the network, for one request, answer or piece of news each.
const (
	LoseRequest  Kind = iota // it never arrives
	DelayRequest             // also past the deadline of its sender
	LoseAnswer               // after the commit
	DelayAnswer
	BreakAnswer // the body cannot be read
	Echo        // a proxy repeats the write: a conflict with itself
	Throttle    // 429 with Retry-After
	ServerError // 5xx, before or after the commit
	DelayWatch
	WatchGap     // the connection dies without a sign
	WatchExpired // 410: a list and a new watch
	Disorder     // news of the old connection comes after the new list
	StaleList    // the next list comes from a lagging cache

	// Of the network, for a while.
	Cut
	CutRequests // nothing gets to the server
	CutAnswers  // nothing comes back
	Outage      // the API server hangs or refuses

	// Of processes and clocks.
	Freeze
	Crash      // its app with it
	CrashAlone // its app goes on
	Twin       // a second process of that name
	WallJump
	Suspend // of the machine, in a way that its boot clock does not count
	Stop
	Mute // the app does not confirm its next stop
	Unfit
	Yield
	HandOver

	// Of people and programs at the lock.
	Label
	Edit
	Empty
	Delete
	Recreate // delete, and create from a copy
	RollBack // an old copy written over it
	Pause
	Request
	Restore // of etcd

	// Of the foreign candidate.
	ForeignEnd // with a release or without
	ForeignFreeze
	ForeignCut
)

// kinds says of each kind what it does. A kind of the network without a do is
// armed: it strikes the candidate's next request, answer or piece of news.
var kinds [ForeignCut + 1]kind

type kind struct {
	name string
	span func(*rand.Rand, time.Duration) time.Duration
	on   slot
	do   func(*world, *candidate, Fault)
}

// It is filled here, for what the kinds do looks at them again.
func init() {
	kinds = [...]kind{
		LoseRequest:  {name: "a request is lost", on: onRequest},
		DelayRequest: {name: "a request is late", on: onRequest, span: heavy},
		Throttle:     {name: "a request is throttled", on: onRequest},
		ServerError:  {name: "a request is answered with a 5xx", on: onRequest},
		LoseAnswer:   {name: "an answer is lost", on: onAnswer},
		DelayAnswer:  {name: "an answer is late", on: onAnswer, span: heavy},
		BreakAnswer:  {name: "an answer is broken", on: onAnswer},
		Echo:         {name: "a write is repeated by a proxy", on: onAnswer},
		DelayWatch:   {name: "the watch is late", on: onNews, span: heavy},
		WatchGap:     {name: "the watch dies silently", on: onNews, span: moment},
		Disorder:     {name: "the watch is made anew, and old news comes later", on: onNews, span: moment},
		StaleList:    {name: "a list lags", on: onList},
		WatchExpired: {name: "the watch has expired (410)", do: func(_ *world, c *candidate, _ Fault) { c.relist() }},

		Cut: {name: "is cut off", span: stretch, do: func(w *world, c *candidate, f Fault) {
			c.deafTill, c.muteTill = max(c.deafTill, w.now+f.For), max(c.muteTill, w.now+f.For)
		}},
		CutRequests: {name: "cannot send", span: stretch, do: func(w *world, c *candidate, f Fault) { c.muteTill = max(c.muteTill, w.now+f.For) }},
		CutAnswers:  {name: "cannot hear", span: stretch, do: func(w *world, c *candidate, f Fault) { c.deafTill = max(c.deafTill, w.now+f.For) }},
		Outage:      {name: "the API server is away", span: stretch, do: (*world).breakServer},

		Freeze:     {name: "is frozen, its app goes on", span: stretch, do: func(w *world, c *candidate, f Fault) { c.freeze(f.For) }},
		Crash:      {name: "crashes with its app", span: moment, do: func(w *world, c *candidate, f Fault) { c.crash(f.For, false) }},
		CrashAlone: {name: "crashes, its app goes on", span: moment, do: func(w *world, c *candidate, f Fault) { c.crash(f.For, true) }},
		Twin:       {name: "gets a twin", do: (*world).twin},
		WallJump:   {name: "its wall clock jumps", span: leap, do: func(w *world, c *candidate, f Fault) { c.wall += f.For }},
		Suspend:    {name: "its machine is suspended unseen", span: stretch, do: func(w *world, c *candidate, f Fault) { c.suspend(f.For) }},
		Stop:       {name: "is told to end", span: moment, do: func(w *world, c *candidate, f Fault) { c.restart = f.For; c.deliver(c.start, engine.Stop{}) }},
		Mute:       {name: "its app will not confirm a stop", do: func(w *world, c *candidate, f Fault) { c.muteApp = true }},
		Unfit:      {name: "is unfit", span: stretch, do: func(w *world, c *candidate, f Fault) { c.fallIll(f.For) }},
		Yield: {name: "is asked to give up", do: func(w *world, c *candidate, f Fault) {
			c.deliver(c.start, engine.Yield{Reason: "asked"})
		}},
		HandOver: {name: "is asked to hand over", do: func(w *world, c *candidate, f Fault) {
			c.deliver(c.start, engine.HandOver{ID: 1, To: w.somebody(f.N)})
		}},

		Label: {name: "the lock gets a label", do: func(w *world, _ *candidate, _ Fault) { w.server.edit(func(*engine.Record) {}) }},
		Edit:  {name: "the lock is edited", do: func(w *world, _ *candidate, f Fault) { w.server.edit(w.hand(f.N)) }},
		Empty: {name: "the lock is emptied", do: func(w *world, _ *candidate, _ Fault) {
			w.server.edit(func(r *engine.Record) { r.Holder, r.Duration = "", time.Second })
		}},
		Delete:   {name: "the lock is deleted", do: func(w *world, _ *candidate, _ Fault) { w.server.delete() }},
		Recreate: {name: "the lock is deleted and created from a copy", do: (*world).recreate},
		RollBack: {name: "an old copy of the lock is written", do: (*world).rollBack},
		Pause: {name: "the election is paused", span: stretch, do: func(w *world, _ *candidate, f Fault) {
			w.server.edit(func(r *engine.Record) { r.Paused = true })
			w.after(f.For, func() { w.server.edit(func(r *engine.Record) { r.Paused = false }) })
		}},
		Request: {name: "a hand-over is requested on the lock", do: func(w *world, _ *candidate, f Fault) {
			w.server.edit(func(r *engine.Record) { r.Request = &engine.Request{From: r.Holder, To: w.somebody(f.N)} })
		}},
		Restore: {name: "etcd is restored", do: (*world).restore},

		ForeignEnd:    {name: "the foreign candidate ends", span: stretch, do: func(w *world, _ *candidate, f Fault) { w.foreign.end(f) }},
		ForeignFreeze: {name: "the foreign candidate is frozen", span: stretch, do: func(w *world, _ *candidate, f Fault) { w.foreign.freeze(f) }},
		ForeignCut:    {name: "the foreign candidate is cut off", span: stretch, do: func(w *world, _ *candidate, f Fault) { w.foreign.cutTill = w.now + f.For }},
	}
}

// apply lets a fault happen.
func (w *world) apply(f Fault) {
	c := w.whose(f)
	if c == nil {
		return
	}
	k := &kinds[f.Kind]
	w.log("FAULT: %s: %s (%v)", c.name(), k.name, f.For.Round(time.Millisecond))
	w.result.Faults++
	if k.do != nil {
		k.do(w, c, f)
		return
	}
	c.armed[k.on] = append(c.armed[k.on], f)
}

// whose fault it is; nil: of one that is not there.
func (w *world) whose(f Fault) *candidate {
	if f.Who == leader {
		for _, c := range w.candidates {
			if c.leads() {
				return c
			}
		}
		f.Who = f.N
	}
	c := w.candidates[f.Who%len(w.candidates)]
	if !c.alive && f.Kind < Label && f.Kind != Outage {
		return nil
	}
	return c
}

// somebody is a candidate's id, nobody's, or anybody.
func (w *world) somebody(n int) string {
	switch n %= len(w.candidates) + 2; n {
	case 0:
		return ""
	case 1:
		return "nobody"
	default:
		return w.candidates[n-2].id
	}
}

// hand is what a person may do to the lock with an editor.
func (w *world) hand(n int) func(*engine.Record) {
	switch n % 3 {
	case 0:
		return func(r *engine.Record) { r.Duration = time.Second }
	case 1:
		name := w.somebody(n / 3)
		return func(r *engine.Record) { r.Holder = name }
	default:
		return func(r *engine.Record) { r.Renewed = r.Renewed.Add(time.Second) }
	}
}

func (w *world) breakServer(_ *candidate, f Fault) {
	if w.outage != up {
		return
	}
	w.outage = hanging
	if f.N%2 == 0 {
		w.outage = failing
	}
	w.outageEnd = w.now + f.For
	w.at(w.outageEnd, func() { w.outage = up })
}

// recreate is `kubectl replace --force`: the same words in another object.
func (w *world) recreate(*candidate, Fault) {
	if w.server.lock == nil {
		return
	}
	rec := *w.server.lock
	w.server.delete()
	w.server.create(rec)
}

// rollBack writes what the lock said before. Who has seen a newer term knows the
// old copy as one; who has not is deceived like by any forgery: from the moment
// such a process uses it, nothing is promised until the leases that it may
// overlap with have run out.
func (w *world) rollBack(_ *candidate, f Fault) {
	h := w.server.history
	if w.server.lock == nil || len(h) < 2 {
		return
	}
	old := *h[max(0, len(h)-2-f.N%8)]
	if old.UID != w.server.lock.UID {
		return
	}
	w.rolledBack = true
	w.server.store(old)
}

// restore takes etcd back in time. Nothing is promised against lost commits:
// version numbers are given out again, so a swap that was sent before, or by a
// process that has not heard of the lock since, may hit a version that it never
// saw. A few leases after the last of them has heard, everything holds again, but
// that terms have fallen.
func (w *world) restore(_ *candidate, f Fault) {
	if !w.server.restore(1 + f.N%4) {
		return
	}
	w.log("etcd is restored to version %s", w.server.version)
	w.restored, w.restoredAt = true, w.now
	for _, c := range w.candidates {
		c.unaware = c.alive
	}
	w.excuse()
}

// hears notes that the process is told what was sent then.
func (c *candidate) hears(sent time.Duration) {
	if c.unaware && sent > c.w.restoredAt && c.w.now >= c.frozenTill {
		c.unaware = false
		c.w.excuse()
	}
}

// excuse marks the time in which two leaders are not the engine's fault.
func (w *world) excuse() { w.excusedTill = max(w.excusedTill, w.now+3*w.ttl+5*time.Second) }

func (w *world) excused() bool {
	return w.now <= w.excusedTill || w.restored && slices.ContainsFunc(w.candidates, func(c *candidate) bool { return c.unaware })
}
