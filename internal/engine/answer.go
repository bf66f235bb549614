package engine

import "time"

// answered takes the answer to the request under way; any other is ignored.
func (m *Machine) answered(a Answer) {
	f := m.flight
	if f == nil || a.Op != f.op {
		return
	}
	m.flight = nil
	switch a.Outcome {
	case OK:
		m.succeeded(f, a.Record)
	case Absent:
		m.notThere(f)
	case Conflict:
		m.conflicted()
	case Refused:
		// Nothing was stored, so nothing of it can show up later.
		delete(m.writes, f.nonce)
		delete(m.creates, f.nonce)
		m.failed(a.RetryAfter)
	default:
		if !f.isRead {
			m.rebuffed()
		}
		m.failed(a.RetryAfter)
	}
}

func (m *Machine) succeeded(f *flight, rec Record) {
	m.failures, m.quiet = 0, 0
	if f.isRead {
		m.mustRead = false
		m.lock.read = true
		m.schedulePoll()
		m.learn(rec, fromRead, f.floor)
		return
	}
	if !m.shows(f, &rec) {
		// A 200 that does not show this very write proves nothing (law 1).
		m.rebuffed()
		m.failed(0)
		return
	}
	m.rebuffs, m.swapQuiet = 0, 0
	if f.release {
		m.freed()
	}
	m.learn(rec, fromSwap, f.floor)
}

// shows says whether the answer's body is the write that was asked for.
func (m *Machine) shows(f *flight, rec *Record) bool {
	if rec.Seal != nil && rec.Seal.Nonce == f.nonce {
		return true
	}
	if rec.Acceptance != nil && rec.Acceptance.By == m.cfg.ID && rec.Acceptance.Start == m.cfg.Start && rec.Acceptance.Offer == f.nonce {
		return true
	}
	return rec.tombstone() && rec.Tombstone == f.nonce
}

// notThere takes a 404. Only a read that no newer news overtook proves that the
// lock is gone.
func (m *Machine) notThere(f *flight) {
	if !f.isRead || m.lock.newest > f.floor {
		if f.isRead {
			m.mustRead = true
		} else {
			m.rebuffed()
		}
		m.failed(0)
		return
	}
	m.mustRead = false
	if !m.lock.read {
		m.lock.read, m.lock.missing = true, m.lock.newest == 0
	}
	m.schedulePoll()
	m.gone("the lock is missing")
}

// conflicted takes a 409. It may be my own committed write, so only a
// consistent read decides.
func (m *Machine) conflicted() {
	m.failures, m.quiet = 0, 0
	m.rebuffed()
}

// rebuffed takes a write that was not shown to have been stored: a consistent
// read comes before the next one, and, since reads may go on succeeding where
// writes do not, writes have a backoff of their own.
func (m *Machine) rebuffed() {
	m.mustRead = true
	m.rebuffs++
	if m.rebuffs > 1 {
		m.swapQuiet = m.now.Boot + m.backoff(m.rebuffs-1)
	}
}

// failed backs off after a request that brought no news.
func (m *Machine) failed(after time.Duration) {
	m.failures++
	wait := m.backoff(m.failures - 1)
	limit := m.cfg.TTL
	if m.leading {
		limit = m.cfg.RenewEvery
	}
	m.quiet = m.now.Boot + max(wait, min(after, limit))
	m.schedulePoll()
}

// backoff doubles from one failure to the next up to a second, with jitter.
// The first is free: a fresh connection often mends it.
func (m *Machine) backoff(n int) time.Duration {
	if n <= 0 {
		return 0
	}
	wait := lastBackoff
	if n < 6 {
		wait = min(firstBackoff<<n, lastBackoff)
	}
	return m.jittered(wait, 0.5)
}
