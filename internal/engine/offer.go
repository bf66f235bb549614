package engine

import (
	"fmt"
	"time"
)

// offer is a hand-over that this leader was asked for (law 15).
type offer struct {
	id       uint64 // of the HandOver event; zero: an operator's request on the lock
	to       string
	nonce    string // of the first write that carries it; empty: not yet written
	phase    offerPhase
	deadline time.Duration
	why      string // of a withdrawal
}

type offerPhase int

const (
	offerWanted    offerPhase = iota // to be written by the next renewal
	offerStanding                    // confirmed in the seal
	offerWithdrawn                   // to be removed by the next renewal
)

// handOver takes a request from this process's own door.
func (m *Machine) handOver(h HandOver) {
	switch {
	case !m.leading:
		m.emit(HandedOver{ID: h.ID, Refusal: "this candidate does not lead"})
	case h.To == m.cfg.ID:
		m.emit(HandedOver{ID: h.ID, Refusal: "this candidate leads already"})
	case m.offer != nil:
		m.emit(HandedOver{ID: h.ID, Refusal: "another hand-over is under way"})
	case m.lock.rec.Paused:
		m.emit(HandedOver{ID: h.ID, Refusal: "the election is paused"})
	default:
		m.offer = &offer{id: h.ID, to: h.To, deadline: m.now.Boot + 2*offerLife}
	}
}

// heedRequest takes a request that an operator wrote on the lock. The renewal
// that carries the offer removes it.
func (m *Machine) heedRequest() {
	r := m.lock.rec.Request
	if r == nil || m.offer != nil || m.lock.rec.Paused || r.From != m.cfg.ID {
		return
	}
	if r.To == m.cfg.ID {
		return
	}
	m.offer = &offer{to: r.To, deadline: m.now.Boot + 2*offerLife}
}

// judgeOffer looks for news of my offer in a record that is mine.
func (m *Machine) judgeOffer() {
	rec, o := &m.lock.rec, m.offer
	if r := rec.Request; r != nil && r.From == "" {
		m.emit(Report{Kind: BadRequest, Detail: fmt.Sprintf("the switchover request %q does not name the holder that it addresses; write it as HOLDER/CANDIDATE, or HOLDER/ for any candidate", r.To)})
	}
	if o == nil || !m.leading {
		return
	}
	inSeal := rec.Seal.Offer != nil && rec.Seal.Offer.Nonce == o.nonce && o.nonce != ""
	switch {
	case m.accepted():
		m.yielding = true
		m.heldTill = m.lastSent + m.cfg.TTL + yieldSlack
		m.cede(Handover, "handed over to "+rec.Acceptance.By)
	case o.phase == offerWithdrawn:
		if !inSeal {
			m.answerOffer(o.why)
		}
	case rec.Paused:
		m.withdraw("the election is paused")
	case inSeal && o.phase == offerWanted:
		o.phase, o.deadline = offerStanding, m.now.Boot+offerLife
	}
}

// accepted says whether the known record carries a valid acceptance of my offer.
func (m *Machine) accepted() bool {
	rec, o := &m.lock.rec, m.offer
	if !m.lock.present || o == nil || o.nonce == "" || rec.Paused || !m.mine(rec) {
		return false
	}
	return rec.accepted() && rec.Seal.Offer.Nonce == o.nonce
}

// ageOffer withdraws an offer whose time is over.
func (m *Machine) ageOffer() {
	o := m.offer
	if o == nil || o.phase == offerWithdrawn || !m.due(o.deadline) {
		return
	}
	switch {
	case o.phase == offerWanted && o.nonce == "":
		m.answerOffer("the API server could not be reached")
	case o.phase == offerWanted:
		m.withdraw("the API server did not confirm the offer in time")
	case o.to == "":
		m.withdraw("no candidate accepted within " + offerLife.String())
	default:
		m.withdraw(fmt.Sprintf("%q did not accept within %v", o.to, offerLife))
	}
}

func (m *Machine) withdraw(why string) {
	m.offer.phase, m.offer.why = offerWithdrawn, why
	if m.offer.nonce == "" {
		m.answerOffer(why)
	}
}

// offerDue says whether a renewal is due for the offer's sake.
func (m *Machine) offerDue() bool {
	o := m.offer
	if o == nil {
		return false
	}
	return (o.phase == offerWanted && o.nonce == "") || o.phase == offerWithdrawn ||
		(o.phase == offerWanted && m.lock.rec.Seal.Offer == nil)
}

// answerOffer answers the hand-over that is under way, if one is. An empty
// refusal says that the lock was released.
func (m *Machine) answerOffer(refusal string) {
	if m.offer == nil {
		return
	}
	m.emit(HandedOver{ID: m.offer.id, To: m.heir, Refusal: refusal})
	m.offer = nil
}

// answerable says whether the known record carries an offer that this standby
// may accept now. Every doubt makes the offer void.
func (m *Machine) answerable() bool {
	rec := &m.lock.rec
	if m.restored() || !rec.sealed() || rec.Holder == "" || rec.Holder == m.cfg.ID || rec.Paused || rec.Acceptance != nil {
		return false
	}
	o := rec.Seal.Offer
	if o == nil || (o.To != "" && o.To != m.cfg.ID) {
		return false
	}
	return m.now.Boot < m.lock.offerSince+offerLife
}

// accept adds my acceptance to the lock. It leaves the seal alone and gives me
// no right.
func (m *Machine) accept() {
	on := m.lock.rec
	put := on
	put.Acceptance = &Acceptance{By: m.cfg.ID, Start: m.cfg.Start, Offer: on.Seal.Offer.Nonce}
	f := &flight{op: m.op(), floor: m.lock.newest, nonce: on.Seal.Offer.Nonce}
	m.flight = f
	m.emit(Swap{Op: f.op, On: on, Put: put, Kind: Accept, Timeout: m.attempt()})
}
