package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// A roll is a schedule of a rolling update: pods of one form are replaced, one
// by one, by pods of the next, while requests are lost, processes crash and
// freeze. It has two locks, of which a pod of each form uses its own.

// form is which locks a pod decides by.
type form int

const (
	oldForm    form = iota // leader-elector:0.5, the Endpoints alone
	bothForm               // endpoints+leases
	leasesForm             // the Lease alone
)

func (f form) String() string { return [...]string{"0.5", "both", "leases"}[f] }

// RollResult is what a roll showed.
type RollResult struct {
	Violation    string
	Leads, Steps int
	Rough        bool          // requests are lost and late, processes freeze
	Gap          time.Duration // the longest time without a leader
	ByForm       [3]int        // leads that began, of pods of each form
	Trace        []string
}

type roll struct {
	rng    *rand.Rand
	now    time.Duration
	queue  queue
	seq    int
	locks  [2]server // the Endpoints, the Lease
	pods   []*rollPod
	born   int
	calm   bool
	away   time.Duration // until then the API server does not answer
	rough  float64
	ttl    time.Duration
	trace  bool
	result RollResult
	lastly time.Duration // somebody led
	begun  bool          // somebody has led once
}

// rollPod is a pod of one of the three forms.
type rollPod struct {
	r       *roll
	name    string
	form    form
	machine interface {
		Step(engine.Now, engine.Event) []engine.Action
		Leads(engine.Now) (engine.Term, engine.Trust, bool)
	}
	alive   bool
	since   time.Duration // when it started
	life    int
	frozen  time.Duration
	missed  []func() // while it was frozen
	offset  time.Duration
	rate    float64
	wakeAt  time.Duration
	told    [2]time.Duration
	acting  engine.Term
	stopped bool // its app was told to

	// What follows is 0.5's.
	seen    engine.Record
	seenAt  time.Duration
	renewed time.Duration
	leads   bool
}

// Roll plays the rolls from one form to the next: 0.5 to both, both to leases.
func Roll(seed uint64, trace bool) RollResult {
	r := &roll{rng: rand.New(rand.NewPCG(seed, 1805)), trace: trace}
	r.ttl = time.Duration(4+r.rng.IntN(6)) * time.Second
	r.rough = []float64{0, 0.02, 0.1}[r.rng.IntN(3)]
	for i := range r.locks {
		r.locks[i].version = engine.Version(100 + 1000*i)
		r.locks[i].changed = func(o engine.Observation) { r.announce(i, o) }
	}
	r.result.Rough = r.rough > 0
	n := 1 + r.rng.IntN(3)
	for range n {
		r.start(oldForm)
	}
	end := r.plan(n)
	for len(r.queue) > 0 && r.result.Violation == "" {
		h := heap.Pop(&r.queue).(happening)
		if h.at > end && !r.calm {
			r.calm, r.now, r.away = true, end, 0
			r.log("all faults end") // but who is frozen sleeps on a while
		}
		if h.at > end+80*time.Second {
			break
		}
		r.now = h.at
		h.do()
		r.check()
		r.result.Steps++
	}
	if acting := r.acting(); r.result.Violation == "" && len(acting) != 1 {
		r.violate("%d lead, long after the roll", len(acting))
	}
	return r.result
}

// plan lays down who is replaced when: a surge of one or none, in any order, and
// the second roll begins only after the last of 0.5 is gone.
func (r *roll) plan(n int) time.Duration {
	at := 20 * time.Second
	for _, next := range []form{bothForm, leasesForm} {
		for range n {
			at += r.below(2*r.ttl) + time.Millisecond
			surge := r.rng.IntN(2) == 0
			before, after := at, at+r.below(r.ttl)
			if !surge {
				before, after = after, before
			}
			r.at(before, func() { r.start(next) })
			r.at(after, func() { r.retire(next) })
		}
		at += 3 * r.ttl
		r.at(at-r.ttl, func() { r.sweep(next) })
	}
	for t := time.Duration(0); t < at && r.rough > 0; {
		t += time.Duration(r.rng.ExpFloat64() * float64(3*time.Second))
		r.at(t, r.fault)
	}
	return at
}

