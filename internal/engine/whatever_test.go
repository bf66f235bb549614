package engine_test

import (
	"fmt"
	"reflect"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// dice decides what happens in a schedule. below returns a number in [0,n).
type dice interface{ below(n int) int }

// broken is what a schedule found out about the machine.
type broken func(format string, args ...any)

// whatever tells a candidate anything at all, true or not, and holds what it
// does against the laws that no news may break.
type whatever struct {
	die   dice
	fail  broken
	cfg   engine.Config
	m     *engine.Machine
	twin  *engine.Machine // is told the same, and asked nothing
	at    time.Duration
	ahead time.Duration

	request engine.Op // under way; 0: none
	lastOp  engine.Op
	nonces  map[string]bool
	sent    []sentSwap
	told    []engine.Record
	began   bool
	term    engine.Term // of the lead that began last
	top     engine.Term // the highest of all since etcd was restored
	wake    time.Duration
	over    bool
}

// sentSwap is a write of the candidate as holder.
type sentSwap struct {
	sent engine.Now
	swap engine.Swap
}

func newWhatever(die dice, fail broken) *whatever {
	w := &whatever{die: die, fail: fail, at: boot, nonces: map[string]bool{}}
	w.cfg = engine.Config{ID: "me", Start: "s1", TTL: ttl, Immediate: die.below(2) == 0}
	if die.below(2) == 0 {
		w.cfg.PodUID = "pod-1"
	}
	w.m, w.twin = engine.New(w.cfg), engine.New(w.cfg)
	w.step(engine.Tick{})
	return w
}

func (w *whatever) now() engine.Now {
	return engine.Now{Boot: w.at, Wall: epoch.Add(w.at + w.ahead), Jitter: float64(w.die.below(4)) / 4}
}

// turn lets something happen.
func (w *whatever) turn() {
	switch w.die.below(8) {
	case 0:
		if w.wake > w.at {
			w.at = w.wake
		}
	case 1:
		w.at += time.Duration(w.die.below(40)) * time.Second / 2
	case 2:
		w.ahead += time.Duration(w.die.below(5)-2) * time.Second
	default:
		w.at += time.Duration(w.die.below(50)) * time.Millisecond
	}
	w.ask()
	w.step(w.event())
}

func (w *whatever) event() engine.Event {
	switch w.die.below(16) {
	case 0:
		return engine.Fitness{Fit: w.die.below(3) > 0}
	case 1:
		return engine.Yield{}
	case 2:
		return engine.Resume{}
	case 3:
		return engine.HandOver{ID: uint64(w.die.below(5)), To: w.name()}
	case 4:
		return engine.Watching{OK: w.die.below(2) > 0}
	case 11:
		return engine.Confirm{ID: uint64(w.die.below(5))}
	case 5:
		return engine.Stopped{Term: w.term, Confirmed: w.die.below(3) > 0}
	case 6:
		if w.die.below(12) == 0 {
			return engine.Stop{}
		}
		return engine.Tick{}
	case 7:
		return engine.Observation{Deleted: true, Record: w.record()}
	case 8, 9, 10:
		return engine.Observation{Record: w.record()}
	}
	if w.request == 0 {
		return engine.Tick{}
	}
	a := engine.Answer{Op: w.request, Outcome: engine.Outcome(w.die.below(5))}
	if w.die.below(10) == 0 {
		a.Op-- // an answer to a request that is over
	}
	switch {
	case a.Outcome == engine.OK:
		a.Record = w.record()
	case w.die.below(4) == 0:
		a.RetryAfter = time.Duration(w.die.below(100)) * time.Second
	}
	return a
}

func (w *whatever) name() string { return []string{"", "me", "b", "x", engine.Vacant}[w.die.below(5)] }

// record is a true one, an older one, one that is nearly true, or nonsense.
func (w *whatever) record() engine.Record {
	var rec engine.Record
	if n := len(w.sent); n > 0 && w.die.below(2) == 0 {
		sw := w.sent[n-1-w.die.below(min(n, 3))].swap
		rec = sw.Put
		rec.UID, rec.Version = sw.On.UID, sw.On.Version+1
	} else if n := len(w.told); n > 0 && w.die.below(2) == 0 {
		rec = w.told[n-1-w.die.below(min(n, 4))]
		rec.Version += engine.Version(w.die.below(3))
	} else {
		rec = w.nonsense()
	}
	switch w.die.below(12) {
	case 0:
		rec.Holder = w.name()
	case 1:
		rec.Version += engine.Version(w.die.below(10))
	case 2:
		rec.Paused = !rec.Paused
	case 3:
		rec.Request = &engine.Request{From: w.name(), To: w.name()}
	case 4:
		rec.UID = "uid-2"
	case 5:
		rec.Malformed = "broken"
	case 6:
		if rec.Seal != nil && rec.Seal.Offer != nil {
			rec.Acceptance = &engine.Acceptance{By: w.name(), Offer: rec.Seal.Offer.Nonce}
		}
	case 7:
		rec.Seal = nil
	}
	w.told = append(w.told, rec)
	return rec
}

// nonsense is any record, with a seal that may be intact.
func (w *whatever) nonsense() engine.Record {
	rec := engine.Record{
		UID: "uid-1", Version: engine.Version(30 + w.die.below(40)), Holder: w.name(),
		Duration: time.Duration(w.die.below(30)) * time.Second, Transitions: w.die.below(3),
		Renewed: epoch.Add(time.Duration(w.die.below(100)) * time.Second),
	}
	if w.die.below(4) == 0 {
		rec.Tombstone = fmt.Sprintf("s1-%d", w.die.below(4))
	}
	if w.die.below(3) > 0 {
		rec.Seal = &engine.Seal{
			Lock: rec.UID, Holder: rec.Holder, Duration: rec.Duration, Renewed: rec.Renewed, Transitions: rec.Transitions,
			PodUID: fmt.Sprintf("pod-%d", w.die.below(3)), Start: fmt.Sprintf("s%d", w.die.below(3)), Nonce: fmt.Sprintf("s1-%d", w.die.below(6)),
			Term: engine.Term(w.die.below(60)), Released: w.die.below(2) > 0, To: w.name(),
		}
		if w.die.below(2) == 0 {
			rec.Seal.Offer = &engine.Offer{Nonce: fmt.Sprintf("o%d", w.die.below(3)), To: w.name()}
		}
	}
	return rec
}

// step tells both machines, and judges what the candidate does.
func (w *whatever) step(ev engine.Event) {
	now := w.now()
	before, _, led := w.m.Leads(now)
	acts := w.m.Step(now, ev)
	if again := w.twin.Step(now, ev); !reflect.DeepEqual(acts, again) {
		w.fail("%T: the same events gave %+v and, to who was never asked anything, %+v", ev, acts, again)
	}
	if a, ok := ev.(engine.Answer); ok && a.Op == w.request {
		w.request = 0
	}
	if w.over && len(acts) > 0 {
		w.fail("%+v after the end", acts)
	}
	stopped := false
	for _, act := range acts {
		stopped = w.judge(now, act) || stopped
	}
	if after, _, leads := w.m.Leads(now); led && !stopped && (!leads || after != before) {
		w.fail("%T: term %v ended without a word", ev, before)
	}
}

// judge holds one action against the laws. It says whether a lead was ended.
func (w *whatever) judge(now engine.Now, action engine.Action) bool {
	switch a := action.(type) {
	case engine.Read:
		w.send(a.Op)
	case engine.Create:
		w.send(a.Op)
		w.fresh(a.Put.Tombstone)
	case engine.Swap:
		w.send(a.Op)
		if a.Kind == engine.Hold {
			w.fresh(a.Put.Seal.Nonce)
			w.sent = append(w.sent, sentSwap{now, a})
		}
	case engine.WakeAt:
		if w.wake = a.At; a.At <= now.Boot {
			w.fail("wants to be woken at %v, now is %v", a.At, now.Boot)
		}
	case engine.Lead:
		w.lead(now, a)
	case engine.StopLeading:
		if !w.began || a.Term != w.term {
			w.fail("%+v, but term %v leads: %v", a, w.term, w.began)
		}
		w.began = false
		return true
	case engine.Report:
		if a.Kind == engine.EtcdRestored {
			w.top = 0 // terms may fall now
		}
	case engine.Finished:
		w.over = true
	}
	return false
}

func (w *whatever) send(op engine.Op) {
	if w.request != 0 || op <= w.lastOp {
		w.fail("request %d while %d is under way, after %d", op, w.request, w.lastOp)
	}
	w.request, w.lastOp = op, op
}

func (w *whatever) fresh(nonce string) {
	if nonce == "" || w.nonces[nonce] {
		w.fail("the nonce %q is used twice", nonce)
	}
	w.nonces[nonce] = true
}

// lead judges a lead or its extension: it must be by a write of the candidate,
// and count from when that was sent.
func (w *whatever) lead(now engine.Now, a engine.Lead) {
	if a.Begin == w.began {
		w.fail("%+v, but a lead stands: %v", a, w.began)
	}
	if a.Begin && a.Term <= w.top || !a.Begin && a.Term != w.term {
		w.fail("term %v after %v", a.Term, w.top)
	}
	w.began, w.term, w.top = true, a.Term, a.Term
	if !a.Trust.Holds(now) {
		w.fail("%+v is over already", a)
	}
	if a.Trust.Length > ttl-margin {
		w.fail("trusts for %v", a.Trust.Length)
	}
	for _, s := range w.sent {
		if s.sent == a.Trust.Sent && s.swap.Put.Seal.Term == a.Term && s.swap.Put.Holder == "me" {
			return
		}
	}
	w.fail("%+v counts from no write of mine", a)
}

// ask asks what may be asked at any time, which must change nothing and say
// nothing that is over.
func (w *whatever) ask() {
	now := w.now()
	view := w.m.View(now)
	if again := w.m.View(now); again != view {
		w.fail("%+v and then %+v", view, again)
	}
	term, trust, leads := w.m.Leads(now)
	if leads && (now.Boot >= trust.Until() || term != w.term || !w.began) {
		w.fail("leads term %v until %v at %v", term, trust.Until(), now.Boot)
	}
	if view.Leading != leads || (view.Leader == "me") != leads || (view.Waiting == "") != leads {
		w.fail("%+v, but leads: %v", view, leads)
	}
	// A machine that is told nothing new does not lead past its trust.
	later := now
	later.Boot = max(later.Boot, trust.Until())
	if _, _, leads := w.m.Leads(later); leads {
		w.fail("leads at the end of its trust, %v", trust.Until())
	}
}
