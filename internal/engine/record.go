package engine

import (
	"strconv"
	"time"
)

// Vacant is the placeholder holder of a tombstone. It keeps foreign candidates
// waiting for the lease they may still believe in; our own answers show it as
// "nobody".
const Vacant = "leader-elector.io/vacant"

// ForeignSlack is added to the patience with a record that a foreign candidate
// holds: client-go's leaderelection at its defaults acts for up to 7 s longer
// than its lease says.
const ForeignSlack = 7 * time.Second

// Record is what the lock says. The zero Record says that nobody ever held it.
type Record struct {
	UID     string // of the lock object
	Version Version

	Holder      string        // holderIdentity; empty: nobody
	Duration    time.Duration // leaseDurationSeconds; zero: not given
	Acquired    time.Time     // whole seconds; never compared with a clock
	Renewed     time.Time     // whole seconds; never compared with a clock
	Transitions int

	Seal       *Seal       // nil: none that this version can read
	Tombstone  string      // the create nonce of a tombstone, else empty
	Acceptance *Acceptance // a candidate's answer to the offer in the seal
	Request    *Request    // an operator's wish for a hand-over
	Paused     bool        // an operator's wish that nobody acquires
	Malformed  string      // why the record could not be read, for the operator

	// Object is the lock object as it was read. The engine carries it back to
	// the lock with a swap, so that what we do not know survives our writes; it
	// never looks inside.
	Object any

	old bool // its seal is of a lower term than one that was known already (law 12)
}

// Version is a resourceVersion: a decimal number that only rises (KEP-5504).
// Zero means unknown.
type Version uint64

func (v Version) String() string { return strconv.FormatUint(uint64(v), 10) }

// Term is the fencing token of a leadership: the version that its acquisition
// replaced. Zero means none.
type Term uint64

func (t Term) String() string { return strconv.FormatUint(uint64(t), 10) }

// Seal repeats, in one annotation, what its writer said as the holder. It
// counts only while it equals the fields of the object (law 2): a foreign
// candidate's write keeps our annotation and so breaks the seal.
type Seal struct {
	Lock        string // uid of the lock object
	Holder      string
	Duration    time.Duration
	Acquired    time.Time
	Renewed     time.Time
	Transitions int

	PodUID   string // only of a process that owns its pod's socket (law 11)
	Start    string // random, of one process
	Nonce    string // of one write; never repeats
	Term     Term
	Offer    *Offer
	Released bool   // Term has ended, its app has stopped, the lock is free
	To       string // with Released: the acceptor that may go first
}

// Offer asks a candidate to take over (law 15). It gives no right.
type Offer struct {
	Nonce string
	To    string // empty: anybody
}

// Acceptance says that a candidate would take over. It gives no right either.
type Acceptance struct {
	By    string // the candidate's id
	Start string // its process
	Offer string // the offer's nonce
}

// Request is an operator's wish, addressed to one holder.
type Request struct {
	From string
	To   string // empty: anybody
}

// sealed says whether our seal stands and is intact. A term is a version that
// was replaced, so one that is not below the record's own is made up.
func (r *Record) sealed() bool {
	s := r.Seal
	return s != nil && !r.old && r.Malformed == "" && Version(s.Term) < r.Version &&
		s.Lock == r.UID && s.Holder == r.Holder && s.Duration == r.Duration &&
		s.Acquired.Equal(r.Acquired) && s.Renewed.Equal(r.Renewed) &&
		s.Transitions == r.Transitions
}

// released says whether the record is our own release, which frees the lock at
// once (law 5).
func (r *Record) released() bool {
	return r.sealed() && r.Holder == "" && r.Seal.Released && r.Seal.Term != 0 && r.Duration > 0
}

// accepted says whether the record carries a candidate's acceptance of the
// offer that stands in it.
func (r *Record) accepted() bool {
	a := r.Acceptance
	if a == nil || !r.sealed() || r.Seal.Offer == nil {
		return false
	}
	o := r.Seal.Offer
	return a.Offer == o.Nonce && a.By != "" && a.By != r.Holder && (o.To == "" || o.To == a.By)
}

// tombstone says whether the record is a placeholder for a lock that was missing.
func (r *Record) tombstone() bool {
	return r.Holder == Vacant && r.Tombstone != "" && r.Seal == nil
}

// foreign says whether somebody holds the lock who is not one of ours. An
// edited record of ours is not foreign: its holder still knows our laws.
func (r *Record) foreign() bool {
	if r.Malformed != "" {
		return true
	}
	if r.Holder == "" || r.Holder == Vacant || r.sealed() {
		return false
	}
	return r.Seal == nil || r.Seal.Holder != r.Holder
}

// leader is the name that the record shows to people: empty for a tombstone.
func (r *Record) leader() string {
	if r.Holder == Vacant {
		return ""
	}
	return r.Holder
}
