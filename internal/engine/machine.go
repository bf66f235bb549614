package engine

import "time"

// Config is what a candidate knows of itself. The zero values of RenewEvery,
// Margin and StopTimeout mean the defaults named beside them.
type Config struct {
	ID     string // what the lock shows as the holder
	PodUID string // only of the process that holds its pod's socket (law 11)
	Start  string // random, unique to this process

	TTL         time.Duration // D: the lease's duration, whole seconds
	RenewEvery  time.Duration // TTL/3
	Margin      time.Duration // TTL/10, at least 250 ms
	StopTimeout time.Duration // 5 s; bounds the wait for the app's stop (law 9)
	Immediate   bool          // --new-lock=immediate (law 10)
}

// The protocol's fixed spans.
const (
	offerLife     = time.Second            // an offer stands so long (law 15)
	acceptorFirst = 300 * time.Millisecond // others hold off so long (law 15)
	yieldSlack    = 2 * time.Second        // a yielding candidate's greatest hold-back (law 13)
	firstBackoff  = 50 * time.Millisecond
	lastBackoff   = time.Second
	maxUnknown    = 16          // so many writes of unknown outcome are remembered
	watchLag      = time.Second // the watch may be so late before it is given up
	renewJitter   = 0.1         // renewals come earlier by up to this share
	noisyRestarts = 3           // so many patience restarts in a row are worth a report
)

// DefaultMargin is the span by which trust ends before the lease does.
func DefaultMargin(ttl time.Duration) time.Duration { return max(ttl/10, 250*time.Millisecond) }

// Machine is one candidate of one election. It is a function of its inputs: it
// has no clock, goroutine, I/O or randomness of its own.
type Machine struct {
	cfg Config
	now Now      // of the current step
	out []Action // of the current step

	lock    knowledge
	flight  *flight // the one request under way, if any
	lastOp  Op
	nonces  uint64
	writes  map[string]write    // my writes that the lock may still show, by nonce
	creates map[string]struct{} // create nonces of my tombstones

	mustRead     bool          // nothing is written before a consistent read
	quiet        time.Duration // no request before this instant (failures)
	swapQuiet    time.Duration // no swap before this instant (rebuffs)
	failures     int
	rebuffs      int           // writes in a row that were not shown to be stored
	lastSent     time.Duration // when my last write was sent
	heldFrom     time.Duration // when my last write that holds the lock was sent
	wrote        bool          // lastSent and heldFrom are meaningful
	restoredTill time.Duration // nobody's record counts as its own before this instant (law 12)
	polling      bool          // the lock cannot be watched
	pollAt       time.Duration

	leading bool
	term    Term
	trust   Trust
	renewAt time.Duration
	offer   *offer
	proofs  []proof
	app     app
	orderly bool   // the lead was given up by law 9: renew until the release
	heir    string // the acceptor that the release will name

	unfit    string // why the app is not fit; empty: it is
	gate     string // why the other lock forbids to lead; empty: it allows it (law 18)
	stopping bool
	yielding bool          // hold back until somebody else acquires
	heldTill time.Duration // at the latest
	finished bool

	announced string
	twin      string // the start that was last reported as a twin
	wakeAt    time.Duration
	next      time.Duration // earliest instant this step is waiting for; 0: none
}

// app is the state of the app's part in a leadership.
type app struct {
	state    appState
	term     Term
	deadline time.Duration // of stopping
}

type appState int

const (
	appIdle     appState = iota // known not to act
	appActing                   // told to lead
	appStopping                 // told to stop, not yet confirmed
	appUnknown                  // told to stop; nobody confirmed it in time
)

// flight is one request under way.
type flight struct {
	op      Op
	isRead  bool
	release bool
	floor   Version // the newest version known when it was sent (law 12)
	nonce   string  // of a swap or create
}

// write is what I remember of a write of mine whose outcome may show up later.
type write struct {
	op      Op
	sent    Now
	on      Version
	term    Term
	acquire bool
	stale   bool // a leadership of mine ended after it was sent (law 6)
}

// New makes a candidate that knows nothing yet. Its first Step asks for a read.
func New(cfg Config) *Machine {
	if cfg.RenewEvery == 0 {
		cfg.RenewEvery = cfg.TTL / 3
	}
	if cfg.Margin == 0 {
		cfg.Margin = DefaultMargin(cfg.TTL)
	}
	if cfg.StopTimeout == 0 {
		cfg.StopTimeout = 5 * time.Second
	}
	return &Machine{
		cfg:      cfg,
		mustRead: true,
		writes:   map[string]write{},
		creates:  map[string]struct{}{},
		lock:     knowledge{longest: cfg.TTL},
	}
}

