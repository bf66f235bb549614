package yardstick

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	coordination "k8s.io/api/coordination/v1"
)

// Kind is one way to elect. Run takes part until ctx ends or the candidate
// itself ends, as its kind does.
type Kind struct {
	Name string
	// Terms says that its leaders have terms of their own (Process.term). Of
	// others the lock's leaseTransitions are the nearest thing.
	Terms bool
	Run   func(ctx context.Context, p *Process)
}

// Process is one run of one pod.
type Process struct {
	w    *world
	Name string // of this process alone
	ID   string // what the lock shows
	link *link
	gone chan struct{} // closed by a crash

	leads func() bool // guarded by the world's mutex
}

// asks says how to ask this process whether it leads.
func (p *Process) asks(leads func() bool) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.leads = leads
}

// world is one schedule as it is played, within a bubble.
type world struct {
	plan   *Plan
	begun  time.Time
	server *server

	mu       sync.Mutex
	over     map[trouble]map[int]time.Time // until when, by slot
	resets   chan struct{}                 // closed when connections break
	healed   chan struct{}                 // closed when a trouble ends early
	lags     map[int]time.Duration         // of a slot's answers
	holder   string                        // as the lock shows it
	commits  int
	terms    bool
	top      uint64 // the highest term
	writes   Writes
	ledgers  map[string]*ledger
	running  map[int]*running
	dialogue []string
}

// running is the process that runs in a slot.
type running struct {
	p    *Process
	stop context.CancelFunc
}

// Result is what one schedule showed.
type Result struct {
	Ledgers  map[string]*Tally
	Writes   Writes
	Dialogue []string
}

// Writes are releases that should not have been written, and terms that did not rise.
type Writes struct {
	Early     int // by a process whose app still acted (ByContext)
	EarlySlow int // by one whose app had been told to stop, but still acted (BySlowApp)
	Wiped     int // over the lock of another, whose app acted
	Fell      int // leads whose term was not above all earlier ones
}

// Play plays a plan with candidates of one kind. It must be called in a bubble,
// and returns when nothing runs any more.
func Play(plan *Plan, kind Kind) Result {
	w := &world{
		plan: plan, begun: time.Now(), over: map[trouble]map[int]time.Time{}, resets: make(chan struct{}), healed: make(chan struct{}), lags: map[int]time.Duration{}, terms: kind.Terms,
		ledgers: map[string]*ledger{}, running: map[int]*running{},
	}
	w.server = newServer(w.committed)
	ctx, end := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for slot := range plan.Candidates {
		all.Go(func() { w.pod(ctx, slot, kind) })
	}
	all.Go(func() { w.poll(ctx) })
	for _, d := range plan.deeds {
		time.Sleep(time.Until(w.begun.Add(d.at)))
		w.do(d)
	}
	if plan.script != nil {
		plan.script(w)
	}
	time.Sleep(time.Until(w.begun.Add(length + quiet)))
	result := Result{Ledgers: map[string]*Tally{}}
	w.mu.Lock()
	for word, l := range w.ledgers {
		result.Ledgers[word] = l.close(time.Now())
	}
	w.mu.Unlock()
	end()
	all.Wait()
	time.Sleep(time.Minute) // what is still under way arrives
	result.Dialogue, result.Writes = w.dialogue, w.writes
	return result
}

func name(slot, start int) string { return fmt.Sprintf("%c-%d", 'a'+slot, start) }

