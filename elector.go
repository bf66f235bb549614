package elector

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/lock"
)

// ErrRunning is returned by a second Run of one Elector.
var ErrRunning = errors.New("this elector runs already or has run; make a new one")

// ErrNotRunning is returned by requests to an Elector that does not run.
var ErrNotRunning = errors.New("the elector does not run")

// Elector is one candidate of one election.
type Elector struct {
	cfg   Config
	log   *slog.Logger
	look  func() engine.Now
	locks []*lock.Lock // one, or the two that lead only together (law 18)

	mu          sync.Mutex // guards what follows
	machine     machine
	troubles    troubles
	rightful    bool    // the rights were checked
	watchStands [2]bool // of each lock
	ending      bool    // Run was told to end
	running     bool
	told        summary
	version     uint64
	changed     chan struct{}   // closed at the next change
	fitness     *engine.Fitness // set before Run
	asked       map[uint64]chan engine.HandedOver
	proofs      map[uint64]chan engine.Confirmed
	asks        uint64

	noticing sync.Mutex // keeps notices in order, and guards past
	past     past

	// What follows belongs to the goroutine of Run.
	base   context.Context // of everything that Run started; ends with it
	events chan engine.Event
	pings  chan chan struct{}
	ended  chan struct{} // closed when Run returns
	work   sync.WaitGroup
	timer  *time.Timer
	last   *leadership
	later  []engine.Event // to be taken in the same turn
	done   bool
}

// New makes a candidate. It does not contact the API server before Run.
func New(cfg Config) (*Elector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	access := kube.Access{
		Server: cfg.Server, NewClient: cfg.NewClient, UserAgent: cfg.UserAgent,
		AddressFrom: cfg.ServerFrom, CredentialHint: cfg.CredentialHint,
	}
	client, err := kube.New(access)
	if err != nil {
		return nil, err
	}
	kinds, err := lock.ParseKinds(cfg.Lock)
	if err != nil {
		return nil, err
	}
	var locks []*lock.Lock
	for i, kind := range kinds {
		if i > 0 { // a watch of its own, on a connection of its own
			if client, err = kube.New(access); err != nil {
				return nil, err
			}
		}
		l, err := lock.New(client, kind, cfg.Namespace, cfg.Election)
		if err != nil {
			return nil, err
		}
		locks = append(locks, l)
	}
	e := &Elector{
		cfg: cfg, look: look, locks: locks,
		log:     cfg.Logger.With("election", cfg.Namespace+"/"+cfg.Election, "id", cfg.ID),
		changed: make(chan struct{}),
		events:  make(chan engine.Event),
		pings:   make(chan chan struct{}),
		ended:   make(chan struct{}),
		asked:   map[uint64]chan engine.HandedOver{},
		proofs:  map[uint64]chan engine.Confirmed{},
	}
	e.machine = e.newMachine("")
	return e, nil
}

// machine decides: an engine.Machine for one lock, an engine.Pair for two.
type machine interface {
	Step(engine.Now, engine.Event) []engine.Action
	Leads(engine.Now) (engine.Term, engine.Trust, bool)
	View(engine.Now) engine.View
}

func (e *Elector) newMachine(podUID string) machine {
	start := make([]byte, 8)
	rand.Read(start) // never fails since Go 1.24
	cfg := engine.Config{
		ID: e.cfg.ID, PodUID: podUID, Start: hex.EncodeToString(start),
		TTL: e.cfg.TTL, RenewEvery: e.cfg.RenewEvery, StopTimeout: e.cfg.HandoverTimeout,
		Immediate: e.cfg.NewLock == "immediate",
	}
	if len(e.locks) == 2 {
		return engine.NewPair(cfg, cfg)
	}
	return engine.New(cfg)
}

// Run campaigns, leads, and when ctx is done hands over: the Follower has
// stopped and the lock is released (or its lease has run out) before it
// returns. Nothing that the API server does or fails to do ends it.
func (e *Elector) Run(ctx context.Context) error {
	e.mu.Lock()
	if e.running {
		e.mu.Unlock()
		return ErrRunning
	}
	e.running = true
	e.mu.Unlock()
	defer close(e.ended)

	socket := e.claim()
	if socket != nil {
		defer socket.Close()
	}
	var stop context.CancelFunc
	e.base, stop = context.WithCancel(context.WithoutCancel(ctx))
	defer e.work.Wait()
	defer stop()
	e.timer = time.NewTimer(0)
	defer e.timer.Stop()
	e.startWatch()
	e.spawn(e.checkRights)
	e.loop(ctx)
	return nil
}

// claim makes this process the one of its pod that may continue for a dead
// predecessor (law 11): it holds the pod's socket of every lock.
func (e *Elector) claim() io.Closer {
	if e.cfg.PodUID == "" {
		return nil
	}
	var held sockets
	for _, kind := range strings.Split(e.cfg.Lock, "+") {
		socket, err := claimPod(e.cfg.PodUID, kind+"/"+e.cfg.Namespace+"/"+e.cfg.Election)
		if err != nil {
			e.log.Warn("the pod's socket cannot be bound, so a restart of this process waits for the lease", "error", err)
			return held
		}
		if socket == nil {
			e.log.Warn("another process of this pod takes part in this election")
			return held
		}
		held = append(held, socket)
	}
	e.mu.Lock()
	e.machine = e.newMachine(e.cfg.PodUID)
	e.mu.Unlock()
	return held
}