// Step tells the machine what happened and when, and returns what to do, in
// order. The instants of successive calls must not fall.
func (m *Machine) Step(now Now, ev Event) []Action {
	m.now, m.out, m.next = now, nil, 0
	if m.finished {
		return nil
	}
	m.expire()
	m.handle(ev)
	m.decide()
	m.mendWatch()
	m.announce()
	m.sleep()
	return m.out
}

// Leads computes from the clock whether this candidate may act (law 7).
func (m *Machine) Leads(now Now) (Term, Trust, bool) {
	if !m.leading || !m.trust.Holds(now) {
		return 0, Trust{}, false
	}
	return m.term, m.trust, true
}

func (m *Machine) handle(ev Event) {
	switch e := ev.(type) {
	case Tick:
		m.wakeAt = 0 // whatever timer there was has fired
	case Answer:
		m.answered(e)
	case Observation:
		m.observed(e)
	case Watching:
		m.watching(e)
	case Fitness:
		m.fitness(e)
	case gated:
		m.gated(e)
	case Yield:
		m.yield(Yielding, e.Reason)
	case Resume:
		m.yielding = false
	case HandOver:
		m.handOver(e)
	case Confirm:
		m.prove(e)
	case Stop:
		m.stop()
	case Stopped:
		m.stopped(e)
	}
}

// decide asks for the next request, if one is due. One request is under way at
// most, so an answer always judges a state that no other write of mine changed.
func (m *Machine) decide() {
	if m.stopping && m.settled() {
		m.finished = true
		m.emit(Finished{})
		return
	}
	if m.flight != nil {
		return
	}
	if m.mustRead || m.pollDue() {
		if m.due(m.quiet) {
			m.read()
		}
		return
	}
	if !m.due(m.quiet) || !m.due(m.swapQuiet) {
		return
	}
	switch {
	case m.leading:
		m.lead()
	case m.lock.present && m.mine(&m.lock.rec):
		m.hold()
	default:
		m.campaign()
	}
}

// settled says whether a stopping candidate has nothing left to do: nothing of
// its own stands in the lock, or its lease has run out anyway.
func (m *Machine) settled() bool {
	if m.leading || m.app.state == appStopping {
		return false
	}
	if !m.wrote {
		return true
	}
	if m.due(m.heldFrom + m.cfg.TTL) { // a release lengthens no lease
		return true
	}
	if m.flight != nil && !m.flight.isRead {
		return false
	}
	if m.lock.present && m.mine(&m.lock.rec) {
		return m.app.state == appUnknown
	}
	return !m.mustRead || len(m.writes) == 0
}

func (m *Machine) emit(a Action) { m.out = append(m.out, a) }

// due says whether at has come; if not, the machine asks to be woken then.
func (m *Machine) due(at time.Duration) bool {
	if m.now.Boot >= at {
		return true
	}
	if m.next == 0 || at < m.next {
		m.next = at
	}
	return false
}

// sleep asks to be woken at the earliest instant that anything waits for.
func (m *Machine) sleep() {
	if m.finished {
		return
	}
	if m.leading {
		m.due(m.trust.Until())
	}
	if m.app.state == appStopping {
		m.due(m.app.deadline)
	}
	if m.next != 0 && (m.next != m.wakeAt || m.wakeAt <= m.now.Boot) {
		m.wakeAt = m.next
		m.emit(WakeAt{At: m.next})
	}
}

// expire ends what the clock ends: a leadership, the wait for the app's stop, a
// hold-back.
func (m *Machine) expire() {
	if m.leading && !m.trust.Holds(m.now) {
		m.end(Expired, "no renewal was confirmed in time")
	}
	if m.app.state == appStopping && m.now.Boot >= m.app.deadline {
		m.stopped(Stopped{Term: m.app.term})
	}
	if m.yielding && m.now.Boot >= m.heldTill {
		m.yielding = false
	}
}

func (m *Machine) nonce() string {
	m.nonces++
	return m.cfg.Start + "-" + Version(m.nonces).String()
}

func (m *Machine) op() Op {
	m.lastOp++
	return m.lastOp
}

// attempt is how long one request may take.
func (m *Machine) attempt() time.Duration { return m.cfg.TTL / 6 }

func (m *Machine) read() {
	f := &flight{op: m.op(), isRead: true, floor: m.lock.newest}
	m.flight = f
	m.emit(Read{Op: f.op, Timeout: m.attempt()})
}

// jittered shortens d by up to a share of it, never lengthens it.
func (m *Machine) jittered(d time.Duration, share float64) time.Duration {
	return d - time.Duration(float64(d)*share*m.now.Jitter)
}
