package engine

import (
	"fmt"
	"time"
)

// knowledge is what this candidate knows of the lock object.
type knowledge struct {
	read    bool // a consistent read was answered once
	present bool
	rec     Record
	since   time.Duration // when rec's version had been decoded here
	newest  Version       // of all news, deletions included
	watched Version       // the newest that the watch brought
	highest Term          // of all that intact seals showed
	longest time.Duration // the longest lease duration known on this lock

	lagging  bool          // the watch has not brought rec yet
	lagSince time.Duration // since when, or when that was last mended
	buried   bool          // a missing lock was reported

	missing  bool // the first consistent read found no lock, and nothing but my own tombstone was seen since (law 10)
	slack    bool // a foreign candidate held the lock, and none of ours has held it since
	restarts int  // writes in a row that restarted patience without renewing

	offer      string        // nonce of the offer seen last
	offerSince time.Duration // when it was first seen
}

// source says how news came, which decides what it may prove.
type source int

const (
	fromWatch source = iota
	fromRead
	fromSwap
)

// gone forgets the record of a lock that was deleted. Whoever led by it may
// still act, so its durations are kept.
func (m *Machine) gone(why string) {
	if m.lock.present {
		m.lock.missing = false
	}
	m.lock.present, m.lock.lagging = false, false
	m.lock.rec = Record{}
	clear(m.writes)
	if m.leading {
		m.end(Lost, why)
	}
	m.orderly = false
	m.answerOffer(why)
}

// observed takes news from the watch.
func (m *Machine) observed(o Observation) {
	if !o.Deleted {
		m.lock.watched = max(m.lock.watched, o.Record.Version)
		m.lock.lagging = m.lock.lagging && m.lock.watched < m.lock.newest
		m.learn(o.Record, fromWatch, 0)
		return
	}
	switch {
	case o.Record.Version == 0:
		// A list may come from a lagging cache: a reason to look, no more.
		m.mustRead = m.mustRead || m.lock.present
		m.lock.lagging = m.lock.lagging && m.lock.present
	case o.Record.Version >= m.lock.newest:
		m.lock.newest, m.lock.watched, m.lock.lagging = o.Record.Version, o.Record.Version, false
		m.mustRead, m.lock.missing = true, false
		m.gone("the lock was deleted")
	}
}

// learn takes what the lock says, in a version that is known to have existed.
func (m *Machine) learn(rec Record, from source, floor Version) {
	if from != fromWatch && rec.Version < floor {
		m.restore(rec)
		return
	}
	if rec.Version < m.lock.newest {
		m.recall(&rec)
		return // a lagging cache, or an answer that newer news overtook
	}
	if m.lock.present && rec.Version == m.lock.rec.Version && rec.UID == m.lock.rec.UID {
		return
	}
	m.keep(rec)
	m.confirm()
	m.judge()
}

// recall takes from older news what it tells of those who may still act: how
// long their leases are (law 4), and that there was a higher term, so that what
// is known is an old copy (law 12).
func (m *Machine) recall(rec *Record) {
	k := &m.lock
	k.longest = max(k.longest, rec.Duration)
	if !k.rec.sealed() && rec.foreign() {
		k.slack = true
	}
	if !rec.sealed() || rec.Seal.Term <= k.highest {
		return
	}
	k.highest = rec.Seal.Term
	if k.present && k.rec.Seal != nil && k.rec.Seal.Term < k.highest && !k.rec.old {
		k.rec.old = true
		m.judge()
	}
}

