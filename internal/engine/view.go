package engine

import (
	"fmt"
	"time"
)

// View is what this candidate can say of the election at one instant.
type View struct {
	Leading bool
	Term    Term  // mine while I lead, else of a leader of ours; zero: unknown or foreign
	Trust   Trust // zero unless Leading

	Known         bool   // the lock was read once
	Leader        string // empty: nobody, unknown, or a name that is mine but not my lead
	Since         time.Time
	Transitions   int
	Paused        bool
	HolderExpired bool   // the holder has not renewed for the length of its lease
	Fit           bool   // no health check says otherwise
	Waiting       string // why this candidate does not lead; empty while it does
	Vacant        string // why nobody leads; empty while somebody does
}

// View computes what may be told at now. It changes nothing.
func (m *Machine) View(now Now) View {
	rec := &m.lock.rec
	v := View{
		Known:         m.lock.read,
		Leader:        m.leader(now),
		Transitions:   rec.Transitions,
		Paused:        rec.Paused,
		HolderExpired: m.lock.present && rec.leader() != "" && now.Boot >= m.lock.since+m.shownFor(rec),
		Fit:           m.unfit == "",
	}
	if v.Leader != "" {
		v.Since = rec.Acquired
		if rec.sealed() {
			v.Term = rec.Seal.Term
		}
	}
	if m.leading && m.trust.Holds(now) {
		v.Leading, v.Term, v.Trust = true, m.term, m.trust
		return v
	}
	v.Waiting = m.waiting(now)
	if v.Leader == "" {
		v.Vacant = m.vacant(now)
	}
	return v
}

// vacant says in a sentence why nobody leads.
func (m *Machine) vacant(now Now) string {
	rec := &m.lock.rec
	switch {
	case !m.lock.present && !m.lock.read:
		return "the lock has not been read yet"
	case !m.lock.present:
		return "the lock is missing"
	case rec.Malformed != "":
		return "the lock cannot be read: " + rec.Malformed
	case rec.released():
		return "the lock was released"
	case rec.Holder == Vacant:
		return "the lock was deleted and made anew"
	case rec.Holder == "":
		return "the lock was emptied"
	case rec.Holder == m.cfg.ID:
		return "the lock names this candidate, which does not lead"
	case now.Boot >= m.lock.since+m.shownFor(rec):
		return "the lease ran out"
	}
	return ""
}

// leader is the name to tell. It expires with the lease, and my own name is
// told only while I lead.
func (m *Machine) leader(now Now) string {
	if m.leading && m.trust.Holds(now) {
		return m.cfg.ID
	}
	rec := &m.lock.rec
	if !m.lock.present || rec.Holder == m.cfg.ID || now.Boot >= m.lock.since+m.shownFor(rec) {
		return ""
	}
	return rec.leader()
}

// shownFor is how long a holder's name is told without news of it.
func (m *Machine) shownFor(rec *Record) time.Duration {
	if rec.Duration > 0 {
		return rec.Duration
	}
	return m.cfg.TTL
}

// announce tells when the leader's name changes, and wakes when it expires.
func (m *Machine) announce() {
	name := m.leader(m.now)
	if name != "" && !m.leading {
		m.due(m.lock.since + m.shownFor(&m.lock.rec))
	}
	if name != m.announced {
		m.announced = name
		m.emit(Announce{Leader: name})
	}
}

// waiting says in a sentence why this candidate does not lead.
func (m *Machine) waiting(now Now) string {
	rec := &m.lock.rec
	switch {
	case m.stopping:
		return "this process is stopping"
	case m.unfit != "":
		return "unfit: " + m.unfit
	case m.gate != "":
		return m.gate
	case !m.lock.read && !m.lock.present:
		return "the lock has not been read yet"
	case m.yielding:
		return "it gave up the lead and lets others go first"
	case m.app.state == appStopping:
		return "the app has not confirmed yet that it stopped"
	case !m.lock.present:
		return "the lock is missing"
	case rec.Paused && rec.leader() == "":
		return "the election is paused and nobody holds the lock"
	case rec.Paused:
		return fmt.Sprintf("the election is paused; %q holds the lock", rec.leader())
	}
	left := (m.freeAt() - now.Boot).Truncate(time.Millisecond)
	switch {
	case left <= 0:
		return "the lock is free; taking it"
	case rec.Malformed != "":
		return fmt.Sprintf("the lock cannot be read (%s); it is open in %v", rec.Malformed, left)
	case now.Boot < m.restoredTill:
		return fmt.Sprintf("etcd was restored; the lock is open in %v", left)
	case rec.leader() == "":
		return fmt.Sprintf("nobody holds the lock, but a leader unknown to it may still act; it is open in %v", left)
	default:
		return fmt.Sprintf("%q holds the lock", rec.leader())
	}
}
