package sim

import (
	"fmt"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// Invariant is something that must never be otherwise.
type Invariant string

// What the referee holds each step against.
const (
	// Exclusion: at no true instant may two apps act. Against a foreign
	// candidate it holds as far as law 17 promises: see foreign.acts.
	Exclusion Invariant = "exclusion"
	// TermsRise: every leadership has a higher term than all before it.
	TermsRise Invariant = "terms rise"
	// UnknownExtendsNothing: trust rests on a write that the server has stored
	// and that was shown to its sender, and ends D less the margin after that
	// write was sent.
	UnknownExtendsNothing Invariant = "no unknown extends trust"
	// Patience: a lock that is neither released, nor one's own, nor one's own
	// dead predecessor's is taken only on a version that was known for D, or for
	// the longest D known where the record is not to be trusted.
	Patience Invariant = "takeover only on a version known for D"
	// ForeignHeld: the same, of a record that names a foreign holder.
	ForeignHeld Invariant = "no write over a foreign holder"
	// OnlyOwnRecord: whoever does not acquire writes only over his own record.
	OnlyOwnRecord Invariant = "no write over another's record"
	// ReleaseAfterStop: the app has stopped before the lock is released.
	ReleaseAfterStop Invariant = "release after stop"
	// LostIsFinal: news of somebody else's write ends the lead in the same step,
	// and a lead that ended is not taken up again.
	LostIsFinal Invariant = "lost is final"
	// OneIncarnation: a predecessor's record is taken only when that process is
	// dead.
	OneIncarnation Invariant = "one live incarnation per identity"
	// WakeAhead: a wake-up lies ahead.
	WakeAhead Invariant = "wake-ups lie ahead"
	// OneRequest: one request is under way at most, and nothing repeats.
	OneRequest Invariant = "one request, and no nonce twice"
	// Liveness: when all faults have ended, somebody leads within a bound.
	Liveness Invariant = "liveness"
)

func (w *world) violate(which Invariant, format string, args ...any) {
	if w.result.Violation == "" {
		w.result.Broken, w.result.When = which, w.now
		w.result.Violation = fmt.Sprintf("%s: at %.3fs: ", which, w.now.Seconds()) + fmt.Sprintf(format, args...)
		w.log("VIOLATION of %s", w.result.Violation)
	}
}

// witness is all that one process was told and has sent, as the referee saw it.
type witness struct {
	known     map[engine.Version]time.Duration // when its boot clock showed when it was told first
	sent      []sent
	longest   time.Duration
	foreign   bool // a foreign candidate has held the lock, and none of ours since
	newest    engine.Version
	highest   engine.Term    // that it was told by an intact seal
	confirmed engine.Version // the newest that shows a write of its own
	ended     engine.Term    // of its last lead that ended
	nonces    map[string]bool
}

type sent struct {
	nonce string
	boot  time.Duration
	shown bool
}

func newWitness(ttl time.Duration) witness {
	return witness{known: map[engine.Version]time.Duration{}, nonces: map[string]bool{}, longest: ttl}
}

// intact says whether our seal stands in the record and agrees with it.
func intact(r *engine.Record) bool {
	s := r.Seal
	return s != nil && s.Lock == r.UID && s.Holder == r.Holder && s.Duration == r.Duration && s.Acquired.Equal(r.Acquired) &&
		s.Renewed.Equal(r.Renewed) && s.Transitions == r.Transitions
}

func isForeign(r *engine.Record) bool {
	return r.Holder != "" && r.Holder != engine.Vacant && !intact(r) && (r.Seal == nil || r.Seal.Holder != r.Holder)
}

// told is the record of an event, if it brings one.
func told(ev engine.Event) *engine.Record {
	switch e := ev.(type) {
	case engine.Answer:
		if e.Outcome == engine.OK {
			return &e.Record
		}
	case engine.Observation:
		if !e.Deleted {
			return &e.Record
		}
	}
	return nil
}

// hear notes what the process is told by an event.
func (c *candidate) hear(boot time.Duration, ev engine.Event) {
	r := told(ev)
	if r == nil {
		return
	}
	if _, ok := c.known[r.Version]; !ok {
		c.known[r.Version] = boot
		if len(c.known) > 64 {
			for v := range c.known {
				if v+64 < r.Version {
					delete(c.known, v)
				}
			}
		}
	}
	c.longest = max(c.longest, r.Duration)
	if r.Seal != nil {
		c.longest = max(c.longest, r.Seal.Duration)
	}
	if r.Version >= c.newest {
		c.newest = r.Version
		switch {
		case isForeign(r):
			c.foreign = true
		case intact(r):
			c.foreign = false
		}
	}
	if !intact(r) {
		return
	}
	c.highest = max(c.highest, r.Seal.Term)
	for i := range c.sent {
		if c.sent[i].nonce == r.Seal.Nonce {
			c.sent[i].shown = true
			c.confirmed = max(c.confirmed, r.Version)
		}
	}
}

// checkLost holds LostIsFinal: the process led in this term before the event.
func (c *candidate) checkLost(now engine.Now, before engine.Term, ev engine.Event) {
	after, _, leads := c.machine.Leads(now)
	if !leads || after != before {
		return
	}
	if o, ok := ev.(engine.Observation); ok && o.Deleted && o.Record.Version > c.confirmed {
		c.w.violate(LostIsFinal, "%s heard of the deletion at %s and leads on", c.name(), o.Record.Version)
	}
	r := told(ev)
	if r == nil || r.Version <= c.confirmed {
		return
	}
	if mine := intact(r) && r.Holder == c.id && r.Seal.Start == c.start; !mine {
		c.w.violate(LostIsFinal, "%s heard of version %s, %s, and leads on", c.name(), r.Version, describe(r))
	}
}

// checkLead holds a begin or an extension of trust against what was confirmed.
func (c *candidate) checkLead(a engine.Lead) {
	w := c.w
	if a.Term <= c.ended && !w.restored {
		w.violate(LostIsFinal, "%s takes up term %s again, which ended", c.name(), a.Term)
	}
	if a.Begin && a.Term <= w.topTerm && !w.restored {
		w.violate(TermsRise, "%s leads with term %s after term %s", c.name(), a.Term, w.topTerm)
	}
	if a.Begin && c.acting != 0 && !c.unconfirmed {
		w.violate(ReleaseAfterStop, "%s begins term %s while its app still acts for term %s", c.name(), a.Term, c.acting)
	}
	if a.Begin {
		w.topTerm = a.Term
		if w.restored && !w.excused() {
			w.restored = false
			for _, other := range w.candidates {
				other.highest, other.ended = 0, 0
			}
		}
	}
	if w.calm && !w.led {
		w.led, w.result.Led = true, w.now-length
	}
	for _, s := range c.sent {
		if s.boot == a.Trust.Sent.Boot && s.shown {
			if limit := s.boot + w.ttl - engine.DefaultMargin(w.ttl); a.Trust.Until() > limit {
				w.violate(UnknownExtendsNothing, "%s trusts for %v longer than D less the margin", c.name(), a.Trust.Until()-limit)
			}
			return
		}
	}
	w.violate(UnknownExtendsNothing, "%s trusts in a write that was never shown to it", c.name())
}

// checkSwap holds a write against the laws that can be seen when it is sent.
func (c *candidate) checkSwap(now engine.Now, a engine.Swap) {
	if a.Kind == engine.Accept {
		return
	}
	w := c.w
	if w.trace {
		w.log("%s -> swap %d on %s: %s", c.name(), a.Op, a.On.Version, describe(&a.Put))
	}
	c.fresh(a.Put.Seal.Nonce)
	if c.sent = append(c.sent, sent{nonce: a.Put.Seal.Nonce, boot: now.Boot}); len(c.sent) > 64 {
		c.sent = c.sent[1:]
	}
	if a.Put.Seal.Released && c.acting != 0 {
		w.violate(ReleaseAfterStop, "%s releases term %s while its app acts", c.name(), a.Put.Seal.Term)
	}
	on := &a.On
	if a.Put.Seal.Term == engine.Term(on.Version) {
		c.checkTakeover(now.Boot, on)
		return
	}
	if !intact(on) || on.Seal.Start != c.start || on.Holder != c.id || on.Seal.Term != a.Put.Seal.Term {
		w.violate(OnlyOwnRecord, "%s renews or releases over version %s: %s", c.name(), on.Version, describe(on))
	}
}

// checkTakeover holds an acquisition against laws 4 to 6 and 10 to 12.
func (c *candidate) checkTakeover(boot time.Duration, on *engine.Record) {
	w := c.w
	since, ok := c.known[on.Version]
	if !ok {
		w.violate(Patience, "%s swaps on version %s, which it was never told", c.name(), on.Version)
		return
	}
	waited := boot - since
	patience := c.longest
	if c.foreign || isForeign(on) {
		patience += engine.ForeignSlack
	}
	if intact(on) && on.Seal.Term >= c.highest {
		free := c.free(on, waited)
		if free && w.rolledBack && on.Seal.Term < w.topTerm {
			w.log("%s is deceived by an old copy", c.name())
			w.excuse()
		}
		if free {
			return
		}
		if on.Holder != "" {
			patience = on.Duration
		}
	}
	if waited >= patience || w.restored || w.excused() {
		return
	}
	which := Patience
	if isForeign(on) {
		which = ForeignHeld
	}
	w.violate(which, "%s takes version %s, %s, which it has known for %v of %v", c.name(), on.Version, describe(on), waited, patience)
}

// free says whether a record with an intact seal may be taken before its lease
// is over: a release, my own, my dead predecessor's.
func (c *candidate) free(on *engine.Record, waited time.Duration) bool {
	s := on.Seal
	switch {
	case on.Holder == "" && s.Released:
		return s.To == "" || s.To == c.id || waited >= 300*time.Millisecond
	case on.Holder != c.id:
		return false
	case s.Start == c.start:
		return true
	}
	if s.PodUID == "" || s.PodUID != c.pod || c.w.sockets[c.pod] != c {
		return false
	}
	if old := c.w.starts[s.Start]; old != nil && old.alive && old.start == s.Start {
		c.w.violate(OneIncarnation, "%s takes the lock as the successor of %s, which lives", c.name(), s.Start)
	}
	return true
}

func (c *candidate) fresh(nonce string) {
	if c.nonces[nonce] {
		c.w.violate(OneRequest, "%s uses the nonce %s twice", c.name(), nonce)
	}
	c.nonces[nonce] = true
}

// checkExclusion is the law of laws. The app of a pod whose process died and
// was started anew is one app.
func (w *world) checkExclusion() {
	var first *candidate
	for _, c := range w.candidates {
		if !c.leads() {
			continue
		}
		if first != nil {
			w.overlap(first.name(), c.name())
		}
		first = c
	}
	for i := 0; i < len(w.ghosts); i++ {
		g := &w.ghosts[i]
		if !g.leads() {
			w.ghosts = append(w.ghosts[:i], w.ghosts[i+1:]...)
			i--
			continue
		}
		if first != nil && first.pod != g.pod {
			w.overlap(first.name(), "the app that "+g.name()+" left behind")
		}
	}
	if first != nil && w.foreign != nil && w.foreign.acts() {
		w.overlap(first.name(), "the foreign candidate")
	}
}

func (w *world) overlap(a, b string) {
	if !w.excused() {
		w.violate(Exclusion, "%s and %s may act at once", a, b)
	}
}

// bound is how long after the last fault somebody leads at the latest: the last
// process is up and awake after 15 s, and then the longest patience there is
// goes by, with a foreign holder's slack, and what a tired candidate holds back.
func (w *world) bound() time.Duration {
	return 15*time.Second + w.ttl + longerForeign + engine.ForeignSlack + 5*time.Second
}