// pod runs one process after another, as a kubelet does. Each has a name of its
// own, as client-go recommends, so that a restart is another candidate.
func (w *world) pod(ctx context.Context, slot int, kind Kind) {
	pause := w.plan.born[slot]
	for start := 1; sleep(ctx, pause); start++ {
		p := &Process{w: w, Name: name(slot, start), gone: make(chan struct{})}
		p.ID = cmp.Or(w.plan.identity, p.Name)
		p.link = w.newLink(slot, start, p.ID)
		run, stop := context.WithCancel(ctx)
		w.mu.Lock()
		w.running[slot] = &running{p: p, stop: stop}
		w.mu.Unlock()
		w.log("%s starts", p.Name)
		kind.Run(run, p)
		stop()
		w.log("%s has ended", p.Name)
		w.mu.Lock()
		delete(w.running, slot)
		w.mu.Unlock()
		pause = w.plan.back[(slot+start)%len(w.plan.back)]
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// acts says that a process acts from now on, or no more, by one reading of
// what acting is.
func (p *Process) acts(word string, yes bool) {
	w := p.w
	w.mu.Lock()
	l := w.ledgers[word]
	if l == nil {
		l = newLedger(w.begun)
		w.ledgers[word] = l
	}
	changed := false
	select {
	case <-p.gone: // what has crashed acts no more
		changed = l.set(p.Name, false)
	default:
		changed = l.set(p.Name, yes)
	}
	w.mu.Unlock()
	if changed {
		w.log("%s acts by %s: %t", p.Name, word, yes)
	}
}

// poll asks all processes at one instant whether they lead, again and again.
func (w *world) poll(ctx context.Context) {
	before := map[*Process]bool{}
	for sleep(ctx, poll) {
		now := map[*Process]bool{}
		for _, p := range w.processes() {
			now[p] = p.leads()
		}
		for p := range before { // those who stopped first
			if !now[p] {
				p.acts(ByAsking, false)
			}
		}
		for p, yes := range now {
			if yes {
				p.acts(ByAsking, true)
			} else {
				delete(now, p)
			}
		}
		before = now
	}
}

// processes are those that run and can be asked.
func (w *world) processes() (all []*Process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.running {
		if r.p.leads != nil {
			all = append(all, r.p)
		}
	}
	return all
}

// do lets a fault happen.
func (w *world) do(d deed) {
	slot := d.slot
	if d.leader {
		slot = w.leader(slot)
	}
	w.log("FAULT %s on %d for %v", d.what, slot, d.lasts)
	for _, t := range d.troubles {
		w.trouble(t, slot, d.lasts)
	}
	switch d.what {
	case "delete":
		w.server.remove()
	case "empty":
		w.server.edit(func(s *coordination.LeaseSpec) { s.HolderIdentity = new("") })
	case "rename":
		w.server.edit(func(s *coordination.LeaseSpec) { s.HolderIdentity = new(d.name) })
	case "shorten":
		w.server.edit(func(s *coordination.LeaseSpec) { s.LeaseDurationSeconds = new(int32(1)) })
	case "stop", "crash":
		w.end(slot, d.what == "crash")
	}
}

// end tells a process to end, or ends it without a word.
func (w *world) end(slot int, crash bool) {
	w.mu.Lock()
	r := w.running[slot]
	if r != nil && crash {
		r.p.link.die()
		select {
		case <-r.p.gone:
		default:
			close(r.p.gone)
		}
		for _, l := range w.ledgers {
			l.set(r.p.Name, false)
		}
	}
	w.mu.Unlock()
	if r != nil {
		r.stop()
	}
}

// leader is the slot whose process acts, else the given one.
func (w *world) leader(slot int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.plan.Candidates {
		r := w.running[i]
		for _, l := range w.ledgers {
			if r != nil && l.acting[r.p.Name] {
				return i
			}
		}
	}
	return slot
}

func (w *world) trouble(t trouble, slot int, lasts time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over[t] == nil {
		w.over[t] = map[int]time.Time{}
	}
	if until := time.Now().Add(lasts); until.After(w.over[t][slot]) {
		w.over[t][slot] = until
	}
	if t == refusing {
		close(w.resets)
		w.resets = make(chan struct{})
	}
}

// left is how long a trouble goes on.
func (w *world) left(t trouble, slot int) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(time.Until(w.over[t][slot]), time.Until(w.over[t][everyone]))
}

func (w *world) troubled(t trouble, slot int) bool { return w.left(t, slot) > 0 }

// wait until troubles are over; it is false if ctx ends before.
func (w *world) wait(ctx context.Context, slot int, troubles ...trouble) bool {
	for {
		w.mu.Lock()
		healed := w.healed
		w.mu.Unlock()
		var left time.Duration
		for _, t := range troubles {
			left = max(left, w.left(t, slot))
		}
		if left == 0 {
			return true
		}
		over := time.NewTimer(left)
		select {
		case <-over.C:
		case <-healed:
			over.Stop()
		case <-ctx.Done():
			over.Stop()
			return false
		}
	}
}

// heal ends the troubles of a slot.
func (w *world) heal(slot int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, slots := range w.over {
		delete(slots, slot)
	}
	close(w.healed)
	w.healed = make(chan struct{})
}

// lag is how much later a slot's answers come.
func (w *world) lag(slot int) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lags[slot]
}

// reset is closed when connections break.
func (w *world) reset() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.resets
}

// committed notes what the server stored, and who wrote it.
func (w *world) committed(lease *coordination.Lease, by string) {
	holder := deref(lease.Spec.HolderIdentity)
	w.log("  %s stored %s: %q for %ds, transition %d", by, lease.ResourceVersion, holder, deref(lease.Spec.LeaseDurationSeconds), deref(lease.Spec.LeaseTransitions))
	w.mu.Lock()
	defer w.mu.Unlock()
	if by != "" && holder == "" {
		switch {
		case w.holder != by && (w.acting(ByContext, w.holder) || w.acting(BySlowApp, w.holder)):
			w.writes.Wiped++
		case w.acting(ByContext, by):
			w.writes.Early++
		case w.acting(BySlowApp, by):
			w.writes.EarlySlow++
		}
	}
	if by != "" && holder != "" && holder != w.holder && !w.terms {
		w.rise(uint64(deref(lease.Spec.LeaseTransitions)) + 1)
	}
	w.holder = holder
	w.commits++
}

// term notes the term of a lead.
func (p *Process) term(term uint64) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.rise(term)
}

// rise notes a term. The mutex is held.
func (w *world) rise(term uint64) {
	if term <= w.top {
		w.writes.Fell++
	}
	w.top = max(w.top, term)
}

// acting says whether a process's app acts. The mutex is held.
func (w *world) acting(word, name string) bool {
	l := w.ledgers[word]
	return l != nil && l.acting[name]
}

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// log keeps a dialogue, for the schedule that has to be looked at.
func (w *world) log(format string, args ...any) {
	line := fmt.Sprintf("%8.3f  ", time.Since(w.begun).Seconds()) + fmt.Sprintf(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dialogue = append(w.dialogue, line)
}
