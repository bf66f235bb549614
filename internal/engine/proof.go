package engine

import "slices"

// proof is a question whether this candidate leads still, which only a renewal
// sent later than it can answer.
type proof struct {
	id    uint64
	after Op // the last request before the question
}

// prove asks for a renewal at once. One that is under way was sent too early to
// prove anything: somebody may have taken the lock since.
func (m *Machine) prove(c Confirm) {
	if !m.leading {
		m.emit(Confirmed{ID: c.ID})
		return
	}
	m.proofs = append(m.proofs, proof{id: c.ID, after: m.lastOp})
}

// proved answers the questions that are older than a confirmed renewal. Its own
// trust may be over meanwhile; the step then ends the lead right after.
func (m *Machine) proved(w write) {
	m.proofs = slices.DeleteFunc(m.proofs, func(p proof) bool {
		if w.op <= p.after {
			return false
		}
		m.emit(Confirmed{ID: p.id, Term: w.term})
		return true
	})
}

// refuteAll answers the questions that are open when the lead ends.
func (m *Machine) refuteAll() {
	for _, p := range m.proofs {
		m.emit(Confirmed{ID: p.id})
	}
	m.proofs = nil
}
