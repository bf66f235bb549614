package route

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/kube"
)

const (
	// requestWithin bounds the requests of one step. It is less than aloneAfter,
	// so that two tries fail before a lead is ceded.
	requestWithin = 1500 * time.Millisecond
	checkWithin   = 10 * time.Second
	confirmWithin = 5 * time.Second

	retryMin = time.Second
	retryMax = 30 * time.Second
	// refusedRetry is how soon a leader follows an operator who removed a
	// selector or a slice: no traffic flows before.
	refusedRetry = time.Second
	// aloneRetry is the first pause of a leader whose requests do not get through.
	aloneRetry = 100 * time.Millisecond
	// raceRetry is the first pause of a leader whose writes are overtaken.
	raceRetry = 10 * time.Millisecond

	// lookEvery is how late a changed Service is seen.
	lookEvery = 30 * time.Second

	// aloneAfter is how long requests fail before the lead is offered, and
	// cedeEvery how long a process then waits until it cedes again: a trouble
	// that all candidates have must not drive the lead around.
	aloneAfter = 2 * time.Second
	cedeEvery  = time.Minute

	// calm is how long nobody disturbs before repairs are made at once again.
	calm = 10 * time.Second
)

// sliceLead is one term's work.
type sliceLead struct {
	s      *Slices
	term   elector.Term
	cancel context.CancelFunc
	done   chan struct{}
	news   chan struct{} // a watch brought something

	failures int       // of one kind, in a row
	kind     faultKind // of the last failure
	failing  time.Time // since when requests fail
	settled  bool      // all was as it should be, and no watch said otherwise since
	ceded    bool
	repairs  int // since it was calm
	repaired time.Time

	mu      sync.Mutex        // guards seen and blind
	seen    map[string]*slice // by family: what a watch brought since the last look; nil: deleted
	blind   error             // why the slices cannot be watched
	watches map[string]context.CancelFunc
	work    sync.WaitGroup // of the watches
}

// run writes and repairs until ctx ends.
func (l *sliceLead) run(ctx context.Context) {
	defer l.s.end()
	defer l.work.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.s.begin()
	for {
		began := time.Now()
		err := l.turn(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := l.judge(ctx, err, began)
		if !l.rest(ctx, wait) {
			return
		}
	}
}

// begin forgets what an earlier lead wrote: others may have led since.
func (s *Slices) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states = map[string]state{}
}

// end forgets the fault: a standby asks nobody, so it would never hear that it
// is over.
func (s *Slices) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told, s.fault = "", nil
}

// turn looks, and writes what differs.
func (l *sliceLead) turn(ctx context.Context) error {
	s := l.s
	l.mu.Lock()
	l.seen = map[string]*slice{} // older than what is read now
	l.mu.Unlock()
	p, err := s.look(ctx, !l.settled)
	if err != nil {
		return err
	}
	if err := s.bad(p); err != nil {
		l.note(p, nil)
		l.watch(ctx, p)
		return err
	}
	orders := s.plan(p, l.term)
	l.note(p, orders)
	err = l.carryOut(ctx, orders)
	l.watch(ctx, p)
	l.mu.Lock()
	blind := l.blind
	l.mu.Unlock()
	return worst(err, s.unserved(p.service), blind)
}

// note keeps what was read. A slice that needs no order and has an address says
// what this leader wants it to say.
func (l *sliceLead) note(p *picture, orders []order) {
	for _, o := range orders {
		if o.repair {
			l.repairing(o)
		}
	}
	for family, now := range p.own {
		mine := now != nil && now.Metadata.Annotations[noteWriter] == l.s.writer && now.Metadata.Annotations[noteTerm] == l.term.String()
		for _, o := range orders {
			mine = mine && o.family != family
		}
		l.s.know(family, now, mine && len(now.addresses()) > 0)
	}
}

func (l *sliceLead) repairing(o order) {
	what := "deleted"
	if o.old != nil {
		what = "changed"
	}
	if time.Since(l.repaired) > calm {
		l.repairs = 0
	}
	l.repaired = time.Now()
	l.repairs++
	log := l.s.log.Warn
	if l.repairs > 3 {
		log = l.s.log.Debug
	}
	log("the endpoint slice was "+what+" by somebody else and is written again", "slice", o.put.Metadata.Name, "times", l.repairs)
}

// carryOut makes the writes, all at once; before them the lead is confirmed if
// a later leader may have written what was read.
func (l *sliceLead) carryOut(ctx context.Context, orders []order) error {
	var doubts []string
	for _, o := range orders {
		if o.doubt != "" {
			doubts = append(doubts, o.put.Metadata.Name+": "+o.doubt)
		}
	}
	if len(doubts) > 0 {
		if err := l.confirm(ctx); err != nil {
			return &fault{kind: doubtful, err: errors.New("the endpoint slice may be a later leader's (" + strings.Join(doubts, "; ") + "), and " + err.Error())}
		}
		l.s.log.Warn("an endpoint slice of doubtful origin is overwritten, as this lead was confirmed after it was read", "term", l.term.String(), "doubt", strings.Join(doubts, "; "))
	}
	errs := make([]error, len(orders))
	var work sync.WaitGroup
	for i, o := range orders {
		work.Go(func() { errs[i] = l.s.write(ctx, o) })
	}
	work.Wait()
	err := worst(errs...)
	if err == nil {
		for _, o := range orders {
			l.s.log.Info("the traffic is sent here", "slice", o.put.Metadata.Name, "addresses", o.put.addresses(), "term", l.term.String())
		}
	}
	return err
}

