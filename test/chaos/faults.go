package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// kind is one thing that can happen.
type kind struct {
	name    string
	weight  int
	at      place
	request bool // an operator's wish, which is no fault and does not count as one
	do      func(ctx context.Context, w *world, at target, r *rand.Rand) error
}

// place is what a fault takes; two faults of one place do not overlap, and all
// others may.
type place int

const (
	aLeg  place = iota // one of a candidate's two legs
	aBody              // a candidate's processes
	aCard              // a candidate's token
	plane              // the API server and etcd
	lease              // the lock
	wish               // nothing
)

// target is what a fault hits.
type target struct {
	c   *candidate
	leg *link
}

// kinds are all that can happen. The weights are out of about 100.
var kinds = []kind{
	{"cut", 9, aLeg, false, onLink(cutOff)},
	{"requests lost", 6, aLeg, false, onLink(loses(requests))},
	{"answers lost", 7, aLeg, false, onLink(loses(answers))},
	{"held back, then carried out", 7, aLeg, false, onLink(holdsBack)},
	{"delayed beyond deadlines", 8, aLeg, false, onLink(delays)},
	{"slow bytes", 4, aLeg, false, onLink(drips)},
	{"reset within an answer", 7, aLeg, false, onLink(resetsInAnswer)},
	{"hung after the commit", 8, aLeg, false, func(ctx context.Context, _ *world, at target, r *rand.Rand) error {
		at.c.recorder.hangsAfterCommit(ctx, between(r, 300*time.Millisecond, 5*time.Second))
		return nil
	}},
	{"frozen for a while", 5, aBody, false, frozen(50*time.Millisecond, 3*time.Second)},
	{"frozen past the lease", 5, aBody, false, frozen(ttl+200*time.Millisecond, 2*ttl)},
	{"killed", 6, aBody, false, killed},
	{"told to end", 4, aBody, false, toldToEnd},
	{"API server frozen", 3, plane, false, stopped(func(w *world) *controlplane.Process { return w.plane.APIServer })},
	{"API server killed", 2, plane, false, restarted(func(w *world) *controlplane.Process { return w.plane.APIServer })},
	{"etcd frozen", 3, plane, false, stopped(func(w *world) *controlplane.Process { return w.plane.Etcd })},
	{"etcd killed", 2, plane, false, restarted(func(w *world) *controlplane.Process { return w.plane.Etcd })},
	{"throttled (429)", 3, plane, false, func(ctx context.Context, w *world, _ target, r *rand.Rand) error {
		return w.throttle(ctx, between(r, time.Second, 6*time.Second))
	}},
	{"certificates rotated", 2, plane, false, func(ctx context.Context, w *world, _ target, _ *rand.Rand) error { return w.rotateCertificate(ctx) }},
	{"token expires, replaced late", 2, aCard, false, tokenExpires},
	{"token refused", 2, aCard, false, tokenRefused},
	{"lock edited", 2, lease, false, onLock((*world).edit)},
	{"lock emptied", 1, lease, false, onLock((*world).empty)},
	{"lock deleted", 1, lease, false, onLock((*world).remove)},
	{"lock deleted and made by hand", 1, lease, false, onLock((*world).recreate)},
	{"lock changed behind the leader's back", 3, lease, false, behindItsBack},
	{"step-down", 4, wish, true, func(ctx context.Context, w *world, at target, r *rand.Rand) error { return w.stepDown(ctx, at.c, r) }},
	{"switchover", 3, lease, true, onLock((*world).switchover)},
	{"pause", 1, lease, true, onLock((*world).pause)},
}

// fault is one drawn kind.
type fault struct {
	n      int // among the faults; requests have that of the fault before them
	kind   *kind
	leader bool // it hits who leads when it comes; else the candidate of that number
	of     int
	far    bool
	gap    time.Duration // before it
	calm   bool          // all others end before it, and a leader is given the time to come
	seed   uint64        // of all that it draws itself
}

// plan draws everything from the seed before anything happens: the kinds, the
// targets, the lengths and the gaps. What happens in a run depends on who
// leads, and on the machine.
func plan(seed uint64, faults int, gap time.Duration) (all []fault) {
	r := rand.New(rand.NewPCG(seed, 0))
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	for n := 0; n < faults; {
		f := fault{leader: r.IntN(100) < 60, of: r.IntN(len(couplings)), far: r.IntN(2) == 1, seed: r.Uint64()}
		f.gap = time.Duration(min(r.ExpFloat64(), 4) * float64(gap))
		f.calm = r.IntN(40) == 0
		at := r.IntN(total)
		for i := range kinds {
			if at -= kinds[i].weight; at < 0 {
				f.kind = &kinds[i]
				break
			}
		}
		if f.kind.at == lease {
			f.leader = true // while nobody leads, an edit of the lock breaks little
		}
		if !f.kind.request {
			n++
		}
		f.n = n
		all = append(all, f)
	}
	return all
}

