package engine

import "time"

// Now is one look at the clocks of this process, with a random number for
// jitter. It is an input, so that a schedule can be replayed.
type Now struct {
	Boot   time.Duration // CLOCK_BOOTTIME: counts suspended time
	Wall   time.Time     // for people, and to notice a suspended hypervisor
	Jitter float64       // in [0,1)
}

// Event is something that happened. Every event also tells the time.
type Event interface{ event() }

// Tick says that time passed.
type Tick struct{}

// Answer is what became of a Read, Swap or Create.
type Answer struct {
	Op         Op
	Outcome    Outcome
	Record     Record        // with OK: the body of the answer
	RetryAfter time.Duration // what the server asked for; zero: nothing
	Err        string        // for people
	Forbidden  bool          // with Refused, for people: a right is missing
}

// Op names one request; ops never repeat in the life of a Machine.
type Op uint64

// Outcome classifies an answer.
type Outcome int

const (
	// Unknown covers a broken body, a time-out, a reset, a 5xx: the write may
	// or may not have been committed, now or later.
	Unknown Outcome = iota
	// OK is a 200 or 201 whose body was decoded.
	OK
	// Absent is a 404: there is no such lock.
	Absent
	// Conflict is a 409. It may be my own committed write (a retry inside a
	// proxy), so it decides nothing.
	Conflict
	// Refused is a definite no before anything was stored: 400, 401, 403, 422,
	// 429, or a connection that was never made.
	Refused
)

// Observation is news from the watch or its list: what the lock says, or that
// it is gone. A watch may lag; the engine ignores what is older than it knows.
type Observation struct {
	Record Record // with Deleted, UID and Version are those of the deletion
	// Deleted comes from a watch event. A list that does not show the lock has
	// Deleted set and a zero Version: that proves nothing, and is only a reason
	// to read.
	Deleted bool
}

// Watching says whether the lock can be watched. Where it cannot (forbidden),
// the engine polls.
type Watching struct{ OK bool }

// Fitness says whether the app is fit to lead.
type Fitness struct {
	Fit    bool
	Reason string // for people
}

// Yield asks a leader to give up and to let somebody else go first.
type Yield struct{ Reason string }

// Resume ends a Yield.
type Resume struct{}

// HandOver asks a leader to offer the lead to a candidate (law 15). It is
// answered by a HandedOver action with the same ID.
type HandOver struct {
	ID uint64
	To string // empty: anybody
}

// Confirm asks a leader for the proof that it still leads: a renewal sent from
// now on. It is answered by a Confirmed action with the same ID.
type Confirm struct{ ID uint64 }

// Stop says that the process ends: hand over and finish.
type Stop struct{}

// Stopped says that the app's part in the leadership of Term is over.
type Stopped struct {
	Term      Term
	Confirmed bool // false: nobody knows whether the app still acts
}

func (Tick) event()        {}
func (Answer) event()      {}
func (Observation) event() {}
func (Watching) event()    {}
func (Fitness) event()     {}
func (Yield) event()       {}
func (Resume) event()      {}
func (HandOver) event()    {}
func (Confirm) event()     {}
func (Stop) event()        {}
func (Stopped) event()     {}

// Action is something for the runtime to do, in the order given.
type Action interface{ action() }

// Read asks for a consistent read of the lock.
type Read struct {
	Op      Op
	Timeout time.Duration
}

// Swap asks for a compare-and-swap on exactly On's uid and version.
type Swap struct {
	Op      Op
	On      Record
	Put     Record // UID, Version, Paused and Object are not written
	Kind    Kind
	Timeout time.Duration
}

// Kind says what a swap writes.
type Kind int

const (
	// Hold writes the whole record of a holder: acquire, renew, offer, release.
	// The lock's annotations for seal, acceptance and request become exactly
	// what Put says.
	Hold Kind = iota
	// Accept adds Put.Acceptance and leaves everything else byte for byte.
	Accept
)

// Create asks for a new lock with Put's holder, duration and tombstone nonce.
type Create struct {
	Op      Op
	Put     Record
	Timeout time.Duration
}

// Lead begins the leadership of Term, or extends its trust.
type Lead struct {
	Term  Term
	Trust Trust
	Begin bool
}

// StopLeading ends the leadership of Term: answers say so from now on, and the
// app is told to stop. The runtime answers with Stopped.
type StopLeading struct {
	Term   Term
	Reason Reason
	Detail string // for people
}

// Reason says why a leadership ended.
type Reason int

const (
	Lost     Reason = iota // the lock says something else
	Expired                // trust ran out
	Unfit                  // the app is not fit
	Yielding               // asked to give up
	Handover               // a candidate accepted the offer
	Stopping               // the process ends
	Restored               // etcd went back in time
)

// Announce says that the lock shows another leader; empty: nobody known.
type Announce struct{ Leader string }

// HandedOver answers a HandOver. Refusal is empty when the lock was released.
type HandedOver struct {
	ID      uint64
	To      string // who accepted
	Refusal string
}

// Confirmed answers a Confirm: a renewal of Term that was sent after the
// question is stored. Term is zero where the candidate does not lead.
type Confirmed struct {
	ID   uint64
	Term Term
}

// WakeAt asks for a Tick at that boot instant, which is always later than the
// Now of the step. It replaces every earlier WakeAt.
type WakeAt struct{ At time.Duration }

// Rewatch asks to give up the watch's connection: an answer showed news that
// the watch has failed to bring.
type Rewatch struct{}

// Report tells people about something that they may have to mend.
type Report struct {
	Kind   Problem
	Detail string
}

// Problem classifies a Report.
type Problem int

const (
	EtcdRestored    Problem = iota // the lock's version fell
	LockMissing                    // a tombstone is written
	LockMalformed                  // the record cannot be read
	TwinHolder                     // somebody else uses my name
	PatienceRestart                // somebody keeps writing the lock while it is expired
	BadRequest                     // a switchover request that addresses nobody
	StopUnconfirmed                // the app's stop was not confirmed in time; no release
)

// Finished says that a stopping machine has nothing left to do.
type Finished struct{}

func (Read) action()        {}
func (Swap) action()        {}
func (Create) action()      {}
func (Lead) action()        {}
func (StopLeading) action() {}
func (Announce) action()    {}
func (HandedOver) action()  {}
func (Confirmed) action()   {}
func (WakeAt) action()      {}
func (Rewatch) action()     {}
func (Report) action()      {}
func (Finished) action()    {}
