package engine

import "time"

// OfSecond is an event of a Pair's second lock: an Answer, an Observation or
// Watching. Without it they concern the first.
type OfSecond struct{ Event Event }

// OnSecond is an action that concerns a Pair's second lock: Read, Swap, Create,
// Rewatch, Report.
type OnSecond struct{ Action Action }

// gated says whether the other lock of a pair allows to lead.
type gated struct{ why string } // empty: it does

func (OfSecond) event()  {}
func (gated) event()     {}
func (OnSecond) action() {}

// The words of the two gates.
const (
	needsFirst  = "the Endpoints are not held, and the Lease is taken only after them"
	needsSecond = "the Lease has not been read yet, and the Endpoints alone are of no use"
)

// Pair is one candidate of an election that two locks decide (law 18): it leads
// while it leads both. Each lock has a machine of its own that keeps all laws, so
// the pair is as safe as either. The first machine's lead is the gate of the
// second's, and the second's part is what the first waits for before it releases,
// as it would wait for an app. Like a Machine it is a function of its inputs.
type Pair struct {
	first, second *Machine

	now Now
	out []Action

	leading   bool // the app was told to lead
	finished  bool
	trust     Trust // as last told
	ended     StopLeading
	fell      bool // the second lead ended, so the first has to
	stuck     bool // the first is held, and the second cannot be had
	stuckTill time.Duration
	offers    map[uint64]string // hand-overs that the second lock is asked for next
	proofs    map[uint64]int    // confirmations that are still to come
	announced string
	wakeAt    time.Duration
}

// NewPair joins two machines that know nothing yet.
func NewPair(first, second Config) *Pair {
	// The first waits for the second's app and release.
	second.StopTimeout = max(second.StopTimeout, 0)
	if second.StopTimeout == 0 {
		second.StopTimeout = 5 * time.Second
	}
	first.StopTimeout = second.StopTimeout + second.TTL
	p := &Pair{first: New(first), second: New(second), offers: map[uint64]string{}, proofs: map[uint64]int{}}
	p.first.gate, p.second.gate = needsSecond, needsFirst
	return p
}

// Step is Machine.Step for both.
func (p *Pair) Step(now Now, ev Event) []Action {
	p.now, p.out = now, nil
	if p.finished {
		return nil
	}
	for _, m := range []*Machine{p.first, p.second} {
		if m.leading && !m.trust.Holds(now) {
			p.turn(m, Tick{}) // nothing is decided upon a trust that is over
			p.join()
		}
	}
	p.handle(ev)
	p.join()
	for _, m := range []*Machine{p.first, p.second} {
		if !m.finished && m.wakeAt != 0 && m.wakeAt <= now.Boot {
			p.turn(m, Tick{})
			p.join()
		}
	}
	p.tell()
	p.sleep()
	return p.out
}

// Leads is Machine.Leads: both leads hold at now.
func (p *Pair) Leads(now Now) (Term, Trust, bool) {
	_, a, ok1 := p.first.Leads(now)
	term, b, ok2 := p.second.Leads(now)
	if !ok1 || !ok2 || !p.leading {
		return 0, Trust{}, false
	}
	return term, lesser(a, b), true
}

func lesser(a, b Trust) Trust {
	if a.Until() < b.Until() {
		return a
	}
	return b
}

func (p *Pair) handle(ev Event) {
	switch e := ev.(type) {
	case OfSecond:
		p.turn(p.second, e.Event)
	case Answer, Observation, Watching:
		p.turn(p.first, e)
	case Stopped:
		p.turn(p.second, e)
	case HandOver:
		if _, _, ok := p.Leads(p.now); !ok {
			p.emit(HandedOver{ID: e.ID, Refusal: "this candidate does not lead"})
			return
		}
		p.offers[e.ID] = e.To
		p.turn(p.first, e)
	case Confirm:
		p.proofs[e.ID] = 2
		p.turn(p.first, e)
		p.turn(p.second, e)
	case Tick:
		p.wakeAt = 0
		p.turn(p.first, e)
		p.turn(p.second, e)
	default: // Fitness, Yield, Resume, Stop; the app hears of the second's lead
		p.turn(p.second, e)
		p.turn(p.first, e)
	}
}