func (r *roll) at(t time.Duration, do func()) {
	r.seq++
	heap.Push(&r.queue, happening{at: max(t, r.now), seq: r.seq, do: do})
}
func (r *roll) after(d time.Duration, do func())    { r.at(r.now+d, do) }
func (r *roll) below(d time.Duration) time.Duration { return time.Duration(r.rng.Int64N(int64(d))) }
func (r *roll) chance(p float64) bool               { return !r.calm && r.rng.Float64() < p }
func (r *roll) violate(format string, args ...any) {
	if r.result.Violation == "" {
		r.result.Violation = fmt.Sprintf("at %.3fs: ", r.now.Seconds()) + fmt.Sprintf(format, args...)
		r.log("VIOLATION %s", r.result.Violation)
	}
}
func (r *roll) log(format string, args ...any) {
	if r.trace {
		r.result.Trace = append(r.result.Trace, fmt.Sprintf("%9.3fs ", r.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

func (r *roll) delay() time.Duration {
	d := time.Millisecond + r.below(8*time.Millisecond)
	if r.chance(r.rough) {
		d += r.below(3 * time.Second)
	}
	return d
}

// start makes a new pod of a form.
func (r *roll) start(f form) {
	r.born++
	p := &rollPod{r: r, form: f, name: fmt.Sprintf("%s-%d", f, r.born), offset: time.Duration(r.rng.Int64N(1e15)), rate: 1 + (r.rng.Float64()*2-1)*0.01}
	r.pods = append(r.pods, p)
	p.boot()
}

// retire stops a pod of an older form: as often as not the leader, and now and
// then without a word.
func (r *roll) retire(next form) {
	var old []*rollPod
	for _, p := range r.pods {
		if p.form < next && p.life >= 0 {
			old = append(old, p)
		}
	}
	if len(old) == 0 {
		return
	}
	r.end(old[r.rng.IntN(len(old))])
}

// sweep ends what is left of the older forms, so that the roll is complete.
func (r *roll) sweep(next form) {
	for _, p := range r.pods {
		if p.form < next && p.life >= 0 {
			r.end(p)
		}
	}
}

// end is SIGTERM, and SIGKILL after the grace period.
func (r *roll) end(p *rollPod) {
	life := p.life
	p.life = -1 // it is not started again
	r.log("%s is told to end", p.name)
	if p.form == oldForm || !p.alive || r.chance(0.2) {
		p.alive, p.leads = false, false
		return
	}
	_ = life
	p.deliver(engine.Stop{})
	r.after(r.ttl/2, func() { p.alive = false })
}

func (r *roll) fault() {
	if r.calm || len(r.pods) == 0 {
		return
	}
	p := r.pods[r.rng.IntN(len(r.pods))]
	if !p.alive {
		return
	}
	switch r.rng.IntN(9) {
	case 3:
		r.disturb()
	case 4:
		if p.form != oldForm {
			p.deliver(engine.Yield{Reason: "asked"})
		}
	case 5:
		if p.form != oldForm {
			p.deliver(engine.Fitness{Reason: "the check failed"})
			machine := p.machine
			r.after(r.below(3*time.Second), func() { p.deliverTo(machine, engine.Fitness{Fit: true}) })
		}
	case 6:
		r.log("the API server is away")
		r.away = r.now + r.below(2*r.ttl)
	case 0, 7:
		r.log("%s crashes", p.name)
		p.alive, p.leads, p.acting = false, false, 0
		if p.life >= 0 {
			life := p.life
			r.after(r.below(3*time.Second), func() {
				if p.life == life {
					p.boot()
				}
			})
		}
	case 1:
		if p.form != oldForm { // 0.5 in a freeze has two leaders by itself
			p.freeze(r.below(2 * r.ttl))
			r.log("%s is frozen until %.3fs", p.name, p.frozen.Seconds())
		}
	case 2:
		if p.form != oldForm {
			p.deliver(engine.HandOver{ID: 1})
		}
	}
}

// disturb is a person at one of the locks. Nobody deletes the Endpoints: 0.5
// takes a missing lock at once, whoever acts by it.
func (r *roll) disturb() {
	n := r.rng.IntN(2)
	switch r.rng.IntN(4) {
	case 0:
		r.locks[n].edit(func(rec *engine.Record) { rec.Renewed = rec.Renewed.Add(time.Second) })
	case 1:
		r.locks[n].edit(func(rec *engine.Record) { rec.Holder = "" })
	case 2:
		r.locks[n].edit(func(rec *engine.Record) { rec.Paused = true })
		r.after(r.below(2*r.ttl), func() { r.locks[n].edit(func(rec *engine.Record) { rec.Paused = false }) })
	case 3:
		r.locks[1].delete()
	}
}

func (r *roll) announce(n int, o engine.Observation) {
	r.log("  lock %d is %s: %s", n, o.Record.Version, describe(&o.Record))
	for _, p := range r.pods {
		p.hear(n, o)
	}
}

// acting is who acts at this instant.
func (r *roll) acting() (names []string) {
	for _, p := range r.pods {
		if p.acts() {
			names = append(names, p.name)
		}
	}
	return names
}

// check is exclusion, among all forms.
func (r *roll) check() {
	if acting := r.acting(); len(acting) > 1 {
		r.violate("%v act at once", acting)
	} else if len(acting) == 1 {
		if r.begun {
			r.result.Gap = max(r.result.Gap, r.now-r.lastly)
		}
		r.lastly, r.begun = r.now, true
	}
	// A pod of 0.5 or one that crashed is followed when patience is over: its
	// lease, with a foreign one ForeignSlack more.
	if longest := r.ttl + engine.ForeignSlack + 4*time.Second; r.rough == 0 && r.begun && r.now-max(r.lastly, r.eldest()) > longest {
		r.violate("nobody has led for %v", longest)
	}
}

// eldest is when the oldest pod started that is still there: before that nobody
// was who could have followed by now.
func (r *roll) eldest() time.Duration {
	at := r.now
	for _, p := range r.pods {
		if p.alive {
			at = min(at, p.since)
		}
	}
	return at
}
