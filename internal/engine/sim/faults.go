package sim

import (
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// Mix says how often each fault happens. Probabilities are per request where
// the name is a network's, else weights of the next fault.
type Mix struct {
	Name                                                    string
	Loss, Late, Garble, Throttle, WatchCut, StaleList       float64
	Drift, SlowApp, NeverStops                              float64
	Freeze, Crash, Stop, Outage, WallJump                   float64
	Label, Edit, Empty, Delete, Pause, Restore              float64
	Unfit, Yield, HandOver, Request, Twin, Foreign, Suspend float64
}

// Mixes are the worlds that are played. Each has the slow clocks and the small
// troubles of every network; what is special about it is in its name.
var Mixes = []Mix{
	{Name: "fair", Drift: 0.01, Stop: 1, HandOver: 1},
	{Name: "lossy", Loss: 0.1, Garble: 0.05, Drift: 0.01, Stop: 1, Crash: 1},
	{Name: "late", Late: 0.15, Loss: 0.03, Drift: 0.01, Stop: 1, Freeze: 1},
	{Name: "frozen", Freeze: 5, Late: 0.02, Drift: 0.01, Crash: 1},
	{Name: "crashes", Crash: 5, Loss: 0.03, Drift: 0.01, SlowApp: 0.3},
	{Name: "stops", Stop: 5, Late: 0.05, Loss: 0.05, SlowApp: 0.5, NeverStops: 0.1, Drift: 0.01},
	{Name: "outages", Outage: 5, Loss: 0.03, Throttle: 0.02, Drift: 0.01, Freeze: 1},
	{Name: "deletions", Delete: 4, Late: 0.1, Loss: 0.05, Freeze: 2, Crash: 1, Drift: 0.01},
	{Name: "edits", Edit: 3, Empty: 3, Label: 3, Late: 0.1, Loss: 0.05, Freeze: 2, Drift: 0.01},
	{Name: "handovers", HandOver: 5, Request: 3, Late: 0.1, Loss: 0.05, Garble: 0.03, SlowApp: 0.5, Freeze: 1, Drift: 0.01},
	{Name: "pauses", Pause: 3, HandOver: 3, Stop: 2, Late: 0.05, Loss: 0.05, Freeze: 1, Drift: 0.01, SlowApp: 0.3},
	{Name: "health", Unfit: 5, Yield: 2, HandOver: 1, Loss: 0.05, Late: 0.05, SlowApp: 0.5, NeverStops: 0.05, Drift: 0.01},
	{Name: "deaf", WatchCut: 0.1, StaleList: 0.3, Late: 0.05, Loss: 0.03, Freeze: 1, Stop: 1, Drift: 0.01},
	{Name: "twins", Twin: 3, Crash: 3, Stop: 1, Late: 0.1, Loss: 0.05, Freeze: 2, Drift: 0.01},
	{Name: "restores", Restore: 1, Late: 0.05, Freeze: 1, Crash: 1, Stop: 1, Drift: 0.01},
	{Name: "foreign", Foreign: 1, Late: 0.03, Stop: 2, Crash: 1, Drift: 0.01, Delete: 0},
	{Name: "everything", Loss: 0.05, Late: 0.05, Garble: 0.03, Throttle: 0.02, WatchCut: 0.03, StaleList: 0.1, Drift: 0.01,
		SlowApp: 0.3, NeverStops: 0.05, Freeze: 2, Crash: 2, Stop: 2, Outage: 1, WallJump: 1, Label: 1, Edit: 1, Empty: 1,
		Delete: 1, Pause: 1, Unfit: 1, Yield: 1, HandOver: 2, Request: 1, Twin: 1},
}

// fault lets one fault happen, and plans the next.
func (w *world) fault() {
	if w.calm {
		return
	}
	w.after(w.span(4*time.Second), w.fault)
	m := w.mix
	kinds := []struct {
		weight float64
		do     func(*candidate)
	}{
		{m.Freeze, func(c *candidate) { c.freeze(w.span(w.ttl)) }},
		{m.Crash, (*candidate).crash},
		{m.Stop, func(c *candidate) { c.stopping = true; c.deliver(c.start, engine.Stop{}) }},
		{m.Outage, func(*candidate) { w.breakServer() }},
		{m.WallJump, func(c *candidate) { c.wall += time.Duration(w.rng.NormFloat64() * float64(5*time.Second)) }},
		{m.Label, func(*candidate) { w.server.edit(func(*engine.Record) {}) }},
		{m.Edit, func(*candidate) { w.server.edit(w.hand()) }},
		{m.Empty, func(*candidate) {
			w.server.edit(func(r *engine.Record) { r.Holder, r.Duration = "", time.Second })
		}},
		{m.Delete, func(*candidate) { w.server.delete() }},
		{m.Pause, func(*candidate) { w.server.edit(func(r *engine.Record) { r.Paused = !r.Paused }) }},
		{m.Restore, func(*candidate) { w.restore() }},
		{m.Unfit, (*candidate).fallIll},
		{m.Yield, func(c *candidate) { c.deliver(c.start, engine.Yield{Reason: "asked"}) }},
		{m.HandOver, func(c *candidate) { c.deliver(c.start, engine.HandOver{ID: 1, To: w.somebody()}) }},
		{m.Request, func(*candidate) { w.request() }},
		{m.Twin, (*candidate).twin},
		{m.Foreign, func(*candidate) { w.foreign.trouble() }},
	}
	total := 0.0
	for _, k := range kinds {
		total += k.weight
	}
	pick := w.rng.Float64() * total
	for _, k := range kinds {
		if pick -= k.weight; pick < 0 {
			w.result.Faults++
			if c := w.victim(); c != nil {
				k.do(c)
			}
			return
		}
	}
}

// victim is the leader as often as not: faults of standbys are dull.
func (w *world) victim() *candidate {
	for _, c := range w.candidates {
		if _, _, ok := c.machine.Leads(c.clock()); ok && c.alive && w.rng.IntN(2) == 0 {
			return c
		}
	}
	c := w.candidates[w.rng.IntN(len(w.candidates))]
	if !c.alive {
		return nil
	}
	return c
}

// somebody is a candidate's id, nobody's, or anybody.
func (w *world) somebody() string {
	switch n := w.rng.IntN(len(w.candidates) + 2); {
	case n == 0:
		return ""
	case n == 1:
		return "nobody"
	default:
		return w.candidates[n-2].id
	}
}

// hand is what a person may do to the lock with an editor.
func (w *world) hand() func(*engine.Record) {
	switch w.rng.IntN(3) {
	case 0:
		return func(r *engine.Record) { r.Duration = time.Second }
	case 1:
		name := w.somebody()
		return func(r *engine.Record) { r.Holder = name }
	default:
		return func(r *engine.Record) { r.Renewed = r.Renewed.Add(time.Second) }
	}
}

func (w *world) request() {
	w.server.edit(func(r *engine.Record) { r.Request = &engine.Request{From: r.Holder, To: w.somebody()} })
}

func (w *world) breakServer() {
	if w.outage != up {
		return
	}
	w.outage = hanging
	if w.rng.IntN(2) == 0 {
		w.outage = failing
	}
	w.outageEnd = w.now + w.span(w.ttl)
	w.log("the API server is away until %.3fs", w.outageEnd.Seconds())
	w.at(w.outageEnd, func() { w.outage = up })
}

// restore takes etcd back in time. Nothing is promised against lost commits:
// version numbers are given out again, so a swap that was sent before, or by a
// process that slept meanwhile, may hit a version that it never saw. A few
// leases after the last sleeper woke everything holds again, but that terms
// have fallen.
func (w *world) restore() {
	if w.server.restore(1 + w.rng.IntN(4)) {
		awake := w.now
		for _, c := range w.candidates {
			awake = max(awake, c.frozenTill)
		}
		w.restored, w.lostUntil = true, awake+3*w.ttl+5*time.Second
		w.log("etcd is restored to version %s", w.server.version)
	}
}

func (c *candidate) freeze(d time.Duration) {
	c.frozenTill = max(c.frozenTill, c.w.now+d)
	c.w.log("%s is frozen until %.3fs", c.name(), c.frozenTill.Seconds())
}

// crash ends the process without a word; the kernel frees its socket. With it
// ends the app, or goes on: then only the lease protects from it, so the model
// lets it end.
func (c *candidate) crash() {
	c.w.log("%s crashes", c.name())
	c.alive, c.frozenTill, c.acting = false, 0, 0
	c.w.after(c.w.span(3*time.Second), c.boot)
}

func (c *candidate) fallIll() {
	w, start := c.w, c.start
	c.deliver(start, engine.Fitness{Reason: "the check failed"})
	w.after(w.span(5*time.Second), func() { c.deliver(start, engine.Fitness{Fit: true}) })
}

// twin starts a second process under this one's name, in the same pod (without
// its socket) or in another pod.
func (c *candidate) twin() {
	w := c.w
	if len(w.candidates) > 5 {
		return
	}
	w.born++
	t := &candidate{w: w, id: c.id, pod: c.pod, nonces: map[string]bool{}, rate: 1, offset: time.Hour}
	if w.rng.IntN(2) == 0 {
		t.pod = "pod-twin-" + c.start
	}
	w.candidates = append(w.candidates, t)
	t.boot()
}

// recover ends what is wrong with the process.
func (c *candidate) recover() {
	c.frozenTill = 0
	if c.alive {
		c.deliver(c.start, engine.Fitness{Fit: true})
		c.relist()
	}
}