func (p *Pair) emit(a Action) { p.out = append(p.out, a) }

// turn steps one machine and passes on what is not between the two.
func (p *Pair) turn(m *Machine, ev Event) {
	for _, action := range m.Step(p.now, ev) {
		switch a := action.(type) {
		case Lead, WakeAt, Announce, Finished:
			// The pair tells its own.
		case StopLeading:
			p.stopped(m, a)
		case Read, Swap, Create, Rewatch:
			if m == p.second {
				action = OnSecond{action}
			}
			p.emit(action)
		case HandedOver:
			p.handedOver(m, a)
		case Confirmed:
			p.confirmed(a)
		case Report:
			if m == p.second {
				p.emit(OnSecond{a})
			} else if a.Kind != StopUnconfirmed { // the app's stop is the second's
				p.emit(a)
			}
		default:
			p.emit(a)
		}
	}
}

// stopped takes the end of one lead. The app hears of the second's only, with
// the reason for which the first ended where that came before.
func (p *Pair) stopped(m *Machine, s StopLeading) {
	if m == p.first {
		p.ended = s
		return
	}
	if s.Reason == Unfit && s.Detail == needsFirst {
		s.Reason, s.Detail = p.ended.Reason, p.ended.Detail
	}
	p.leading, p.trust = false, Trust{}
	p.fell = true
	p.ended = s
	p.emit(s)
}

// handedOver takes the answer to an offer. Where nobody accepted on the first
// lock, those who compete for the second alone are asked.
func (p *Pair) handedOver(m *Machine, h HandedOver) {
	to, asked := p.offers[h.ID]
	delete(p.offers, h.ID)
	if _, _, leads := p.Leads(p.now); asked && leads && h.Refusal != "" && !p.first.lock.rec.Paused && m == p.first {
		p.turn(p.second, HandOver{ID: h.ID, To: to})
		return
	}
	p.emit(h)
}

// confirmed answers once both locks have.
func (p *Pair) confirmed(c Confirmed) {
	left, asked := p.proofs[c.ID]
	if !asked {
		return
	}
	term, _, leads := p.Leads(p.now)
	if left--; left > 0 && c.Term != 0 && leads {
		p.proofs[c.ID] = left
		return
	}
	delete(p.proofs, c.ID)
	if c.Term == 0 || !leads {
		term = 0
	}
	p.emit(Confirmed{ID: c.ID, Term: term})
}

// join lets each machine know what the other's state means for it, until both
// agree.
func (p *Pair) join() {
	for range 16 {
		a, b := p.first, p.second
		switch over := b.relinquished(p.now); {
		case a.gate != "" && b.lock.read:
			p.turn(a, gated{})
		case a.leading && b.gate != "" && a.app.state == appActing:
			p.stuck, p.fell = false, false
			p.turn(b, gated{})
		case !a.leading && b.gate == "":
			p.turn(b, gated{needsFirst})
		case p.fell && a.leading:
			p.fell = false
			p.turn(a, Yield{Reason: p.ended.Detail})
		case p.blocked() && p.now.Boot >= p.stuckTill:
			p.stuck = false
			p.turn(a, Yield{Reason: "the Lease cannot be taken"})
		case over && !a.finished && (a.app.state == appStopping || a.app.state == appUnknown):
			p.turn(a, Stopped{Term: a.app.term, Confirmed: true})
		case b.app.state == appUnknown && a.app.state == appStopping:
			p.turn(a, Stopped{Term: a.app.term})
		default:
			return
		}
	}
}

// blocked says whether the first lock is held in vain: not because somebody
// else holds the second, whose lease is waited for, but because it can be
// neither read nor written. Others may do better, so the first is given up after
// two leases of that.
func (p *Pair) blocked() bool {
	b := p.second
	waits := b.lock.present && (b.lock.rec.Paused || p.now.Boot < b.freeAt())
	if !p.first.leading || b.leading || b.app.state != appIdle || waits {
		p.stuck = false
		return false
	}
	if !p.stuck {
		p.stuck, p.stuckTill = true, p.now.Boot+2*b.cfg.TTL
	}
	return true
}

