package engine_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

const (
	ttl    = 15 * time.Second
	margin = 1500 * time.Millisecond
	trip   = 10 * time.Millisecond // from a request to its answer, unless a test says otherwise
)

// stage is one candidate, called "me", and the lock that it plays for. The lock
// keeps the API server's rules: versions only rise, a swap is a compare-and-swap
// by uid and version. Time is counted from the candidate's start.
type stage struct {
	t       *testing.T
	m       *engine.Machine
	cfg     engine.Config
	at      time.Duration
	ahead   time.Duration // how far the wall clock ran ahead of the boot clock
	jitter  float64
	fate    fate
	trip    time.Duration
	blind   bool // no watch brings news of the lock
	lock    *engine.Record
	version engine.Version
	term    engine.Term // the highest that was ever sealed
	uids    int
	nonces  int

	request engine.Action // under way; nil: none
	sentAt  time.Duration
	wake    time.Duration
	queue   []queued
	acts    []act       // everything that the candidate asked for since mark
	over    engine.Term // of the lead that ended last
}

type queued struct {
	at time.Duration
	ev engine.Event
}

type act struct {
	at time.Duration
	engine.Action
}

// fate is what becomes of the requests that are sent.
type fate int

const (
	served  fate = iota
	deaf         // committed, but the answer is lost
	cut          // never arrives, and nobody knows
	refused      // a definite no
	held         // nothing happens until the test says so
	spurned      // writes get a 500 at once, reads are served
)

// boot is the boot clock's reading when a stage starts.
const boot = 1000 * time.Hour

var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// curtain prepares a stage on which nothing happened yet and no lock stands.
func curtain(t *testing.T, change ...func(*engine.Config)) *stage {
	s := &stage{t: t, version: 39, trip: trip, cfg: engine.Config{ID: "me", Start: "s1", TTL: ttl}}
	for _, c := range change {
		c(&s.cfg)
	}
	s.m = engine.New(s.cfg)
	return s
}

// before is a stage whose lock shows rec at version 40, read once by me.
func before(t *testing.T, rec engine.Record, change ...func(*engine.Config)) *stage {
	s := curtain(t, change...)
	s.put(rec)
	s.open()
	return s
}

// leading is a stage on which I took a released lock: my term is 40.
func leading(t *testing.T, change ...func(*engine.Config)) *stage {
	s := before(t, released("a"), change...)
	s.pass(2 * s.trip)
	if term, _, ok := s.m.Leads(s.now()); !ok || term != 40 {
		t.Fatalf("the stage is not set: term %v leads %v", term, ok)
	}
	return s
}

// waiting is a stage on which I know that the lock is held by a.
func waiting(t *testing.T, change ...func(*engine.Config)) *stage {
	s := before(t, sealed("a"), change...)
	s.pass(2 * s.trip)
	s.mark()
	return s
}

// open gives the candidate its first turn.
func (s *stage) open() {
	s.queue = nil
	s.step(engine.Tick{})
	if s.lock != nil && !s.blind {
		s.later(s.at+s.trip+time.Millisecond, engine.Observation{Record: *s.lock})
	}
}

func (s *stage) now() engine.Now {
	return engine.Now{Boot: boot + s.at, Wall: epoch.Add(s.at + s.ahead), Jitter: s.jitter}
}

// step tells the candidate something, and takes down what it asks for.
func (s *stage) step(ev engine.Event) {
	s.t.Helper()
	for _, a := range s.m.Step(s.now(), ev) {
		s.acts = append(s.acts, act{s.at, a})
		switch v := a.(type) {
		case engine.Read, engine.Swap, engine.Create:
			if s.request != nil {
				s.t.Fatalf("%v: %#v while %#v is under way", s.at, a, s.request)
			}
			s.request, s.sentAt = a, s.at
		case engine.StopLeading:
			s.over = v.Term
		case engine.WakeAt:
			if s.wake = v.At - boot; s.wake <= s.at {
				s.t.Fatalf("%v: wants to be woken at %v", s.at, s.wake)
			}
		}
	}
}

// pass lets that much time go by: timers fire, requests meet their fate, the
// watch brings its news.
func (s *stage) pass(d time.Duration) {
	s.t.Helper()
	end := s.at + d
	for range 100_000 {
		next, what := end, 0
		if s.wake > s.at && s.wake <= next {
			next, what = s.wake, 1
		}
		if s.request != nil && s.fate != held && s.sentAt+s.delay() <= next {
			next, what = max(s.at, s.sentAt+s.delay()), 2
		}
		if len(s.queue) > 0 && s.queue[0].at <= next {
			next, what = max(s.at, s.queue[0].at), 3
		}
		s.at = next
		switch what {
		case 0:
			return
		case 1:
			s.step(engine.Tick{})
		case 2:
			s.settle()
		case 3:
			ev := s.queue[0].ev
			s.queue = s.queue[1:]
			s.step(ev)
		}
	}
	s.t.Fatalf("%v: the candidate does not come to rest", s.at)
}

