package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

const (
	ttl      = 4 * time.Second // the shortest that the sidecar takes
	lockName = "chaos"
)

// couplings are those of the candidates a, b and c: what their apps know.
var couplings = []string{"run", "file", "told"}

// options of a run.
type options struct {
	sidecar string
	self    string // this program, to be started as an app
	faults  int
	seed    uint64
	gap     time.Duration
	dir     string // for everything that is written; must exist
	onlyLaw bool   // end at the first violation, as who breaks a law on purpose wants it
	out     io.Writer
}

// world is one run.
type world struct {
	options
	begun      time.Time
	plane      *controlplane.Plane
	namespace  string
	network    int // 127.network.0.0/16 is this run's
	roots      *x509.CertPool
	hand       *recorder
	candidates []*candidate
	history    *history
	referee    *referee
	deeds      deedJudge
	store      storeJudge
	storeConn  *net.UnixConn
	tally      tally
	hands      atomic.Int64

	certificate atomic.Pointer[tls.Certificate]

	logging sync.Mutex // of out; it may be taken with mu held

	mu         sync.Mutex
	counts     map[string]int
	violations []string
	at         int // faults that have begun
	rss, files int // the most of any sidecar
	free       map[any]*sync.Mutex
	stop       context.CancelFunc
}

func newWorld(o options) *world {
	w := &world{options: o, begun: time.Now(), network: 1 + rand.IntN(254), counts: map[string]int{}, free: map[any]*sync.Mutex{}, stop: func() {}}
	w.referee = newReferee(w.broken)
	return w
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

// loopback is an address that only this run uses. A free port of 127.0.0.1 would
// not do: while a candidate is down the kernel may give it to somebody else.
func (w *world) loopback(i, part int) string {
	return fmt.Sprintf("127.%d.%d.%d", w.network, i+1, part+1)
}

func (w *world) program(name, path string, args ...string) *controlplane.Process {
	return controlplane.NewProcess(name, path, w.file(name+".log"), args...)
}

func (w *world) log(format string, args ...any) {
	w.logging.Lock()
	defer w.logging.Unlock()
	fmt.Fprintf(w.out, "%s %7.3f %s\n", time.Now().UTC().Format("15:04:05.000"), time.Since(w.begun).Seconds(), fmt.Sprintf(format, args...))
}

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

// broken notes a violation.
func (w *world) broken(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.violations) < 20 { // what is broken once is often broken a thousand times
		w.violations = append(w.violations, what)
		w.log("VIOLATION after %d faults: %s", w.at, what)
	}
	if w.onlyLaw {
		w.stop()
	}
}

// run plays the plan, and returns what it showed. An error means that the run
// itself failed, and proves nothing.
func (w *world) run(ctx context.Context) (_ *report, err error) {
	w.log("seed %d, %d faults; everything is written into %s", w.seed, w.faults, w.dir)
	if err := w.start(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.end()) }()
	playing, stop := context.WithCancel(ctx)
	defer stop()
	w.stop = stop
	living, die := context.WithCancel(ctx)
	defer die()
	var life sync.WaitGroup
	failed := make(chan error, len(w.candidates)+2)
	for _, c := range w.candidates {
		life.Go(func() { failed <- c.keep(living) })
		life.Go(func() { w.referee.watch(living, c.id, c.address) })
	}
	life.Go(func() { w.measure(living) })
	acting, still := context.WithCancel(ctx)
	defer still()
	var records sync.WaitGroup
	records.Go(func() { failed <- w.readDeeds(acting) })
	records.Go(func() { w.store.serve(w.storeConn) })
	err = w.play(playing)
	if err == nil && ctx.Err() == nil && !w.stopped() {
		err = w.settle(ctx)
	}
	die()
	for _, c := range w.candidates {
		err = errors.Join(err, c.end())
	}
	life.Wait()
	still() // nobody acts any more
	err = errors.Join(err, w.store.end(w.file("store")))
	records.Wait()
	close(failed)
	for e := range failed {
		err = errors.Join(err, e)
	}
	if err != nil {
		return nil, err
	}
	return w.judge(), ctx.Err()
}

func (w *world) stopped() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.onlyLaw && len(w.violations) > 0
}

// start brings the control plane up, and all that a candidate needs.
func (w *world) start(ctx context.Context) (err error) {
	w.plane, err = controlplane.Start(ctx, controlplane.Options{Progress: w.out, Dir: w.file("plane")})
	if err != nil {
		return err
	}
	if w.namespace, err = w.plane.Namespace(ctx); err != nil {
		return err
	}
	w.history = newHistory(w.lockPath())
	if err := errors.Join(w.trust(), w.makeJail(ctx)); err != nil {
		return err
	}
	if w.storeConn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: w.file("store"), Net: "unixgram"}); err != nil {
		return err
	}
	for i, coupling := range couplings {
		c, err := w.prepare(ctx, i, string(rune('a'+i)), coupling)
		if err != nil {
			return err
		}
		w.candidates = append(w.candidates, c)
	}
	return nil
}

// end takes the control plane down, and removes its data.
func (w *world) end() error {
	return errors.Join(w.plane.Stop(), os.RemoveAll(filepath.Join(w.plane.Dir, "etcd")))
}

// atOnce is how many faults may be under way or wait for their place.
const atOnce = 6

