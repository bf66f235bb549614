package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
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
	rng     *rand.Rand

	offset   time.Duration // of its boot clock
	rate     float64
	wall     time.Duration // by how much its wall clock was set ahead
	uncalled time.Duration // what its boot clock did not count

	frozenTill    time.Duration
	suspendedTill time.Duration // as frozen, and its app with it
	muteTill      time.Duration // nothing that it sends arrives
	deafTill      time.Duration // nothing that is sent to it arrives
	armed         [slots][]Fault
	wakeAt        time.Duration // boot instant of the last WakeAt
	watchTill     time.Duration // when the watch has brought everything sent so far
	watchDown     bool

	acting      engine.Term // the term for which the app acts; 0: it does not
	slow        time.Duration
	muteApp     bool
	unaware     bool // it has not heard of the lock since etcd was restored
	unconfirmed bool // the machine gave up waiting for the app's stop
	restart     time.Duration
	flights     int
	lastOp      engine.Op
	witness
}

// ghost is what goes on of a process that died: its app, which knows until when
// it may act.
type ghost struct {
	candidate
}

// join makes a pod of that name, and starts its process.
func (w *world) join(id string) *candidate {
	c := &candidate{w: w, id: id, pod: "pod-" + id}
	w.settle(c)
	return c
}

// settle gives a candidate its clock and starts it.
func (w *world) settle(c *candidate) {
	w.born++
	c.rng = rand.New(rand.NewPCG(w.plan.Seed, uint64(2*w.born+1)))
	c.offset = time.Duration(c.rng.Int64N(int64(1000 * time.Hour)))
	c.rate = 1 + (c.rng.Float64()*2-1)*w.plan.Mix.Drift
	w.candidates = append(w.candidates, c)
	c.boot()
}

// boot starts the process anew. Only who holds the pod's socket knows its UID,
// and the socket is free only when its last holder is dead.
func (c *candidate) boot() {
	w := c.w
	c.start = fmt.Sprintf("%s%d", c.id, len(w.starts)+1)
	cfg := engine.Config{ID: c.id, Start: c.start, TTL: w.ttl, StopTimeout: 2 * time.Second}
	if holder := w.sockets[c.pod]; holder == nil || holder == c || !holder.alive {
		w.sockets[c.pod] = c
		cfg.PodUID = c.pod
	}
	w.starts[c.start] = c
	c.machine = engine.New(cfg)
	c.alive, c.flights, c.lastOp, c.acting, c.unconfirmed, c.muteApp, c.unaware = true, 0, 0, 0, false, false, false
	c.witness = newWitness(w.ttl)
	c.slow, c.restart = 0, 2*time.Second
	if c.rng.Float64() < w.plan.Mix.SlowApp {
		c.slow = c.span(time.Second)
	}
	c.watchDown, c.watchTill = false, w.now
	w.log("%s starts", c.name())
	c.step(engine.Tick{})
	c.relist()
}

func (c *candidate) name() string { return c.start }

// span is a random span around mean, seldom much longer.
func (c *candidate) span(mean time.Duration) time.Duration { return exponential(c.rng, mean) }

// clock is what the process would read now.
func (c *candidate) clock() engine.Now {
	run := time.Duration(float64(c.w.now) * c.rate)
	return engine.Now{
		Boot: c.offset + run - c.uncalled,
		Wall: time.Unix(1_800_000_000, 0).UTC().Add(run + c.wall),
	}
}

// leads says whether the app of the process may act.
func (c *candidate) leads() bool {
	if !c.alive || c.w.now < c.suspendedTill {
		return false
	}
	_, _, ok := c.machine.Leads(c.clock())
	return ok
}

// trueTime is when the process's boot clock will show that instant.
func (c *candidate) trueTime(boot time.Duration) time.Duration {
	return time.Duration(float64(boot-c.offset+c.uncalled)/c.rate) + 1
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
	now.Jitter = c.rng.Float64()
	if _, ok := ev.(engine.Answer); ok {
		c.flights--
	}
	if _, tick := ev.(engine.Tick); !tick && c.w.trace {
		c.w.log("%s <- %T %s", c.name(), ev, tell(ev))
	}
	before, _, led := c.machine.Leads(now)
	c.hear(now.Boot, ev)
	actions := c.machine.Step(now, ev)
	if led {
		c.checkLost(now, before, ev)
	}
	for _, a := range actions {
		c.do(now, a)
	}
}