// freeze lets that much time go by without the candidate: nothing is told, and
// nothing happens to its request.
func (s *stage) freeze(d time.Duration) { s.at += d }

func (s *stage) delay() time.Duration {
	if s.fate == cut || s.fate == deaf {
		return ttl / 6
	}
	return s.trip
}

// settle lets the request under way meet its fate now.
func (s *stage) settle() {
	s.t.Helper()
	_, isRead := s.request.(engine.Read)
	switch {
	case s.fate == served, s.fate == held, s.fate == spurned && isRead:
		s.answer(s.commit())
	case s.fate == deaf:
		s.commit()
		s.answer(engine.Answer{Outcome: engine.Unknown})
	case s.fate == refused:
		s.answer(engine.Answer{Outcome: engine.Refused})
	default:
		s.answer(engine.Answer{Outcome: engine.Unknown})
	}
}

// answer tells the candidate what became of its request.
func (s *stage) answer(a engine.Answer) {
	s.t.Helper()
	a.Op = s.op()
	s.request = nil
	s.step(a)
}

func (s *stage) op() engine.Op {
	switch r := s.request.(type) {
	case engine.Read:
		return r.Op
	case engine.Swap:
		return r.Op
	case engine.Create:
		return r.Op
	}
	s.t.Fatalf("%v: no request is under way", s.at)
	return 0
}

// commit carries out the request under way on the lock, and returns what the
// server would answer.
func (s *stage) commit() engine.Answer {
	switch r := s.request.(type) {
	case engine.Read:
		if s.lock == nil {
			return engine.Answer{Outcome: engine.Absent}
		}
	case engine.Create:
		if s.lock != nil {
			return engine.Answer{Outcome: engine.Conflict}
		}
		s.uids++
		s.store(r.Put)
	case engine.Swap:
		if s.lock == nil || s.lock.UID != r.On.UID || s.lock.Version != r.On.Version {
			return engine.Answer{Outcome: engine.Conflict}
		}
		rec := r.Put
		rec.Paused = s.lock.Paused
		if r.Kind == engine.Accept {
			rec = *s.lock
			rec.Acceptance = r.Put.Acceptance
		}
		s.store(rec)
	}
	return engine.Answer{Outcome: engine.OK, Record: *s.lock}
}

func (s *stage) store(rec engine.Record) {
	s.version++
	rec.Version, rec.UID = s.version, fmt.Sprintf("uid-%d", s.uids)
	s.lock = &rec
	if rec.Seal != nil {
		s.term = max(s.term, min(rec.Seal.Term, engine.Term(rec.Version)))
	}
	s.news(engine.Observation{Record: rec})
}

func (s *stage) news(ev engine.Event) {
	if !s.blind {
		s.later(s.at+time.Millisecond, ev)
	}
}

func (s *stage) later(at time.Duration, ev engine.Event) {
	s.queue = append(s.queue, queued{at, ev})
	slices.SortStableFunc(s.queue, func(a, b queued) int { return cmp.Compare(a.at, b.at) })
}

// put makes rec what the lock says, as its writer would: a seal in it that
// names no lock is made intact, under a nonce of its own.
func (s *stage) put(rec engine.Record) {
	if s.uids == 0 {
		s.uids = 1
	}
	if rec.Seal != nil && rec.Seal.Lock == "" {
		s.nonces++
		seal := *rec.Seal
		seal.Lock = fmt.Sprintf("uid-%d", s.uids)
		seal.Nonce = fmt.Sprintf("%s-%d", seal.Start, s.nonces)
		if s.term > seal.Term {
			seal.Term = engine.Term(s.version) // it was acquired since
		}
		rec.Seal = &seal
	}
	s.store(rec)
}

// edit is a write of somebody who keeps what he does not know, as any client
// does.
func (s *stage) edit(change func(*engine.Record)) {
	rec := *s.lock
	change(&rec)
	s.store(rec)
}

// label is a write that changes nothing of what the lock says.
func label(*engine.Record) {}

func pause(r *engine.Record) { r.Paused = true }

func unpause(r *engine.Record) { r.Paused = false }

// delete removes the lock.
func (s *stage) delete() {
	s.version++
	s.news(engine.Observation{Deleted: true, Record: engine.Record{UID: s.lock.UID, Version: s.version}})
	s.lock = nil
}

// mark forgets what the candidate asked for so far.
func (s *stage) mark() { s.acts = nil }
