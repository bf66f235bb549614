package elector

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// Term is the fencing token of a lead: it rises strictly from one lead to the
// next, over deletions of the lock too (it is a resourceVersion, which KEP-5504
// makes comparable). Zero means none. Store it beside what the leader writes,
// and refuse writes of a lower term.
type Term uint64

// String is the term as a decimal number, the form that every other answer uses.
func (t Term) String() string { return engine.Term(t).String() }

// Status is one candidate's view of its election at one instant.
type Status struct {
	Election  string
	Namespace string
	Lock      string // "leases", "endpoints" or "endpoints+leases"
	ID        string // of this candidate

	Leader      string        // empty: nobody, or nobody known
	IsLeader    bool          // computed from the boot clock when it was asked
	Term        Term          // zero: nobody leads, or a leader that has no terms (client-go, 0.5)
	Since       time.Time     // when the leader acquired, by its own clock; zero: unknown
	ValidFor    time.Duration // how long this candidate may still act without another renewal; zero unless IsLeader
	Transitions int           // as the lock counts them

	Paused        bool   // an operator paused the election
	HolderExpired bool   // the lock's holder has not renewed for the length of its lease
	Fit           bool   // no health check says otherwise
	Ready         bool   // the rights were checked and the lock was read once
	CanTakeOver   bool   // it does not lead, is fit, and knows the lock
	Watching      bool   // the lock is watched; otherwise it is polled
	Waiting       string // why it does not lead; empty while it does

	Locks []LockStatus // what each of two locks says; nil where one decides

	LastError   string    // what is wrong now; empty: nothing
	LastErrorAt time.Time // when that began; zero: nothing is wrong
}

// LockStatus is what one of two locks says (endpoints+leases). A candidate leads
// while it holds both.
type LockStatus struct {
	Lock          string // "endpoints" or "leases"
	Leader        string // who holds it; empty: nobody, or nobody known
	Held          bool   // by this candidate, at this instant
	Term          Term   // of this lock alone; zero: of a holder that has no terms
	Paused        bool
	HolderExpired bool
	Waiting       string // why this candidate does not hold it; empty while it does
}

// Status computes this candidate's view now.
func (e *Elector) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.status()
}

// status is Status with the mutex held.
func (e *Elector) status() Status {
	now := e.look()
	v := e.machine.View(now)
	s := Status{
		Election: e.cfg.Election, Namespace: e.cfg.Namespace, Lock: e.cfg.Lock, ID: e.cfg.ID,
		Leader: v.Leader, IsLeader: v.Leading, Term: Term(v.Term), Since: v.Since, Transitions: v.Transitions,
		Paused: v.Paused, HolderExpired: v.HolderExpired, Fit: v.Fit && !e.startsUnfit(), Waiting: v.Waiting,
		Ready: e.rightful && v.Known, Watching: e.watchStands[0] && (len(e.locks) == 1 || e.watchStands[1]),
	}
	if p, ok := e.machine.(*engine.Pair); ok {
		for i, v := range p.Views(now) {
			s.Locks = append(s.Locks, LockStatus{
				Lock: strings.Split(e.cfg.Lock, "+")[i], Leader: v.Leader, Held: v.Leading,
				Term: Term(v.Term), Paused: v.Paused, HolderExpired: v.HolderExpired, Waiting: v.Waiting,
			})
		}
	}
	if v.Leading {
		s.ValidFor = max(0, v.Trust.Until()-now.Boot)
	}
	s.CanTakeOver = !s.IsLeader && s.Fit && s.Ready && !e.ending
	s.LastError, s.LastErrorAt = e.troubles.now()
	return s
}

// startsUnfit says whether SetFit was told before Run that the app is unfit.
// The mutex is held.
func (e *Elector) startsUnfit() bool { return !e.running && e.fitness != nil && !e.fitness.Fit }

// Leads says whether this candidate may act at this instant, and for which
// term. It is computed from the boot clock: a process that was frozen past its
// lease gets the right answer at once.
func (e *Elector) Leads() (Term, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	term, _, ok := e.machine.Leads(e.look())
	return Term(term), ok
}

// Changes yields the current Status, then one per change, in order, until ctx
// ends. A reader that is slower than the changes gets the newest of those that
// it missed, never an older one after a newer.
func (e *Elector) Changes(ctx context.Context) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		seen := uint64(0)
		for {
			e.mu.Lock()
			s, version, wait := e.status(), e.version, e.changed
			e.mu.Unlock()
			if version != seen {
				seen = version
				if !yield(s) {
					return
				}
				continue
			}
			select {
			case <-wait:
			case <-ctx.Done():
				return
			}
		}
	}
}

// summary is the part of a Status whose change is worth telling.
type summary struct {
	leader                                              string
	term                                                Term
	isLeader, paused, expired, fit, ready, watch, ended bool
	lastError                                           string
}

func (s *Status) summary(ended bool) summary {
	return summary{
		leader: s.Leader, term: s.Term, isLeader: s.IsLeader, paused: s.Paused, expired: s.HolderExpired,
		fit: s.Fit, ready: s.Ready, watch: s.Watching, lastError: s.LastError, ended: ended,
	}
}

// tell wakes the readers of Changes if there is something new. The mutex is held.
func (e *Elector) tell() {
	s := e.status()
	sum := s.summary(e.ending)
	if sum == e.told {
		return
	}
	e.told = sum
	e.version++
	close(e.changed)
	e.changed = make(chan struct{})
}