func onLink(do linkFault) func(context.Context, *world, target, *rand.Rand) error {
	return func(ctx context.Context, _ *world, at target, r *rand.Rand) error { return do(ctx, at.leg, r) }
}

// onLock carries out an edit. The API server may be away, or the outcome
// unknown: then it is as it is, and the history says so.
func onLock(do func(*world, context.Context, *rand.Rand) error) func(context.Context, *world, target, *rand.Rand) error {
	return func(ctx context.Context, w *world, _ target, r *rand.Rand) error {
		if err := do(w, ctx, r); err != nil {
			w.log("  by hand, not (surely) done: %v", err)
			w.count("edits by hand that were not (surely) done")
		}
		return nil
	}
}

// behindItsBack changes or deletes the lock while the leader hears nothing: it
// acts on until its trust ends, and nobody else may lead before.
func behindItsBack(ctx context.Context, w *world, at target, r *rand.Rand) error {
	at.c.near.taken.Lock() // whoever has a link never waits for the lock
	defer at.c.near.taken.Unlock()
	at.c.near.sky[answers].set(mode{kind: "hold"})
	defer at.c.near.sky[answers].set(mode{})
	wait(ctx, 50*time.Millisecond)
	change := []func(*world, context.Context, *rand.Rand) error{(*world).edit, (*world).empty, (*world).remove, (*world).recreate}[r.IntN(4)]
	if err := onLock(change)(ctx, w, at, r); err != nil {
		return err
	}
	wait(ctx, between(r, ttl/2, ttl))
	return nil
}

func frozen(least, most time.Duration) func(context.Context, *world, target, *rand.Rand) error {
	return func(ctx context.Context, w *world, at target, r *rand.Rand) error {
		what := []string{"sidecar", "sidecar", "sidecar", "both", "command"}[r.IntN(5)]
		if at.c.coupling != "run" {
			what = "sidecar"
		}
		at.c.freeze(ctx, between(r, least, most), what)
		return nil
	}
}

func killed(ctx context.Context, _ *world, at target, r *rand.Rand) error {
	at.c.expects("killed", time.Duration(r.Int64N(int64(ttl))))
	at.c.sidecar.Signal(syscall.SIGKILL) // it may be down
	wait(ctx, time.Second)
	return nil
}

// endsWithin is how long a sidecar that is told to end may take: the app's
// stop, the tries of the release, and what a busy machine adds.
const endsWithin = 20 * time.Second

func toldToEnd(ctx context.Context, w *world, at target, r *rand.Rand) error {
	pid := at.c.sidecar.PID()
	if pid == 0 {
		return nil
	}
	at.c.expects("told to end", time.Duration(r.Int64N(int64(ttl/2))))
	at.c.sidecar.Signal(syscall.SIGTERM)
	for deadline := time.Now().Add(endsWithin); at.c.sidecar.PID() == pid; wait(ctx, 20*time.Millisecond) {
		if time.Now().After(deadline) {
			w.broken(fmt.Sprintf("the sidecar of %s has not ended %v after SIGTERM", at.c.id, endsWithin))
			at.c.sidecar.Kill()
			return nil
		}
	}
	return nil
}

func stopped(of func(*world) *controlplane.Process) func(context.Context, *world, target, *rand.Rand) error {
	return func(ctx context.Context, w *world, _ target, r *rand.Rand) error {
		p := of(w)
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		wait(ctx, between(r, 300*time.Millisecond, 7*time.Second))
		return p.Resume()
	}
}

func restarted(of func(*world) *controlplane.Process) func(context.Context, *world, target, *rand.Rand) error {
	return func(ctx context.Context, w *world, _ target, r *rand.Rand) error {
		p := of(w)
		if err := p.Kill(); err != nil {
			return err
		}
		wait(ctx, between(r, 0, 3*time.Second))
		if err := p.Start(); err != nil {
			return err
		}
		return w.plane.WaitReady(context.WithoutCancel(ctx))
	}
}

// tokenExpires gives a token that ends soon, and the next one only after that.
// The sidecar reads the file again within ten seconds, and the API server
// believes a token for ten seconds more.
func tokenExpires(ctx context.Context, w *world, at target, r *rand.Rand) error {
	token, err := w.shortToken(at.c.token, 4*time.Second)
	if err != nil {
		return err
	}
	return at.c.otherToken(ctx, token, between(r, 8*time.Second, 20*time.Second))
}

// tokenRefused gives a token with a signature that is none.
func tokenRefused(ctx context.Context, _ *world, at target, r *rand.Rand) error {
	return at.c.otherToken(ctx, at.c.token[:len(at.c.token)-20]+"AAAAAAAAAAAAAAAAAAAA", between(r, 6*time.Second, 15*time.Second))
}

func (c *candidate) otherToken(ctx context.Context, token string, d time.Duration) error {
	if err := c.giveToken(token); err != nil {
		return err
	}
	wait(ctx, d)
	return c.giveToken(c.token)
}
