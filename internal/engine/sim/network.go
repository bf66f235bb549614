package sim

import (
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// send carries a request to the server and its answer back, or not. The server
// may carry it out after the client gave it up.
func (c *candidate) send(op engine.Op, timeout time.Duration, call func() engine.Answer) {
	w, start := c.w, c.start
	if op <= c.lastOp {
		w.violate("%s uses the op %d twice", c.name(), op)
	}
	c.lastOp = op
	if c.flights++; c.flights > 1 {
		w.violate("%s has %d requests under way", c.name(), c.flights)
	}
	answered := false
	answer := func(a engine.Answer) {
		if !answered {
			answered = true
			a.Op = op
			c.deliver(start, a)
		}
	}
	w.after(time.Duration(float64(timeout)/c.rate), func() { answer(engine.Answer{Err: "no answer in time"}) })
	if w.outage == failing {
		w.after(w.delay(), func() { answer(engine.Answer{Outcome: engine.Refused, Err: "connection refused"}) })
		return
	}
	if w.chance(w.mix.Loss) {
		return // it never arrives
	}
	w.after(w.delay(), func() { c.arrive(call, answer) })
}

// arrive is the request at the server.
func (c *candidate) arrive(call func() engine.Answer, answer func(engine.Answer)) {
	w := c.w
	if w.outage == hanging {
		w.at(w.outageEnd+w.span(100*time.Millisecond), func() { c.arrive(call, answer) })
		return
	}
	if w.chance(w.mix.Throttle) {
		after := time.Duration(w.rng.IntN(4)) * time.Second
		w.after(w.delay(), func() { answer(engine.Answer{Outcome: engine.Refused, RetryAfter: after, Err: "429"}) })
		return
	}
	a := call()
	switch {
	case w.chance(w.mix.Loss):
		// It was carried out, and the answer is lost.
	case w.chance(w.mix.Garble):
		w.after(w.delay(), func() { answer(engine.Answer{Err: "broken body"}) })
	case a.Outcome == engine.OK && w.chance(w.mix.Garble):
		// A proxy repeated the write: the answer is a conflict with itself.
		w.after(w.delay(), func() { answer(engine.Answer{Outcome: engine.Conflict}) })
	default:
		w.after(w.delay(), func() { answer(a) })
	}
}

// delay of one way through the network; with the mix, now and then a long one.
func (w *world) delay() time.Duration {
	d := time.Millisecond + w.span(4*time.Millisecond)
	if w.chance(w.mix.Late) {
		d += w.span(3 * time.Second)
	}
	return d
}

// watched sends news down the watch, behind all that was sent before.
func (c *candidate) watched(o engine.Observation) {
	w, start := c.w, c.start
	if c.watchDown || !c.alive {
		return
	}
	if w.chance(w.mix.WatchCut) {
		c.watchDown = true // silently: only a relist brings news again
		w.after(w.span(10*time.Second), func() {
			if c.start == start && c.watchDown {
				c.relist()
			}
		})
		return
	}
	c.watchTill = max(c.watchTill, w.now+w.delay())
	w.at(c.watchTill, func() { c.deliver(start, o) })
}

// relist makes the watch anew: a list, perhaps from a lagging cache, then all
// that changes from now on.
func (c *candidate) relist() {
	w, start := c.w, c.start
	c.watchDown = false
	o := engine.Observation{Deleted: true}
	if w.server.lock != nil {
		o = engine.Observation{Record: *w.server.lock}
	}
	if n := len(w.server.history); n > 1 && w.chance(w.mix.StaleList) {
		o = engine.Observation{Record: *w.server.history[max(0, n-1-w.rng.IntN(5))]}
	}
	c.watchTill = max(c.watchTill, w.now+w.delay())
	w.at(c.watchTill, func() {
		c.deliver(start, engine.Watching{OK: true})
		c.deliver(start, o)
	})
}
