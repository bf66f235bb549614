package engine

import (
	"math"
	"time"
)

// begin makes this candidate the leader, by a confirmed acquisition. One that
// may not lead any more (it is stopping, say) only holds the lock and gives it
// back, or lets it run out where its predecessor's app may act by it.
func (m *Machine) begin(term Term, trust Trust) {
	m.answerOffer("this candidate took the lead again")
	m.heir, m.orderly = "", false
	if m.stopping || m.unfit != "" || m.yielding || m.gate != "" {
		m.orderly = true
		return
	}
	m.leading, m.term, m.trust = true, term, trust
	m.app = app{state: appActing, term: term}
	m.emit(Lead{Term: term, Trust: trust, Begin: true})
}

// end ends the leadership in this very step (laws 7 and 8). Nothing that was
// sent for it can revive it.
func (m *Machine) end(why Reason, detail string) {
	m.leading = false
	m.trust = Trust{}
	for nonce, w := range m.writes {
		w.stale = true
		m.writes[nonce] = w
	}
	m.refuteAll()
	m.app = app{state: appStopping, term: m.term, deadline: m.now.Boot + m.cfg.StopTimeout}
	m.emit(StopLeading{Term: m.term, Reason: why, Detail: detail})
	if m.heir == "" {
		m.answerOffer("the lead ended: " + detail)
	}
}

// cede gives up the lead by law 9: the answers change in this step, the lock is
// renewed until the app has stopped, then released.
func (m *Machine) cede(why Reason, detail string) {
	m.orderly = true
	if m.offer != nil && m.accepted() {
		m.heir = m.lock.rec.Acceptance.By
	}
	m.end(why, detail)
}

// yield gives up the lead and lets somebody else go first (law 13).
func (m *Machine) yield(why Reason, detail string) {
	if !m.leading {
		return
	}
	m.yielding = true
	m.heldTill = m.lastSent + m.cfg.TTL + yieldSlack
	m.cede(why, detail)
}

func (m *Machine) fitness(f Fitness) {
	m.unfit = ""
	if !f.Fit {
		m.unfit = f.Reason
		if m.unfit == "" {
			m.unfit = "the app is not fit"
		}
		if m.leading {
			m.cede(Unfit, m.unfit)
		}
	}
}

func (m *Machine) stop() {
	m.stopping = true
	if m.leading {
		m.cede(Stopping, "this process was told to stop")
	}
}

// stopped takes the end of the app's part. Without confirmation in time there
// is no release: renewing ends and the lease runs out (law 9). A confirmation
// that comes later is one all the same: what still shows my seal is released.
func (m *Machine) stopped(s Stopped) {
	waiting := m.app.state == appStopping
	if s.Term != m.app.term || !waiting && m.app.state != appUnknown {
		return
	}
	if s.Confirmed {
		m.app.state = appIdle
		return
	}
	if !waiting {
		return // it was told when the time was over
	}
	m.app.state = appUnknown
	m.emit(Report{Kind: StopUnconfirmed, Detail: "the app did not confirm in time that it stopped; the lease runs out instead of being released"})
	m.answerOffer("the app did not confirm in time that it stopped, so the lock was not released")
}

// willing says whether this candidate would lead.
func (m *Machine) willing() bool {
	if m.yielding {
		m.due(m.heldTill)
	}
	return m.unfit == "" && !m.stopping && !m.yielding && m.gate == ""
}

// gated takes what the other lock of a pair allows (law 18).
func (m *Machine) gated(g gated) {
	m.gate = g.why
	if m.gate != "" && m.leading {
		m.cede(Unfit, m.gate)
	}
}

// lead renews, and places or withdraws an offer on the way.
func (m *Machine) lead() {
	m.heedRequest()
	m.ageOffer()
	if !m.offerDue() && len(m.proofs) == 0 && !m.due(m.renewAt) {
		return
	}
	put := m.renewal()
	if o := m.offer; o != nil && o.phase != offerWithdrawn && !m.lock.rec.Paused {
		if o.nonce == "" {
			o.nonce = put.Seal.Nonce
		}
		put.Seal.Offer = &Offer{Nonce: o.nonce, To: o.to}
	}
	m.swap(put, write{term: m.term})
}

// hold is for a record of mine while I do not lead: the last part of law 9, or
// a lead that ended by itself while the lock still names me (law 6).
func (m *Machine) hold() {
	rec := &m.lock.rec
	switch {
	case m.app.state == appStopping:
		if m.orderly && m.due(m.renewAt) {
			m.swap(m.renewal(), write{term: rec.Seal.Term})
		}
	case m.willing(), rec.Paused && m.unfit == "" && !m.stopping && m.gate == "":
		m.yielding = false
		m.acquire()
	case m.app.state == appUnknown:
		// Nobody knows whether the app still acts, so the lease runs out.
	case rec.Paused && !m.stopping:
		if m.due(m.renewAt) {
			m.swap(m.renewal(), write{term: rec.Seal.Term})
		}
	default:
		m.release()
	}
}

