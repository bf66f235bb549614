package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/test/controlplane"
)

// handovers: SIGTERM of the leader until the standby itself says "I lead". One
// at a time, asked every millisecond on one connection.
func (b *bench) handovers(ctx context.Context) error {
	for _, p := range b.programs {
		took, err := b.handoversOf(ctx, p)
		if err != nil {
			return err
		}
		b.report.add(handover, p, spread(took), median(took) <= 30*time.Millisecond && worst(took) <= 150*time.Millisecond)
	}
	return nil
}

func (b *bench) handoversOf(ctx context.Context, p *program) (took []time.Duration, err error) {
	namespace, err := b.plane.Namespace(ctx)
	if err != nil {
		return nil, err
	}
	leader, standby, err := b.pair(ctx, p, namespace)
	if err != nil {
		return nil, err
	}
	for range b.trials {
		// The peer polls: a random moment of its round is hit.
		if err := pause(ctx, 200*time.Millisecond+rand.N(2*time.Second)); err != nil {
			return nil, err
		}
		begun := time.Now()
		leader.signal(syscall.SIGTERM)
		at, err := standby.lead(ctx, time.Millisecond)
		if err != nil {
			return nil, err
		}
		took = append(took, at.Sub(begun))
		<-leader.gone
		id := leader.id
		leader = standby
		if standby, err = b.spawn(ctx, p, namespace, election, id); err != nil {
			return nil, err
		}
		if err := standby.know(ctx, leader); err != nil {
			return nil, err
		}
	}
	b.end(leader, standby)
	return took, nil
}

// starts: from exec to "I lead" on a lock that was released.
func (b *bench) starts(ctx context.Context) error {
	for _, p := range b.programs {
		namespace, err := b.plane.Namespace(ctx)
		if err != nil {
			return err
		}
		var took []time.Duration
		for i := range b.trials + 1 {
			creds, err := b.plane.Candidate(ctx, controlplane.CandidateOptions{Namespace: namespace, Pod: "a", Election: election})
			if err != nil {
				return err
			}
			c, err := b.exec(p, namespace, election, "a", creds.Kubeconfig)
			if err != nil {
				return err
			}
			at, err := c.lead(ctx, time.Millisecond)
			if err != nil {
				return err
			}
			if i > 0 { // the first finds no lock
				took = append(took, at.Sub(c.begun))
			}
			c.signal(syscall.SIGTERM)
			<-c.gone
		}
		b.report.add(start, p, spread(took), worst(took) <= 100*time.Millisecond)
	}
	return nil
}

// crashes: SIGKILL of the leader until the standby leads, several pairs at once.
func (b *bench) crashes(ctx context.Context) error {
	for _, p := range b.programs {
		var mu sync.Mutex
		var took, late []time.Duration
		err := each(ctx, b.trials, func(ctx context.Context, i int) error {
			t, l, err := b.crash(ctx, p, time.Duration(i)*400*time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			took, late = append(took, t), append(late, l)
			return err
		})
		if err != nil {
			return err
		}
		b.report.add(crash, p, spread(took), worst(took) <= 15200*time.Millisecond)
		b.report.add(crashLate, p, spread(late), worst(late) <= 100*time.Millisecond)
	}
	return nil
}

// crash is one of them. Patience counts from the arrival of the last renewal,
// which the bench's own watch of the lock sees as the standby does.
func (b *bench) crash(ctx context.Context, p *program, after time.Duration) (took, late time.Duration, err error) {
	namespace, err := b.plane.Namespace(ctx)
	if err != nil {
		return 0, 0, err
	}
	leader, standby, err := b.pair(ctx, p, namespace)
	if err != nil {
		return 0, 0, err
	}
	defer b.end(leader, standby)
	renewed, stop, err := b.renewals(ctx, namespace)
	if err != nil {
		return 0, 0, err
	}
	defer stop()
	if err := pause(ctx, 6*time.Second+after); err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	leader.signal(syscall.SIGKILL)
	<-leader.gone
	if err := pause(ctx, ttl*2/3-time.Second); err != nil { // nothing can happen yet
		return 0, 0, err
	}
	last := renewed()
	if last.IsZero() {
		return 0, 0, fmt.Errorf("%s: no renewal was seen before the leader was killed\n%s", p.name, leader.lastWords())
	}
	at, err := standby.lead(ctx, 4*time.Millisecond)
	if err != nil {
		return 0, 0, err
	}
	return at.Sub(begun), at.Sub(last.Add(ttl)), nil
}

// renewals watches a lock until stop, and returns when its last change arrived.
func (b *bench) renewals(ctx context.Context, namespace string) (last func() time.Time, stop func(), err error) {
	access, err := kube.FromKubeconfig(b.plane.Kubeconfig(), "")
	if err != nil {
		return nil, nil, err
	}
	client, err := kube.New(access)
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex
	var at time.Time
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	ref := kube.Ref{APIVersion: "coordination.k8s.io/v1", Resource: "leases", Namespace: namespace, Name: election}
	watch.Go(func() {
		client.Watch(ctx, ref, func(e kube.Event) {
			if e.Type == kube.Changed {
				mu.Lock()
				at = time.Now()
				mu.Unlock()
			}
		})
	})
	last = func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	return last, func() { cancel(); watch.Wait() }, nil
}

// freezes: SIGSTOP past the ttl, then SIGCONT; what the woken leader answers
// first to questions that wait in the kernel.
func (b *bench) freezes(ctx context.Context) error {
	for _, p := range b.programs {
		const n = 20
		var mu sync.Mutex
		right := 0
		err := each(ctx, n, func(ctx context.Context, i int) error {
			ok, err := b.freeze(ctx, p)
			mu.Lock()
			defer mu.Unlock()
			if ok {
				right++
			}
			return err
		})
		if err != nil {
			return err
		}
		b.report.add(woken, p, fmt.Sprintf("%d of %d", right, n), right == n)
	}
	return nil
}

func (b *bench) freeze(ctx context.Context, p *program) (right bool, err error) {
	leader, standby, err := b.pair(ctx, p, "")
	if err != nil {
		return false, err
	}
	defer b.end(leader, standby)
	var conns [2]net.Conn
	for i := range conns {
		if conns[i], err = net.Dial("tcp", leader.addr); err != nil {
			return false, err
		}
		defer conns[i].Close()
	}
	// Both connections are served before the freeze, so that nothing but the
	// answer is left to do.
	for _, conn := range conns {
		if _, _, err := leader.ask(conn, "/").answer(); err != nil {
			return false, err
		}
	}
	leader.signal(syscall.SIGSTOP)
	if _, err := standby.lead(ctx, 20*time.Millisecond); err != nil {
		return false, err
	}
	name, role := leader.ask(conns[0], "/"), leader.ask(conns[1], "/leader")
	leader.signal(syscall.SIGCONT)
	_, body, err := name.answer()
	if err != nil {
		return false, err
	}
	code, _, err := role.answer()
	return body != leader.name() && code == 503, err
}

// pause waits, unless the bench ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