// sockets are let go together, at the end of the process's part.
type sockets []io.Closer

// Close lets go of all of them.
func (s sockets) Close() error {
	var faults []error
	for _, c := range s {
		faults = append(faults, c.Close())
	}
	return errors.Join(faults...)
}

// loop is the one place where the machine is turned. It decides nothing.
func (e *Elector) loop(ctx context.Context) {
	end := ctx.Done()
	if e.fitness != nil {
		e.step(*e.fitness)
	}
	e.step(engine.Tick{})
	for !e.done {
		select {
		case ev := <-e.events:
			e.step(ev)
		case <-e.timer.C:
			e.step(engine.Tick{})
		case pong := <-e.pings:
			close(pong)
		case <-end:
			end = nil
			e.mu.Lock()
			e.ending = true
			e.mu.Unlock()
			e.log.Info("handing over, as this process was told to stop")
			e.step(engine.Stop{})
		}
	}
}

// step turns the machine once, and again for what its actions bring about at once.
func (e *Elector) step(ev engine.Event) {
	e.later = append(e.later, ev)
	for len(e.later) > 0 {
		ev, e.later = e.later[0], e.later[1:]
		e.mu.Lock()
		e.note(ev)
		actions := e.machine.Step(e.look(), ev)
		for _, a := range actions {
			e.noteAction(a)
		}
		e.tell()
		e.mu.Unlock()
		for _, a := range actions {
			e.do(a)
		}
	}
}

// do carries out one action. It never blocks.
func (e *Elector) do(action engine.Action) {
	switch a := action.(type) {
	case engine.Read, engine.Swap, engine.Create, engine.Rewatch:
		e.ask(0, a)
	case engine.OnSecond:
		if report, ok := a.Action.(engine.Report); ok {
			e.do(report)
			return
		}
		e.ask(1, a.Action)
	case engine.Lead:
		if a.Begin {
			e.leads(Term(a.Term))
			e.startLeading(Term(a.Term), a.Trust.Until())
		} else if l := e.last; l != nil && l.term == Term(a.Term) {
			l.trust.move(a.Trust.Until())
		}
	case engine.StopLeading:
		e.led(Term(a.Term), reasons[a.Reason], a.Detail)
		e.stopLeading(a)
	case engine.Announce:
		e.announces(a.Leader)
	case engine.HandedOver:
		e.handedOver(a)
	case engine.Confirmed:
		e.confirmed(a)
	case engine.WakeAt:
		e.timer.Reset(max(0, a.At-e.look().Boot))
	case engine.Report:
		e.notice(Notice{Kind: NoticeProblem, Concern: problems[a.Kind], Text: a.Detail})
	case engine.Finished:
		e.done = true
	}
}

// ask carries out what concerns one lock.
func (e *Elector) ask(n int, action engine.Action) {
	l := e.locks[n]
	switch a := action.(type) {
	case engine.Read:
		e.request(n, a.Op, a.Timeout, l.Read)
	case engine.Swap:
		e.request(n, a.Op, a.Timeout, func(ctx context.Context) engine.Answer { return l.Swap(ctx, a) })
	case engine.Create:
		e.request(n, a.Op, a.Timeout, func(ctx context.Context) engine.Answer { return l.Create(ctx, a) })
	case engine.Rewatch:
		e.log.Debug("watching anew")
		l.Rewatch()
	}
}

// request runs one request under its own deadline; its answer becomes an event.
func (e *Elector) request(n int, op engine.Op, timeout time.Duration, send func(context.Context) engine.Answer) {
	e.spawn(func() {
		ctx, cancel := context.WithTimeout(e.base, timeout)
		defer cancel()
		answer := send(ctx)
		answer.Op = op
		e.send(of(n, answer))
	})
}

// of marks an event as that of the lock which it concerns.
func of(n int, ev engine.Event) engine.Event {
	if n == 1 {
		return engine.OfSecond{Event: ev}
	}
	return ev
}

// spawn starts a goroutine that Run waits for.
func (e *Elector) spawn(f func()) {
	e.work.Add(1)
	go func() {
		defer e.work.Done()
		f()
	}()
}

// send hands an event to the loop, unless Run is over.
func (e *Elector) send(ev engine.Event) {
	select {
	case e.events <- ev:
	case <-e.base.Done():
	}
}

// Alive says whether the loop turns: it answers within ctx, or the error says
// why not.
func (e *Elector) Alive(ctx context.Context) error {
	pong := make(chan struct{})
	select {
	case e.pings <- pong:
	case <-e.ended:
		return ErrNotRunning
	case <-ctx.Done():
		return fmt.Errorf("the election's loop does not turn: %w", ctx.Err())
	}
	<-pong
	return nil
}
