package sim

import (
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// slot is where a fault of the network waits for what it strikes.
type slot int

const (
	onRequest slot = iota
	onAnswer
	onNews
	onList
	slots
)

// armedFor is how long such a fault waits at most.
const armedFor = 20 * time.Second

// struck takes the fault that waits for this, if one does.
func (c *candidate) struck(on slot) (Fault, bool) {
	for len(c.armed[on]) > 0 {
		f := c.armed[on][0]
		c.armed[on] = c.armed[on][1:]
		if !c.w.calm && c.w.now < f.At+armedFor {
			c.w.log("  %s: %s (%v)", c.name(), kinds[f.Kind].name, f.For.Round(time.Millisecond))
			return f, true
		}
	}
	return Fault{Kind: -1}, false
}

// call is one request under way.
type call struct {
	c        *candidate
	start    string
	op       engine.Op
	do       func() engine.Answer
	sent     time.Duration
	answered bool
}

// send carries a request to the server and its answer back, or not. The server
// may carry it out after the client gave it up.
func (c *candidate) send(op engine.Op, timeout time.Duration, do func() engine.Answer) {
	w := c.w
	if op <= c.lastOp {
		w.violate(OneRequest, "%s uses the op %d twice", c.name(), op)
	}
	c.lastOp = op
	if c.flights++; c.flights > 1 {
		w.violate(OneRequest, "%s has %d requests under way", c.name(), c.flights)
	}
	q := &call{c: c, start: c.start, op: op, do: do, sent: w.now}
	w.after(time.Duration(float64(timeout)/c.rate), func() { q.answer(engine.Answer{Err: "no answer in time"}) })
	if w.outage == failing {
		w.after(c.delay(), func() { q.answer(engine.Answer{Outcome: engine.Refused, Err: "connection refused"}) })
		return
	}
	f, _ := c.struck(onRequest)
	if f.Kind == LoseRequest || w.now < c.muteTill {
		return
	}
	late := c.delay()
	if f.Kind == DelayRequest {
		late += f.For
	}
	w.after(late, func() { q.arrive(f) })
}

// arrive is the request at the server.
func (q *call) arrive(f Fault) {
	c, w := q.c, q.c.w
	if w.outage == hanging {
		w.at(w.outageEnd+c.delay(), func() { q.arrive(f) })
		return
	}
	switch {
	case f.Kind == Throttle:
		q.back(c.delay(), engine.Answer{Outcome: engine.Refused, RetryAfter: time.Duration(f.N%4) * time.Second, Err: "429"})
		return
	case f.Kind == ServerError && f.N%2 == 0:
		q.back(c.delay(), engine.Answer{Err: "500"})
		return
	}
	a := q.do()
	if f.Kind == ServerError {
		a = engine.Answer{Err: "500 after the commit"}
	}
	late := c.delay()
	switch hit, _ := c.struck(onAnswer); hit.Kind {
	case LoseAnswer:
		return
	case DelayAnswer:
		late += hit.For
	case BreakAnswer:
		a = engine.Answer{Err: "broken body"}
	case Echo:
		if a.Outcome == engine.OK {
			a = engine.Answer{Outcome: engine.Conflict}
		}
	}
	q.back(late, a)
}

// back sends the answer, unless nothing comes back now.
func (q *call) back(late time.Duration, a engine.Answer) {
	if q.c.w.now < q.c.deafTill {
		return
	}
	q.c.w.after(late, func() { q.answer(a) })
}

func (q *call) answer(a engine.Answer) {
	if !q.answered {
		q.answered = true
		a.Op = q.op
		if a.Outcome == engine.OK || a.Outcome == engine.Absent {
			q.c.hears(q.sent)
		}
		q.c.deliver(q.start, a)
	}
}

// delay of one way through the network, when nothing is wrong with it.
func (c *candidate) delay() time.Duration { return time.Millisecond + c.span(4*time.Millisecond) }

// watched sends news down the watch, behind all that was sent before.
func (c *candidate) watched(o engine.Observation) {
	w, start := c.w, c.start
	if c.watchDown || !c.alive {
		return
	}
	f, _ := c.struck(onNews)
	switch {
	case f.Kind == WatchGap || w.now < c.deafTill:
		c.watchDown = true // silently: only a relist brings news again
		w.at(max(w.now+f.For, c.deafTill)+c.delay(), func() {
			if c.start == start && c.watchDown {
				c.relist()
			}
		})
		return
	case f.Kind == Disorder:
		w.after(f.For, func() { c.deliver(start, o) })
		c.relist()
		return
	case f.Kind == DelayWatch:
		c.watchTill = max(c.watchTill, w.now+f.For)
	}
	sent := w.now
	c.watchTill = max(c.watchTill, w.now+c.delay())
	w.at(c.watchTill, func() {
		c.hears(sent)
		c.deliver(start, o)
	})
}

// relist makes the watch anew: a list, perhaps from a lagging cache, then all
// that changes from now on.
func (c *candidate) relist() {
	w, start := c.w, c.start
	if away := max(c.muteTill, c.deafTill, w.outageEnd); w.now < away && !w.calm {
		c.watchDown = true
		w.at(away+c.delay(), func() {
			if c.start == start && c.watchDown {
				c.relist()
			}
		})
		return
	}
	c.watchDown = false
	o := engine.Observation{Deleted: true}
	if w.server.lock != nil {
		o = engine.Observation{Record: *w.server.lock}
	}
	if f, _ := c.struck(onList); f.Kind == StaleList && len(w.server.history) > 1 {
		o = engine.Observation{Record: *w.server.history[max(0, len(w.server.history)-1-f.N%5)]}
	}
	c.watchTill = max(c.watchTill, w.now+c.delay())
	w.at(c.watchTill, func() {
		c.deliver(start, engine.Watching{OK: true})
		c.deliver(start, o)
	})
}