// keep makes rec what is known, and starts patience with it.
func (m *Machine) keep(rec Record) {
	k := &m.lock
	rec.old = rec.Seal != nil && rec.Seal.Term < k.highest // somebody wrote back what the lock once said
	if rec.sealed() {
		k.highest = rec.Seal.Term
	}
	if k.present && sameSaying(&k.rec, &rec) {
		k.restarts++
	} else {
		k.restarts = 0
	}
	if rec.Malformed != "" && (!k.present || k.rec.Malformed != rec.Malformed) {
		m.emit(Report{Kind: LockMalformed, Detail: rec.Malformed})
	}
	k.present, k.buried = true, false
	k.rec, k.since, k.newest = rec, m.now.Boot, rec.Version
	if rec.Version > k.watched && !k.lagging {
		k.lagging, k.lagSince = true, m.now.Boot
	}
	switch {
	case rec.foreign():
		k.slack = true
	case rec.sealed():
		k.slack = false
	}
	if _, ours := m.creates[rec.Tombstone]; !ours || !rec.tombstone() {
		k.missing = false
	}
	k.longest = max(k.longest, rec.Duration)
	if rec.Seal != nil {
		k.longest = max(k.longest, rec.Seal.Duration)
		if o := rec.Seal.Offer; o != nil && o.Nonce != k.offer {
			k.offer, k.offerSince = o.Nonce, m.now.Boot
		}
	}
	m.rebuffs, m.swapQuiet = 0, 0
	for nonce, w := range m.writes {
		// A swap on an older version can no longer be committed.
		if w.on < rec.Version && (rec.Seal == nil || rec.Seal.Nonce != nonce) {
			delete(m.writes, nonce)
		}
	}
}

// sameSaying says whether two versions say the same of the holder, so that the
// newer one only restarted patience.
func sameSaying(a, b *Record) bool {
	return a.Holder == b.Holder && a.Renewed.Equal(b.Renewed) &&
		(a.Seal == nil) == (b.Seal == nil) && (a.Seal == nil || a.Seal.Nonce == b.Seal.Nonce)
}

// mine says whether the record is this very process's (law 6).
func (m *Machine) mine(r *Record) bool {
	return !m.restored() && r.sealed() && r.Holder == m.cfg.ID && r.Seal.Start == m.cfg.Start
}

// predecessor says whether the record is that of my own pod's dead process
// (law 11). Only the owner of the pod's socket knows a PodUID.
func (m *Machine) predecessor(r *Record) bool {
	return !m.restored() && m.cfg.PodUID != "" && r.sealed() && r.Holder == m.cfg.ID &&
		r.Seal.PodUID == m.cfg.PodUID && r.Seal.Start != m.cfg.Start
}

// confirm takes the known record as the proof of a write of mine.
func (m *Machine) confirm() {
	rec := &m.lock.rec
	if rec.Seal == nil {
		return
	}
	w, known := m.writes[rec.Seal.Nonce]
	if !known {
		return
	}
	if !m.mine(rec) {
		if rec.released() {
			m.freed()
		}
		return
	}
	m.renewAt = w.sent.Boot + m.cfg.RenewEvery - time.Duration(float64(m.cfg.RenewEvery)*renewJitter*w.sent.Jitter)
	trust := Trust{Sent: w.sent, Length: m.cfg.TTL - m.cfg.Margin, Margin: m.cfg.Margin}
	switch {
	case m.leading && m.term == w.term:
		m.proved(w)
		if trust.Until() > m.trust.Until() {
			m.trust = trust
			if !trust.Holds(m.now) {
				m.end(Expired, "the wall clock ran ahead since the renewal was sent")
				return
			}
			m.emit(Lead{Term: m.term, Trust: m.trust})
		}
	case !m.leading && w.acquire && !w.stale && trust.Holds(m.now):
		m.begin(w.term, trust)
	}
}

// freed takes a confirmed release of mine. A second confirmation changes nothing.
func (m *Machine) freed() {
	if m.yielding {
		m.heldTill = min(m.heldTill, m.now.Boot+yieldSlack)
	}
	m.answerOffer("")
}

