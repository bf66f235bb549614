package sim

import (
	"fmt"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// candidate is one process: a real machine, with a clock, a network and an app
// of its own.
type candidate struct {
	w       *world
	id      string
	pod     string
	start   string
	machine *engine.Machine
	alive   bool

	offset time.Duration // of its boot clock
	rate   float64
	wall   time.Duration // by how much its wall clock was set ahead

	frozenTill time.Duration
	wakeAt     time.Duration // boot instant of the last WakeAt
	watchTill  time.Duration // when the watch has brought everything sent so far
	watchDown  bool

	acting      engine.Term // the term for which the app acts; 0: it does not
	slow        time.Duration
	unconfirmed bool // the machine gave up waiting for the app's stop
	flights     int
	lastOp      engine.Op
	nonces      map[string]bool
	stopping    bool
}

// join starts a process of that id. A pod's first process holds its socket.
func (w *world) join(id string) *candidate {
	w.born++
	c := &candidate{w: w, id: id, pod: "pod-" + id, nonces: map[string]bool{}}
	c.offset = time.Duration(w.rng.Int64N(int64(1000 * time.Hour)))
	c.rate = 1 + (w.rng.Float64()*2-1)*w.mix.Drift
	w.candidates = append(w.candidates, c)
	c.boot()
	return c
}

// boot starts the process anew. Only who holds the pod's socket knows its UID,
// and the socket is free only when its last holder is dead.
func (c *candidate) boot() {
	w := c.w
	w.born++
	c.start = fmt.Sprintf("%s%d", c.id, w.born)
	cfg := engine.Config{ID: c.id, Start: c.start, TTL: w.ttl, StopTimeout: 2 * time.Second}
	if holder := w.sockets[c.pod]; holder == nil || holder == c || !holder.alive {
		w.sockets[c.pod] = c
		cfg.PodUID = c.pod
	}
	c.machine = engine.New(cfg)
	c.alive, c.flights, c.lastOp, c.acting, c.stopping, c.unconfirmed = true, 0, 0, 0, false, false
	c.slow = time.Duration(0)
	if w.mix.SlowApp > 0 && w.rng.Float64() < w.mix.SlowApp {
		c.slow = w.span(time.Second)
	}
	c.watchDown, c.watchTill = false, w.now
	w.log("%s starts", c.name())
	c.step(engine.Tick{})
	c.relist()
}

func (c *candidate) name() string { return c.start }

// clock is what the process would read now.
func (c *candidate) clock() engine.Now {
	boot := c.offset + time.Duration(float64(c.w.now)*c.rate)
	return engine.Now{
		Boot: boot, Wall: time.Unix(1_800_000_000, 0).UTC().Add(boot - c.offset + c.wall),
		Jitter: c.w.rng.Float64(),
	}
}

// trueTime is when the process's boot clock will show that instant.
func (c *candidate) trueTime(boot time.Duration) time.Duration {
	return time.Duration(float64(boot-c.offset)/c.rate) + 1
}

// deliver hands an event to the process, when it is awake.
func (c *candidate) deliver(start string, ev engine.Event) {
	if !c.alive || c.start != start {
		return
	}
	if c.w.now < c.frozenTill {
		c.w.at(c.frozenTill, func() { c.deliver(start, ev) })
		return
	}
	c.step(ev)
}

// step turns the machine and carries out what it says.
func (c *candidate) step(ev engine.Event) {
	now := c.clock()
	if _, ok := ev.(engine.Answer); ok {
		c.flights--
	}
	if _, tick := ev.(engine.Tick); !tick {
		c.w.log("%s <- %T %s", c.name(), ev, tell(ev))
	}
	for _, a := range c.machine.Step(now, ev) {
		c.do(now, a)
	}
}

func tell(ev engine.Event) string {
	switch e := ev.(type) {
	case engine.Answer:
		if e.Outcome == engine.OK {
			return fmt.Sprintf("%d ok: %s %s", e.Op, e.Record.Version, describe(&e.Record))
		}
		return fmt.Sprintf("%d outcome %d", e.Op, e.Outcome)
	case engine.Observation:
		return e.Record.Version.String()
	}
	return fmt.Sprintf("%+v", ev)
}

func (c *candidate) do(now engine.Now, action engine.Action) {
	w, start := c.w, c.start
	switch a := action.(type) {
	case engine.Read:
		c.send(a.Op, a.Timeout, w.server.read)
	case engine.Create:
		c.fresh(a.Put.Tombstone)
		c.send(a.Op, a.Timeout, func() engine.Answer { return w.server.create(a.Put) })
	case engine.Swap:
		c.checkSwap(a)
		c.send(a.Op, a.Timeout, func() engine.Answer { return w.server.swap(a) })
	case engine.Lead:
		if a.Begin {
			c.begin(a)
		}
	case engine.StopLeading:
		w.log("%s stops leading %s: %s", c.name(), a.Term, a.Detail)
		c.stopApp(a.Term)
	case engine.WakeAt:
		if a.At <= now.Boot {
			w.violate("%s wants to be woken at %v, which is not later than %v", c.name(), a.At, now.Boot)
		}
		c.wakeAt = a.At
		w.at(c.trueTime(a.At), func() {
			if c.wakeAt == a.At {
				c.deliver(start, engine.Tick{})
			}
		})
	case engine.Rewatch:
		c.relist()
	case engine.Finished:
		c.finish()
	case engine.Report:
		c.unconfirmed = c.unconfirmed || a.Kind == engine.StopUnconfirmed
		w.log("%s reports %d: %s", c.name(), a.Kind, a.Detail)
	case engine.HandedOver:
		w.log("%s answers the hand-over: to %q refusal %q", c.name(), a.To, a.Refusal)
	}
}

func (c *candidate) begin(a engine.Lead) {
	w := c.w
	w.result.Leads++
	w.log("%s LEADS term %s", c.name(), a.Term)
	if a.Term <= w.topTerm && !w.restored {
		w.violate("%s leads with term %s after term %s", c.name(), a.Term, w.topTerm)
	}
	if c.acting != 0 && !c.unconfirmed {
		w.violate("%s begins term %s while its app still acts for term %s", c.name(), a.Term, c.acting)
	}
	w.topTerm = a.Term
	w.restored = w.restored && w.now <= w.lostUntil
	c.acting, c.unconfirmed = a.Term, false
}

// stopApp tells the app to stop; it takes its time, and may never confirm.
func (c *candidate) stopApp(term engine.Term) {
	w, start := c.w, c.start
	if w.chance(w.mix.NeverStops) {
		// Nobody will ever know; the machine gives up waiting.
		w.after(2*time.Second, func() {
			if c.start == start && c.acting == term {
				c.acting = 0
			}
		})
		return
	}
	w.after(c.slow+w.below(time.Millisecond), func() {
		if c.start == start && c.acting == term {
			c.acting = 0
		}
		c.deliver(start, engine.Stopped{Term: term, Confirmed: true})
	})
}

// checkSwap holds a write against the laws that can be seen on it.
func (c *candidate) checkSwap(a engine.Swap) {
	if a.Kind == engine.Accept {
		return
	}
	c.fresh(a.Put.Seal.Nonce)
	if a.Put.Seal.Released && c.acting != 0 {
		c.w.violate("%s releases term %s while its app acts", c.name(), a.Put.Seal.Term)
	}
	c.w.log("%s -> swap %d on %s: %s", c.name(), a.Op, a.On.Version, describe(&a.Put))
}

func (c *candidate) fresh(nonce string) {
	if c.nonces[nonce] {
		c.w.violate("%s uses the nonce %s twice", c.name(), nonce)
	}
	c.nonces[nonce] = true
}

func (c *candidate) finish() {
	c.w.log("%s is finished", c.name())
	c.alive = false
	c.w.after(c.w.span(2*time.Second), c.boot)
}
