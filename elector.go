package elector

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	cfg    Config
	log    *slog.Logger
	look   func() engine.Now
	client *kube.Client
	lock   *lock.Lock

	mu          sync.Mutex // guards what follows
	machine     *engine.Machine
	troubles    troubles
	rightful    bool // the rights were checked
	watchStands bool
	ending      bool // Run was told to end
	running     bool
	told        summary
	version     uint64
	changed     chan struct{}   // closed at the next change
	fitness     *engine.Fitness // set before Run
	asked       map[uint64]chan engine.HandedOver
	proofs      map[uint64]chan engine.Confirmed
	asks        uint64

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
	client, err := kube.New(kube.Access{
		Server: cfg.Server, NewClient: cfg.NewClient, UserAgent: cfg.UserAgent,
		AddressFrom: cfg.ServerFrom, CredentialHint: cfg.CredentialHint,
	})
	if err != nil {
		return nil, err
	}
	kind, err := lock.ParseKind(cfg.Lock)
	if err != nil {
		return nil, err
	}
	l, err := lock.New(client, kind, cfg.Namespace, cfg.Election)
	if err != nil {
		return nil, err
	}
	e := &Elector{
		cfg: cfg, look: look, client: client, lock: l,
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

func (e *Elector) newMachine(podUID string) *engine.Machine {
	start := make([]byte, 8)
	rand.Read(start) // never fails since Go 1.24
	return engine.New(engine.Config{
		ID: e.cfg.ID, PodUID: podUID, Start: hex.EncodeToString(start),
		TTL: e.cfg.TTL, RenewEvery: e.cfg.RenewEvery, StopTimeout: e.cfg.HandoverTimeout,
		Immediate: e.cfg.NewLock == "immediate",
	})
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
// predecessor (law 11).
func (e *Elector) claim() io.Closer {
	if e.cfg.PodUID == "" {
		return nil
	}
	socket, err := claimPod(e.cfg.PodUID, e.cfg.Lock+"/"+e.cfg.Namespace+"/"+e.cfg.Election)
	switch {
	case err != nil:
		e.log.Warn("the pod's socket cannot be bound, so a restart of this process waits for the lease", "error", err)
	case socket == nil:
		e.log.Warn("another process of this pod takes part in this election")
	default:
		e.mu.Lock()
		e.machine = e.newMachine(e.cfg.PodUID)
		e.mu.Unlock()
	}
	return socket
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
	case engine.Read:
		e.request(a.Op, a.Timeout, e.lock.Read)
	case engine.Swap:
		e.request(a.Op, a.Timeout, func(ctx context.Context) engine.Answer { return e.lock.Swap(ctx, a) })
	case engine.Create:
		e.request(a.Op, a.Timeout, func(ctx context.Context) engine.Answer { return e.lock.Create(ctx, a) })
	case engine.Lead:
		if a.Begin {
			e.log.Info("leading", "term", a.Term.String())
			e.startLeading(Term(a.Term), a.Trust.Until())
		} else if l := e.last; l != nil && l.term == Term(a.Term) {
			l.trust.move(a.Trust.Until())
		}
	case engine.StopLeading:
		e.log.Info("no longer leading", "term", a.Term.String(), "reason", string(reasons[a.Reason]), "detail", a.Detail)
		e.stopLeading(a)
	case engine.Announce:
		e.log.Info("the leader changed", "leader", a.Leader)
	case engine.HandedOver:
		e.handedOver(a)
	case engine.Confirmed:
		e.confirmed(a)
	case engine.WakeAt:
		e.timer.Reset(max(0, a.At-e.look().Boot))
	case engine.Rewatch:
		e.log.Debug("watching anew")
		e.lock.Rewatch()
	case engine.Report:
		e.log.Warn(a.Detail, "problem", problems[a.Kind])
	case engine.Finished:
		e.done = true
	}
}

// request runs one request under its own deadline; its answer becomes an event.
func (e *Elector) request(op engine.Op, timeout time.Duration, send func(context.Context) engine.Answer) {
	e.spawn(func() {
		ctx, cancel := context.WithTimeout(e.base, timeout)
		defer cancel()
		answer := send(ctx)
		answer.Op = op
		e.send(answer)
	})
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
