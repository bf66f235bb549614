package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// Result is what a schedule showed.
type Result struct {
	Broken    Invariant // meaningful with a Violation
	Violation string    // empty: every invariant held
	When      time.Duration
	Leads     int // leaderships that began
	Faults    int
	Steps     int
	Led       time.Duration // after the last fault, until somebody led
	Trace     []string
}

// world is one schedule as it is played. Its time is the true time, which no
// candidate sees.
type world struct {
	plan   Plan
	rng    *rand.Rand // of the server; each candidate has its own
	trace  bool
	now    time.Duration
	queue  queue
	seq    int
	result Result

	server      server
	outage      outage
	outageEnd   time.Duration
	candidates  []*candidate
	ghosts      []ghost
	starts      map[string]*candidate // of every process that ever was
	sockets     map[string]*candidate
	foreign     *foreign
	ttl         time.Duration
	born        int
	topTerm     engine.Term
	rolledBack  bool
	restored    bool // terms may fall, also once after excusedTill
	restoredAt  time.Duration
	excusedTill time.Duration // until then, two leaders are not the engine's fault
	calm        bool          // faults have ended
	led         bool          // somebody has led since
}

type outage int

const (
	up outage = iota
	hanging
	failing
)

// happening is something that will happen.
type happening struct {
	at  time.Duration
	seq int
	do  func()
}

type queue []happening

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(happening)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// Play plays a schedule; with trace it keeps the whole dialogue.
func (p Plan) Play(trace bool) Result {
	w := &world{plan: p, rng: rand.New(rand.NewPCG(p.Seed, 1504)), trace: trace, ttl: p.TTL}
	w.server.changed = w.announce
	w.server.version = 100
	w.sockets, w.starts = map[string]*candidate{}, map[string]*candidate{}
	if p.Mix.Foreign != noForeign {
		w.foreign = newForeign(w)
	}
	for i := range p.Pods {
		w.join(fmt.Sprintf("%c", 'a'+i))
	}
	for _, f := range p.Faults {
		w.at(f.At, func() { w.apply(f) })
	}
	w.at(length, w.becalm)
	end := length + w.bound()
	for len(w.queue) > 0 && w.result.Violation == "" {
		h := heap.Pop(&w.queue).(happening)
		if h.at > end {
			break
		}
		w.now = h.at
		h.do()
		w.checkExclusion()
		w.result.Steps++
		if w.calm && w.led {
			break
		}
	}
	if w.result.Violation == "" && !w.led {
		w.now = end
		w.violate(Liveness, "nobody leads, %v after the last fault", w.bound())
	}
	return w.result
}

func (w *world) at(t time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, happening{at: max(t, w.now), seq: w.seq, do: do})
}

func (w *world) after(d time.Duration, do func()) { w.at(w.now+d, do) }

func (w *world) log(format string, args ...any) {
	if w.trace {
		w.result.Trace = append(w.result.Trace, fmt.Sprintf("%9.3fs ", w.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

// announce sends a change down every watch, in order, each with its own lag.
func (w *world) announce(o engine.Observation) {
	switch {
	case !w.trace:
	case o.Deleted:
		w.log("  lock deleted at version %s", o.Record.Version)
	default:
		w.log("  lock %s: %s", o.Record.Version, describe(&o.Record))
	}
	for _, c := range w.candidates {
		c.watched(o)
	}
}

// becalm ends every fault: what is frozen wakes, what is unfit gets well.
func (w *world) becalm() {
	w.calm = true
	w.log("all faults end")
	w.outage, w.outageEnd = up, w.now
	w.server.edit(func(r *engine.Record) { r.Paused, r.Request = false, nil })
	for _, c := range w.candidates {
		c.recover()
	}
	if w.foreign != nil {
		w.foreign.leave()
	}
}

func describe(r *engine.Record) string {
	s := fmt.Sprintf("holder %q D %v", r.Holder, r.Duration)
	if r.Seal != nil {
		s += fmt.Sprintf(" seal{%q %s term %s", r.Seal.Holder, r.Seal.Nonce, r.Seal.Term)
		if r.Seal.Offer != nil {
			s += fmt.Sprintf(" offer %q", r.Seal.Offer.To)
		}
		if r.Seal.Released {
			s += fmt.Sprintf(" released to %q", r.Seal.To)
		}
		s += "}"
	}
	if r.Acceptance != nil {
		s += " accepted by " + r.Acceptance.By
	}
	if r.Tombstone != "" {
		s += " tombstone " + r.Tombstone
	}
	if r.Paused {
		s += " paused"
	}
	return s
}