func (l *sliceLead) confirm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	return l.s.cfg.Confirm(ctx, l.term)
}

// judge takes the outcome of a turn, and says how long to rest.
func (l *sliceLead) judge(ctx context.Context, err error, began time.Time) time.Duration {
	if err == nil {
		l.failures, l.failing, l.settled = 0, time.Time{}, true
		l.s.tell(nil)
		return jitter(lookEvery)
	}
	kind := kindOf(err)
	if kind != l.kind {
		l.failures = 0
	}
	l.kind = kind
	l.failures++
	switch {
	case kind != alone:
		l.failing = time.Time{}
		if kind != raced || l.failures > 3 {
			l.s.tell(err)
		}
	case l.failing.IsZero():
		l.failing = began
		l.s.tell(err) // once: each try fails in words of its own
	case time.Since(l.failing) >= aloneAfter && !l.settled:
		l.cede(ctx, err) // a leader that only cannot look again does no harm
	}
	return jitter(l.patience(kind))
}

// patience is how long to wait after so many failures of a kind in a row.
func (l *sliceLead) patience(kind faultKind) time.Duration {
	grown := func(first, most time.Duration) time.Duration { return min(first<<min(l.failures-1, 16), most) }
	switch {
	case kind == refused:
		return refusedRetry
	case kind == raced:
		return grown(raceRetry, retryMin)
	case kind == alone: // grows with the outage
		return min(max(time.Since(l.failing)/2, aloneRetry), retryMax)
	}
	return grown(retryMin, retryMax)
}

// cede offers the lead, once in a term, if the lock can be written while the
// slices cannot: then another candidate may do better.
func (l *sliceLead) cede(ctx context.Context, why error) {
	s := l.s
	s.mu.Lock()
	recently := !s.ceded.IsZero() && time.Since(s.ceded) < cedeEvery
	s.mu.Unlock()
	if l.ceded || recently || l.confirm(ctx) != nil {
		return
	}
	l.ceded = true
	s.mu.Lock()
	s.ceded = time.Now()
	s.mu.Unlock()
	s.log.Warn("the lock can be written and the endpoint slices cannot, so the lead is offered to another candidate", "error", why)
	if err := s.cfg.Cede(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("nobody took the lead", "error", err)
	}
}

// rest waits until it is time to look again, or a watch brought what is not
// known yet; it says whether the lead goes on.
func (l *sliceLead) rest(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-l.news:
			stale := l.stale()
			if !stale && l.failures == 0 {
				continue // of its own write, or old; but where something is wrong, any news may be its end
			}
			l.settled = l.settled && !stale
			if time.Since(l.repaired) > calm {
				return true
			}
			return sleep(ctx, min(raceRetry<<min(l.repairs, 10), retryMin))
		}
	}
}

// stale says whether a watch brought something newer than what is known.
func (l *sliceLead) stale() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for family, news := range l.seen {
		known := l.s.known(SliceName(l.s.cfg.Service, family)).slice
		if news == nil && known != nil || news != nil && news.version() > known.version() {
			return true
		}
	}
	return false
}

// watch watches the slices that hold an address of ours or should.
func (l *sliceLead) watch(ctx context.Context, p *picture) {
	for _, family := range l.s.podFamilies() {
		cancel, watched := l.watches[family]
		switch wanted := p.service.wants(family); {
		case wanted && !watched:
			ctx, cancel := context.WithCancel(ctx)
			l.watches[family] = cancel
			l.work.Go(func() {
				defer cancel()
				l.s.cfg.Client.Watch(ctx, l.s.ref(family), func(e kube.Event) { l.hear(family, e) })
			})
		case !wanted && watched:
			cancel()
			delete(l.watches, family)
		}
	}
}

// hear takes what a watch brings. What it says is a reason to read, never more.
func (l *sliceLead) hear(family string, e kube.Event) {
	var now *slice
	switch e.Type {
	case kube.Up, kube.Forbidden:
		l.mu.Lock()
		l.blind = e.Err // Up brings none
		l.mu.Unlock()
		l.wake()
		return
	case kube.Listed, kube.Changed:
		var err error
		if now, err = parseSlice(e.Object); err != nil {
			return
		}
	case kube.Missing:
	case kube.Deleted:
		gone, err := parseSlice(e.Object)
		if err != nil || gone.version() <= l.s.known(SliceName(l.s.cfg.Service, family)).slice.version() {
			return
		}
	default:
		return
	}
	l.mu.Lock()
	l.seen[family] = now
	l.mu.Unlock()
	l.wake()
}

func (l *sliceLead) wake() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// jitter is at random between half of d and d, so that a fleet does not act in
// step.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// sleep says whether the time passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