func tell(ev engine.Event) string {
	switch e := ev.(type) {
	case engine.Answer:
		if e.Outcome == engine.OK {
			return fmt.Sprintf("%d ok: %s %s", e.Op, e.Record.Version, describe(&e.Record))
		}
		return fmt.Sprintf("%d outcome %d %s", e.Op, e.Outcome, e.Err)
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
		c.checkSwap(now, a)
		c.send(a.Op, a.Timeout, func() engine.Answer { return w.server.swap(a) })
	case engine.Lead:
		c.checkLead(a)
		if a.Begin {
			c.begin(a)
		}
	case engine.StopLeading:
		w.log("%s stops leading %s: %s", c.name(), a.Term, a.Detail)
		c.ended = a.Term
		c.stopApp(a.Term)
	case engine.WakeAt:
		if a.At <= now.Boot {
			w.violate(WakeAhead, "%s wants to be woken at %v, which is not later than %v", c.name(), a.At, now.Boot)
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
		w.log("%s is finished", c.name())
		c.alive, c.unaware = false, false
		w.after(c.restart, c.boot)
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
	if w.calm && !w.led {
		w.led, w.result.Led = true, w.now-length
	}
	c.acting, c.unconfirmed = a.Term, false
}

// stopApp tells the app to stop; it takes its time, and may never confirm.
func (c *candidate) stopApp(term engine.Term) {
	w, start := c.w, c.start
	if c.muteApp && !w.calm {
		// Nobody will ever know; the machine gives up waiting.
		c.muteApp = false
		w.after(2*time.Second, func() {
			if c.start == start && c.acting == term {
				c.acting = 0
			}
		})
		return
	}
	w.after(c.slow+c.span(time.Millisecond), func() {
		if c.start == start && c.acting == term {
			c.acting = 0
			w.ghosts = slices.DeleteFunc(w.ghosts, func(g ghost) bool { return g.pod == c.pod }) // it is this app
		}
		c.deliver(start, engine.Stopped{Term: term, Confirmed: true})
	})
}

func (c *candidate) freeze(d time.Duration) { c.frozenTill = max(c.frozenTill, c.w.now+d) }

// suspend stops the process, its app and its boot clock; the wall clock is right
// again when it wakes. It lasts twice the margin at least: what is shorter and
// falls together with the worst clocks is beyond the promise.
func (c *candidate) suspend(d time.Duration) {
	if c.w.now < c.frozenTill {
		return
	}
	d = max(d, 2*engine.DefaultMargin(c.w.ttl)+100*time.Millisecond)
	c.freeze(d)
	c.suspendedTill = c.frozenTill
	c.uncalled += time.Duration(float64(d) * c.rate)
}

// crash ends the process without a word; the kernel frees its socket. Its app
// ends with it, or goes on as long as it may by what it knows.
func (c *candidate) crash(down time.Duration, alone bool) {
	if alone && c.leads() {
		c.w.ghosts = append(c.w.ghosts, ghost{*c})
	}
	c.alive, c.unaware, c.frozenTill, c.suspendedTill, c.acting = false, false, 0, 0, 0
	c.w.after(down, c.boot)
}

func (c *candidate) fallIll(d time.Duration) {
	start := c.start
	c.deliver(start, engine.Fitness{Reason: "the check failed"})
	c.w.after(d, func() { c.deliver(start, engine.Fitness{Fit: true}) })
}

// twin starts a second process under this one's name, in the same pod (without
// its socket) or in another pod.
func (w *world) twin(c *candidate, f Fault) {
	if len(w.candidates) > 5 {
		return
	}
	t := &candidate{w: w, id: c.id, pod: c.pod}
	if f.N%2 == 0 {
		t.pod = "pod-twin-" + c.start
	}
	w.settle(t)
}

// recover ends what is wrong with the process. Who is frozen sleeps on a while.
func (c *candidate) recover() {
	c.muteTill, c.deafTill = 0, 0
	if c.alive {
		c.deliver(c.start, engine.Fitness{Fit: true})
		c.relist()
	}
}