// judge draws the consequences of a record that was not known before.
func (m *Machine) judge() {
	rec := &m.lock.rec
	if m.mine(rec) {
		m.judgeOffer()
		return
	}
	if m.leading {
		m.end(Lost, m.lossReason(rec))
	}
	m.orderly = false
	if rec.leader() != "" && rec.Holder != m.cfg.ID {
		m.yielding = false
	}
	if m.heir != "" && rec.Holder == m.heir {
		m.answerOffer("")
	} else if !rec.released() {
		m.answerOffer(m.lossReason(rec))
	}
	if rec.Holder == m.cfg.ID && !m.predecessor(rec) {
		m.reportTwin(rec)
	}
	if m.lock.restarts == noisyRestarts {
		m.emit(Report{Kind: PatienceRestart, Detail: fmt.Sprintf(
			"version %s is write number %d in a row that changed the lock without renewing it", rec.Version, noisyRestarts)})
	}
}

func (m *Machine) lossReason(rec *Record) string {
	switch {
	case rec.Malformed != "":
		return "the lock cannot be read: " + rec.Malformed
	case rec.old:
		return "an old copy was written over the lock"
	case rec.Holder == Vacant:
		return "the lock was deleted, and somebody made a new one"
	case rec.released():
		return "another process has held the lock since, and released it"
	case rec.Holder == "":
		return "the lock was emptied"
	case rec.Holder == m.cfg.ID && rec.sealed():
		return fmt.Sprintf("another process took the lock as %q", m.cfg.ID)
	case rec.Holder == m.cfg.ID:
		return "the lock was edited"
	default:
		return fmt.Sprintf("the lock names %q", rec.Holder)
	}
}

func (m *Machine) reportTwin(rec *Record) {
	start := "unsealed"
	if rec.sealed() {
		start = rec.Seal.Start
	}
	if start == m.twin || (rec.Seal != nil && rec.Seal.Start == m.cfg.Start) {
		return
	}
	m.twin = start
	m.emit(Report{Kind: TwinHolder, Detail: fmt.Sprintf("another process holds the lock as %q; give each candidate its own id", m.cfg.ID)})
}

// restore takes a read that is older than what was known before it was sent:
// etcd went back in time. Nothing that was known counts any more (law 12).
func (m *Machine) restore(rec Record) {
	detail := fmt.Sprintf("version %s was read after version %s was known", rec.Version, m.lock.newest)
	m.emit(Report{Kind: EtcdRestored, Detail: detail})
	if m.leading {
		m.end(Restored, "the lock's version fell")
	}
	m.orderly = false
	clear(m.writes)
	clear(m.creates)
	m.rebuffs, m.swapQuiet, m.mustRead = 0, 0, false
	m.answerOffer(detail)
	m.lock.present, m.lock.newest, m.lock.watched, m.lock.lagging, m.lock.highest = false, 0, 0, false, 0
	wait := m.longest() // a foreign holder of the lost records may act as well
	m.keep(rec)
	m.restoredTill = m.now.Boot + max(wait, m.longest())
	m.emit(Rewatch{})
}

// restored says whether etcd went back in time so short ago that a leader by a
// record that is lost may still act: until then no record counts for more than
// that it is there, whoever writes it anew.
func (m *Machine) restored() bool { return m.now.Boot < m.restoredTill }

// watching notes whether the watch stands; without it the lock is polled.
func (m *Machine) watching(w Watching) {
	if m.polling != w.OK {
		return
	}
	m.polling = !w.OK
	m.schedulePoll()
}

func (m *Machine) schedulePoll() {
	m.pollAt = m.now.Boot + m.jittered(min(m.cfg.TTL/5, 2*time.Second), 0.2)
}

// mendWatch gives up a watch that failed to bring what answers showed: a
// connection can be dead without a sign.
func (m *Machine) mendWatch() {
	k := &m.lock
	if k.lagging && !m.polling && m.due(k.lagSince+watchLag) {
		k.lagSince = m.now.Boot + 4*watchLag
		m.emit(Rewatch{})
	}
}

// pollDue says whether the lock must be read because nobody tells us of it. A
// leader learns from its renewals.
func (m *Machine) pollDue() bool {
	return m.polling && !m.leading && m.due(m.pollAt)
}