// renewal is the known record, written anew under a new nonce.
func (m *Machine) renewal() Record {
	old := &m.lock.rec
	put := Record{
		Holder:      m.cfg.ID,
		Duration:    m.cfg.TTL,
		Acquired:    old.Acquired,
		Renewed:     m.stamp(old.Renewed),
		Transitions: old.Transitions,
	}
	if r := old.Request; r != nil && r.From == m.cfg.ID && old.Paused {
		put.Request = r // it is heeded when the pause ends
	}
	m.seal(&put, old.Seal.Term)
	return put
}

// acquire swaps the known version for a record of mine. Its term is the version
// that it replaces (law 12).
func (m *Machine) acquire() {
	old := &m.lock.rec
	if m.predecessor(old) && old.Holder != "" {
		// My dead predecessor's app may act still. Unless I come to lead, and so
		// can stop it, nothing of this is released (law 9).
		m.app = app{state: appUnknown, term: old.Seal.Term}
	}
	put := Record{
		Holder:      m.cfg.ID,
		Duration:    m.cfg.TTL,
		Renewed:     m.stamp(old.Renewed),
		Transitions: old.Transitions,
	}
	put.Acquired = put.Renewed
	if old.Holder != m.cfg.ID && put.Transitions < math.MaxInt32 {
		put.Transitions++
	}
	m.seal(&put, Term(old.Version))
	m.swap(put, write{term: Term(old.Version), acquire: true})
}

// release frees the lock: it names the term that it ends (law 5) and, after a
// hand-over, the acceptor (law 15).
func (m *Machine) release() {
	put := m.renewal()
	put.Holder, put.Request = "", nil
	m.seal(&put, m.lock.rec.Seal.Term)
	if rec := &m.lock.rec; m.heir == "" && rec.accepted() && !rec.Paused {
		m.heir = rec.Acceptance.By
	}
	put.Seal.Released, put.Seal.To = true, m.heir
	m.swap(put, write{term: m.lock.rec.Seal.Term})
}

// seal repeats put's own fields in it (law 2).
func (m *Machine) seal(put *Record, term Term) {
	put.Seal = &Seal{
		Lock:        m.lock.rec.UID,
		Holder:      put.Holder,
		Duration:    put.Duration,
		Acquired:    put.Acquired,
		Renewed:     put.Renewed,
		Transitions: put.Transitions,
		PodUID:      m.cfg.PodUID,
		Start:       m.cfg.Start,
		Nonce:       m.nonce(),
		Term:        term,
	}
}

// swap sends a write of mine as holder, and remembers when.
func (m *Machine) swap(put Record, w write) {
	on := m.lock.rec
	f := &flight{op: m.op(), floor: m.lock.newest, nonce: put.Seal.Nonce, release: put.Seal.Released}
	m.flight = f
	w.op, w.sent, w.on = f.op, m.now, on.Version
	m.writes[f.nonce] = w
	m.forgetOldest()
	m.lastSent, m.wrote = m.now.Boot, true
	if !f.release {
		m.heldFrom = m.now.Boot
	}
	if m.yielding {
		m.heldTill = m.lastSent + m.cfg.TTL + yieldSlack
	}
	m.emit(Swap{Op: f.op, On: on, Put: put, Kind: Hold, Timeout: m.attempt()})
}

// forgetOldest bounds what is remembered of writes of unknown outcome. Forgetting
// one is safe: a record of mine is known by its start.
func (m *Machine) forgetOldest() {
	if len(m.writes) <= maxUnknown {
		return
	}
	oldest := ""
	for nonce, w := range m.writes {
		if oldest == "" || w.sent.Boot < m.writes[oldest].sent.Boot || (w.sent.Boot == m.writes[oldest].sent.Boot && nonce < oldest) {
			oldest = nonce
		}
	}
	delete(m.writes, oldest)
}

// stamp is the renew time of a write: the wall clock, or a second after the
// time that it replaces where that is later, so that foreign candidates, who
// compare whole seconds, see every write (law 17).
func (m *Machine) stamp(replaced time.Time) time.Time {
	wall := m.now.Wall.UTC().Truncate(time.Second)
	next := replaced.UTC().Truncate(time.Second).Add(time.Second)
	if next.Before(replaced.Add(time.Second)) {
		next = next.Add(time.Second)
	}
	if wall.After(next) || next.Year() > 9000 {
		return wall
	}
	return next
}