// play lets the faults come, each when its time has come and its place is free.
func (w *world) play(ctx context.Context) error {
	if err := w.someoneLeads(ctx); err != nil {
		return err
	}
	playing, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var under sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for _, f := range plan(w.seed, w.faults, w.gap) {
		if f.calm {
			under.Wait()
			wait(playing, 2*ttl)
		}
		wait(playing, f.gap)
		room <- struct{}{}
		at := w.aim(playing, f)
		place := w.place(f.kind, at)
		under.Go(func() {
			defer func() { <-room }()
			place.Lock()
			defer place.Unlock()
			if playing.Err() != nil {
				return
			}
			w.begin(f, at)
			if err := f.kind.do(playing, w, at, rand.New(rand.NewPCG(f.seed, 1))); err != nil && playing.Err() == nil {
				stop(fmt.Errorf("%s: %w", f.kind.name, err))
			}
			w.log("  %d %s: over", f.n, f.kind.name)
		})
	}
	under.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(playing)
}

// aim finds what a fault hits. One that is meant for the leader waits for a
// leader, though not for long: where nobody leads there is little to break.
func (w *world) aim(ctx context.Context, f fault) target {
	c := w.candidates[f.of]
	for late := time.Now().Add(ttl / 2); f.leader && ctx.Err() == nil && time.Now().Before(late); wait(ctx, 10*time.Millisecond) {
		if who, _ := w.referee.leader(); who != "" {
			c = w.candidates[slices.IndexFunc(w.candidates, func(c *candidate) bool { return c.id == who })]
			break
		}
	}
	if f.far {
		return target{c, c.far}
	}
	return target{c, c.near}
}

// place is the mutex of what a fault takes.
func (w *world) place(k *kind, at target) *sync.Mutex {
	var key any = k.at
	switch k.at {
	case aLeg:
		return &at.leg.taken
	case aBody:
		key = at.c
	case aCard:
		key = at.c.root
	case wish:
		return new(sync.Mutex)
	}
	if w.free[key] == nil {
		w.free[key] = new(sync.Mutex)
	}
	return w.free[key]
}

func (w *world) begin(f fault, at target) {
	who, term := w.referee.leader()
	on := ""
	switch f.kind.at {
	case aLeg:
		on = " on " + at.leg.name
	case aBody, aCard, wish:
		on = " on " + at.c.id
	}
	w.log("%d %s%s (%q leads, term %d)", f.n, f.kind.name, on, who, term)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[f.kind.name]++
	w.at = max(w.at, f.n)
}

// within is how long it may take from the end of all faults to a leader: the
// longest patience (the ttl, and 7 s more for a holder that is not ours) twice,
// since the last fault may have written a version just before, and what the
// processes need to start and to connect on a busy machine.
const within = 2*(ttl+7*time.Second) + 8*time.Second

// settle waits for a leader after the last fault, and sees that it stays.
func (w *world) settle(ctx context.Context) error {
	if err := w.plane.WaitReady(ctx); err != nil {
		return err
	}
	if err := w.resume(); err != nil {
		return err
	}
	begun := time.Now()
	w.log("the faults are over")
	if err := w.someoneLeads(ctx); err != nil {
		w.broken(err.Error())
		return nil
	}
	w.mu.Lock()
	w.counts["milliseconds from the last fault to a leader"] = int(time.Since(begun).Milliseconds())
	w.mu.Unlock()
	_, term := w.referee.leader()
	for end := time.Now().Add(2 * ttl); time.Now().Before(end); wait(ctx, 50*time.Millisecond) {
		if _, now := w.referee.leader(); now != term {
			w.broken(fmt.Sprintf("without any fault the lead went from term %d to %d", term, now))
			return nil
		}
	}
	return nil
}

func (w *world) someoneLeads(ctx context.Context) error {
	for end := time.Now().Add(within); ; wait(ctx, 20*time.Millisecond) {
		if who, term := w.referee.leader(); who != "" {
			w.log("%s leads, term %d", who, term)
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("nobody led within %v although nothing was wrong", within)
		}
	}
}

// measure looks at the sidecars' memory and open files now and then.
func (w *world) measure(ctx context.Context) {
	for ; ctx.Err() == nil; wait(ctx, 2*time.Second) {
		for _, c := range w.candidates {
			rss, files := size(c.sidecar.PID())
			w.mu.Lock()
			w.rss, w.files = max(w.rss, rss), max(w.files, files)
			w.mu.Unlock()
		}
	}
}

// readDeeds judges the shared log while it is written, to its end.
func (w *world) readDeeds(ctx context.Context) error {
	var log *os.File
	for log == nil {
		var err error
		if log, err = os.Open(w.file("deeds")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if wait(ctx, 20*time.Millisecond); ctx.Err() != nil && log == nil {
			return nil
		}
	}
	defer log.Close()
	lines := bufio.NewReader(log)
	part := ""
	for last := false; ; {
		text, err := lines.ReadString('\n')
		part += text
		if errors.Is(err, io.EOF) {
			if last {
				return nil
			}
			last = ctx.Err() != nil
			wait(ctx, 20*time.Millisecond)
			continue
		}
		if err != nil {
			return err
		}
		d, err := parseDeed(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("an app wrote %q: %w", part, err)
		}
		if why := w.deeds.judge(d); why != "" {
			w.broken(why)
		}
		part = ""
	}
}
