// Package record reads a lock object the way the candidates do, and no more
// generously: what an edit or a foreign candidate's write made of a record of
// ours is told as what it is now. It is a reader of its own because this module
// stands alone; test/plugin holds that it agrees with the candidates' reader.
package record

import (
	"strconv"
	"time"
)

// Vacant is the holder that a candidate writes when it finds no lock: a
// placeholder that keeps foreign candidates waiting. It is nobody.
const Vacant = "leader-elector.io/vacant"

// Kind is the kind of object that holds a record.
type Kind string

// The kinds of lock.
const (
	Leases    Kind = "leases"
	Endpoints Kind = "endpoints"
)

// Record is what a lock says.
type Record struct {
	Kind      Kind
	Namespace string
	Name      string
	UID       string
	Version   uint64 // the resourceVersion; zero: no decimal number (KEP-5504)

	Holder      string        // as it is written; Leader is the name to show
	Duration    time.Duration // zero: not given
	Acquired    time.Time     // by the holder's clock; zero: not given
	Renewed     time.Time     // by the holder's clock; zero: not given
	Transitions int

	Seal       *Seal       // nil: none that this version can read
	Tombstone  string      // the create nonce of a placeholder, else empty
	Acceptance *Acceptance // a candidate's answer to the offer in the seal
	Request    *Request    // an operator's wish for a hand-over
	Paused     bool        // an operator's wish that nobody acquires
	PausedBy   string      // the value of that annotation
	Malformed  string      // why the record cannot be read

	election bool // some field says that this is an election's lock
}

// Seal repeats, in one annotation, what its writer said as the holder. It
// counts only while it equals the fields of the object.
type Seal struct {
	Lock        string // uid of the lock object
	Holder      string
	Duration    time.Duration
	Acquired    time.Time
	Renewed     time.Time
	Transitions int

	PodUID   string // of the holder; empty: not known
	Start    string // of its process
	Nonce    string // of the write
	Term     uint64
	Offer    *Offer
	Released bool   // the term has ended, and the lock is free
	To       string // with Released: who may go first
}

// Offer asks a candidate to take over.
type Offer struct {
	Nonce string
	To    string // empty: anybody
}

// Acceptance says that a candidate would take over.
type Acceptance struct {
	By    string
	Start string
	Offer string // the offer's nonce
}

// Request is an operator's wish, addressed to one holder.
type Request struct {
	From string // empty: it addresses nobody, and no holder heeds it
	To   string // empty: anybody
}

// Election says whether the object is an election's lock at all. Leases serve
// as heartbeats too, of nodes and of API servers: those say when they were
// renewed, but never when they were acquired, or how often they changed hands.
func (r *Record) Election() bool { return r.election }

// Intact says whether our seal stands, and nothing was changed since it was
// written. A term is a version that was replaced, so one that is not below the
// record's own is made up.
func (r *Record) Intact() bool {
	s := r.Seal
	return s != nil && r.Malformed == "" && s.Term < r.Version &&
		s.Lock == r.UID && s.Holder == r.Holder && s.Duration == r.Duration &&
		s.Acquired.Equal(r.Acquired) && s.Renewed.Equal(r.Renewed) &&
		s.Transitions == r.Transitions
}

// Released says whether the record is a release of ours, after which the lock
// is free at once.
func (r *Record) Released() bool {
	return r.Intact() && r.Holder == "" && r.Seal.Released && r.Seal.Term != 0 && r.Duration > 0
}

// Foreign says whether somebody holds the lock who is not one of ours.
func (r *Record) Foreign() bool {
	if r.Malformed != "" {
		return true
	}
	if r.Holder == "" || r.Holder == Vacant || r.Intact() {
		return false
	}
	return r.Seal == nil || r.Seal.Holder != r.Holder
}

// Leader is the holder's name, or empty where nobody holds the lock.
func (r *Record) Leader() string {
	if r.Holder == Vacant {
		return ""
	}
	return r.Holder
}

// Term is the fencing token of the lead as a decimal number, or empty where
// nobody leads or the leader has none.
func (r *Record) Term() string {
	if r.Leader() == "" || !r.Intact() || r.Seal.Term == 0 {
		return ""
	}
	return strconv.FormatUint(r.Seal.Term, 10)
}

// Expires is when the lease runs out unless it is renewed, by the holder's
// clock; zero where nobody holds it or the record does not say.
func (r *Record) Expires() time.Time {
	if r.Leader() == "" || r.Renewed.IsZero() || r.Duration == 0 {
		return time.Time{}
	}
	return r.Renewed.Add(r.Duration)
}