// relinquished says whether nothing acts by this lock, and it is released or
// its lease has run out.
func (m *Machine) relinquished(now Now) bool {
	switch {
	case m.leading || m.app.state != appIdle:
		return false
	case m.finished, !m.wrote, now.Boot >= m.heldFrom+m.cfg.TTL:
		return true
	case m.flight != nil && !m.flight.isRead, m.lock.present && m.mine(&m.lock.rec):
		return false
	}
	return !m.mustRead || len(m.writes) == 0
}

// tell says what is new of the lead of both.
func (p *Pair) tell() {
	a, b := p.first, p.second
	if a.leading && b.leading {
		if t := lesser(a.trust, b.trust); t != p.trust {
			begin := !p.leading
			p.leading, p.trust = true, t
			p.emit(Lead{Term: b.term, Trust: t, Begin: begin})
		}
	}
	if name := p.leader(p.now); name != p.announced {
		p.announced = name
		p.emit(Announce{Leader: name})
	}
	if a.finished && b.finished {
		p.finished = true
		p.emit(Finished{})
	}
}

// sleep asks to be woken at the earliest instant that either waits for.
func (p *Pair) sleep() {
	if p.finished {
		return
	}
	next := time.Duration(0)
	sooner := func(at time.Duration) {
		if at > p.now.Boot && (next == 0 || at < next) {
			next = at
		}
	}
	for _, m := range []*Machine{p.first, p.second} {
		if !m.finished {
			sooner(m.wakeAt)
		}
	}
	if p.stuck {
		sooner(p.stuckTill)
	}
	if p.first.app.state == appStopping && p.second.wrote {
		sooner(p.second.heldFrom + p.second.cfg.TTL)
	}
	if next != 0 && (next != p.wakeAt || p.wakeAt <= p.now.Boot) {
		p.wakeAt = next
		p.emit(WakeAt{At: next})
	}
}

// leader is the name to tell. Who leads by the first lock alone (0.5) is known by
// a record that is not ours; whoever is ours leads by the second.
func (p *Pair) leader(now Now) string {
	if _, _, ok := p.Leads(now); ok {
		return p.first.cfg.ID
	}
	if p.byFirst(now) {
		return p.first.leader(now)
	}
	if name := p.second.leader(now); name != p.first.cfg.ID {
		return name
	}
	return ""
}

func (p *Pair) byFirst(now Now) bool {
	rec := &p.first.lock.rec
	return p.first.lock.present && rec.foreign() && p.first.leader(now) != ""
}

// View is Machine.View of both.
func (p *Pair) View(now Now) View {
	a, b := p.first.View(now), p.second.View(now)
	v := b
	if p.byFirst(now) {
		v = a
	}
	v.Known, v.Fit, v.Paused = a.Known && b.Known, b.Fit, a.Paused || b.Paused
	v.Leader = p.leader(now)
	v.Leading, v.Term, v.Trust = false, 0, Trust{}
	if term, trust, ok := p.Leads(now); ok {
		v.Leading, v.Term, v.Trust, v.Waiting, v.Vacant = true, term, trust, "", ""
		return v
	}
	switch {
	case v.Leader != "":
		v.Vacant = ""
	case v.Vacant == "": // of that lock alone somebody is the holder
		v.Vacant = "the two locks do not name the same leader"
	}
	if v.Leader == "" {
		v.Since = time.Time{}
	} else if !p.byFirst(now) {
		v.Term = b.Term
	}
	switch {
	case !p.first.leading && p.second.unfit == "" && p.second.gate != "":
		v.Waiting = "the Endpoints: " + a.Waiting
	default:
		v.Waiting = "the Lease: " + b.Waiting
	}
	return v
}

// Views is each lock's own view.
func (p *Pair) Views(now Now) []View { return []View{p.first.View(now), p.second.View(now)} }
