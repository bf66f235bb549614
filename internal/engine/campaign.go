package engine

import (
	"fmt"
	"time"
)

// campaign is what a standby does: it waits until the lock is free for it, and
// then swaps on exactly the version that it knows (law 4).
func (m *Machine) campaign() {
	if m.restored() {
		m.due(m.restoredTill) // a record may be mine again then
	}
	if m.gate != "" && !m.lock.present && m.unfit == "" && !m.stopping && m.app.state != appStopping {
		m.bury() // so that the wait for it is over when the other lock is led
		return
	}
	if !m.willing() || m.app.state == appStopping {
		return
	}
	if !m.lock.present {
		m.bury()
		return
	}
	rec := &m.lock.rec
	if rec.Paused && !m.predecessor(rec) {
		return
	}
	if m.answerable() {
		m.accept()
		return
	}
	if m.due(m.freeAt()) {
		m.acquire()
	}
}

// freeAt is the boot instant from which the known version may be swapped.
func (m *Machine) freeAt() time.Duration {
	k := &m.lock
	rec := &k.rec
	switch {
	case m.restored():
		return max(m.restoredTill, k.since+m.patience(rec))
	case m.mine(rec), m.predecessor(rec), m.firstInstall(rec):
		return k.since
	case rec.released():
		if rec.Seal.To != "" && rec.Seal.To != m.cfg.ID {
			return k.since + acceptorFirst
		}
		return k.since
	default:
		return k.since + m.patience(rec)
	}
}

// patience is how long the same version must have been known before it may be
// swapped. Only our own intact seal shortens it to the record's own duration.
func (m *Machine) patience(rec *Record) time.Duration {
	if rec.sealed() && rec.Holder != "" && rec.Duration > 0 {
		return rec.Duration
	}
	return m.longest()
}

// longest is the longest lease that a leader of this lock may have, with what
// a foreign one may add to it.
func (m *Machine) longest() time.Duration {
	if m.lock.slack {
		return m.lock.longest + ForeignSlack
	}
	return m.lock.longest
}

// firstInstall says whether the record is my own tombstone of a lock that was
// missing when this process first looked, and the operator vouches that nobody
// led by it (law 10).
func (m *Machine) firstInstall(rec *Record) bool {
	if !m.cfg.Immediate || !m.lock.missing || !rec.tombstone() {
		return false
	}
	_, ours := m.creates[rec.Tombstone]
	return ours
}

// bury creates a tombstone for a lock that is missing: a leader of the deleted
// one may still act (law 10).
func (m *Machine) bury() {
	stamp := m.stamp(time.Time{})
	put := Record{
		Holder:    Vacant,
		Duration:  m.lock.longest,
		Acquired:  stamp,
		Renewed:   stamp,
		Tombstone: m.nonce(),
	}
	f := &flight{op: m.op(), floor: m.lock.newest, nonce: put.Tombstone}
	m.flight = f
	if len(m.creates) > maxUnknown {
		clear(m.creates) // a tombstone that is not known as mine is waited for
	}
	m.creates[f.nonce] = struct{}{}
	if !m.lock.buried {
		m.lock.buried = true
		m.emit(Report{Kind: LockMissing, Detail: fmt.Sprintf("the lock is missing: a placeholder is created, and the lead is open %v later", m.openAfter())})
	}
	m.emit(Create{Op: f.op, Put: put, Timeout: m.attempt()})
}

// openAfter is how long a tombstone is waited for, for the operator.
func (m *Machine) openAfter() time.Duration {
	if m.cfg.Immediate && m.lock.missing {
		return 0
	}
	return m.longest()
}
