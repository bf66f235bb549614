package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// Options of a schedule.
type Options struct {
	Mix   Mix
	Trace bool // keep the whole dialogue
}

// Result is what a schedule showed.
type Result struct {
	Violation string // empty: every law held
	Leads     int    // leaderships that began
	Faults    int
	Steps     int
	Trace     []string
}

// length of a schedule, and of the quiet time after it in which somebody has
// to lead.
const (
	length = 120 * time.Second
	quiet  = 80 * time.Second
)

// world is one schedule. Its time is the true time, which no candidate sees.
type world struct {
	rng    *rand.Rand
	mix    Mix
	trace  bool
	now    time.Duration
	queue  queue
	seq    int
	result Result

	server     server
	outage     outage
	outageEnd  time.Duration
	candidates []*candidate
	foreign    *foreign
	ttl        time.Duration
	born       int
	topTerm    engine.Term
	restored   bool          // terms may fall, also once after lostUntil
	lostUntil  time.Duration // until then, etcd's lost commits excuse two leaders
	sockets    map[string]*candidate
	calm       bool // faults have ended
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

// Run plays the schedule of a seed.
func Run(seed uint64, opt Options) Result {
	w := &world{rng: rand.New(rand.NewPCG(seed, 4711)), mix: opt.Mix, trace: opt.Trace}
	w.server.changed = w.announce
	w.sockets = map[string]*candidate{}
	w.server.version = 100
	w.ttl = time.Duration(4+w.rng.IntN(9)) * time.Second
	for i := range 2 + w.rng.IntN(3) {
		w.join(fmt.Sprintf("%c", 'a'+i))
	}
	if w.mix.Foreign > 0 {
		w.foreign = newForeign(w)
	}
	w.after(w.span(time.Second), w.fault)
	for len(w.queue) > 0 && w.result.Violation == "" {
		h := heap.Pop(&w.queue).(happening)
		if h.at > length && !w.calm {
			w.becalm()
		}
		if h.at > length+quiet {
			break
		}
		w.now = h.at
		h.do()
		w.checkExclusion()
		w.result.Steps++
	}
	if w.result.Violation == "" {
		w.checkLiveness()
	}
	return w.result
}

func (w *world) at(t time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, happening{at: max(t, w.now), seq: w.seq, do: do})
}

func (w *world) after(d time.Duration, do func()) { w.at(w.now+d, do) }

// span is a random span around mean, seldom much longer.
func (w *world) span(mean time.Duration) time.Duration {
	return time.Duration(w.rng.ExpFloat64() * float64(mean))
}

// chance says whether something of that probability happens now. Nothing bad
// happens once the world is calm.
func (w *world) chance(p float64) bool { return !w.calm && w.rng.Float64() < p }

func (w *world) log(format string, args ...any) {
	if w.trace {
		w.result.Trace = append(w.result.Trace, fmt.Sprintf("%9.3fs ", w.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

func (w *world) violate(format string, args ...any) {
	if w.result.Violation == "" {
		w.result.Violation = fmt.Sprintf("at %.3fs: ", w.now.Seconds()) + fmt.Sprintf(format, args...)
		w.log("VIOLATION %s", w.result.Violation)
	}
}

// announce sends a change down every watch, in order, each with its own lag.
func (w *world) announce(o engine.Observation) {
	if o.Deleted {
		w.log("  lock deleted at version %s", o.Record.Version)
	} else {
		w.log("  lock %s: %s", o.Record.Version, describe(&o.Record))
	}
	for _, c := range w.candidates {
		c.watched(o)
	}
}

// checkExclusion is the law of laws: at no instant may two candidates act.
func (w *world) checkExclusion() {
	var acting []string
	for _, c := range w.candidates {
		if _, _, ok := c.machine.Leads(c.clock()); ok && c.alive {
			acting = append(acting, c.name())
		}
	}
	if w.foreign != nil && w.foreign.acts() {
		acting = append(acting, "foreign")
	}
	if len(acting) > 1 && w.now > w.lostUntil {
		w.violate("%s may act at once", strings.Join(acting, " and "))
	}
}

// checkLiveness says whether a lead was found after all faults ended.
func (w *world) checkLiveness() {
	if w.foreign != nil && w.foreign.acts() {
		return
	}
	for _, c := range w.candidates {
		if _, _, ok := c.machine.Leads(c.clock()); ok && c.alive {
			return
		}
	}
	w.now = length + quiet
	w.violate("nobody leads, %v after the last fault", quiet)
}

// becalm ends every fault: what is frozen wakes, what is unfit gets well.
func (w *world) becalm() {
	w.calm = true
	w.now = length
	w.log("all faults end")
	w.outage = up
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

// below is a random span shorter than d.
func (w *world) below(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }
