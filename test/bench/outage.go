package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	outagePairs = 3
	outageTime  = time.Minute
	namesEvery  = 20 * time.Millisecond
)

// outage is a way in which the API server is away, with its rows of the table.
type outage struct {
	name            string
	begin, over     func() error
	last, two, back figure
}

// outages: the API server away for a minute under pairs, first killed, then
// frozen, so that requests hang instead of failing.
func (b *bench) outages(ctx context.Context) error {
	server := b.plane.APIServer
	for _, o := range []outage{
		{"killed", server.Kill, server.Start, killedLast, killedTwo, killedBack},
		{"frozen", server.Pause, server.Resume, frozenLast, frozenTwo, frozenBack},
	} {
		if err := b.outage(ctx, o); err != nil {
			return fmt.Errorf("API server %s: %w", o.name, err)
		}
	}
	return nil
}

func (b *bench) outage(ctx context.Context, o outage) error {
	pairs, err := b.outagePairs(ctx)
	for _, p := range pairs {
		defer b.end(p.members[:]...)
	}
	if err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	var watches sync.WaitGroup
	for _, p := range pairs {
		watches.Go(func() { p.watch(watching) })
	}
	defer watches.Wait()
	defer stop()

	begun := time.Now()
	if err := o.begin(); err != nil {
		return err
	}
	if err := pause(ctx, outageTime); err != nil {
		return err
	}
	for _, p := range pairs {
		p.endOutage()
	}
	if err := o.over(); err != nil {
		return err
	}
	if err := b.plane.WaitReady(ctx); err != nil {
		return err
	}
	ready := time.Now()
	err = each(ctx, len(pairs), func(ctx context.Context, i int) error { return pairs[i].lives(ctx) })
	if err != nil {
		return err
	}
	stop()
	watches.Wait()
	return b.addOutage(o, pairs, begun, ready)
}

// outagePairs starts the pairs of both programs. What it started it returns
// with an error, too.
func (b *bench) outagePairs(ctx context.Context) (pairs []*watchedPair, err error) {
	for _, p := range b.programs {
		for range outagePairs {
			leader, standby, err := b.pair(ctx, p, "")
			if err != nil {
				return pairs, err
			}
			pairs = append(pairs, &watchedPair{of: p, members: [2]*process{leader, standby}})
		}
	}
	return pairs, nil
}

// addOutage reports the pairs. Two leaders of ours are an error: nothing else
// that was measured matters then.
func (b *bench) addOutage(o outage, pairs []*watchedPair, begun, ready time.Time) error {
	var failed error
	for _, p := range b.programs {
		var last, back []time.Duration
		two, asked := 0, 0
		for _, pair := range pairs {
			if pair.of != p {
				continue
			}
			last = append(last, max(0, pair.last.Sub(begun)))
			two, asked = two+pair.two, asked+pair.asked
			if !pair.again.IsZero() {
				back = append(back, max(0, pair.again.Sub(ready)))
			}
		}
		b.report.add(o.two, p, fmt.Sprintf("%d of %d rounds", two, asked), two == 0)
		switch {
		case worst(last) > outageTime-time.Second:
			// Who never stopped naming a leader shows nothing by naming one.
			b.report.add(o.last, p, "never stopped", false)
			b.report.add(o.back, p, "named one throughout", false)
		case len(back) < outagePairs:
			b.report.add(o.last, p, spread(last), worst(last) <= ttl)
			b.report.add(o.back, p, fmt.Sprintf("%d of %d not within %v", outagePairs-len(back), outagePairs, patience), false)
		default:
			b.report.add(o.last, p, spread(last), worst(last) <= ttl)
			b.report.add(o.back, p, spread(back), worst(back) <= 2*time.Second)
		}
		if p == b.ours && two > 0 {
			failed = errors.New("both of a pair of ours answered their own name at one instant")
		}
	}
	return failed
}

// watchedPair asks both of a pair for their names, again and again.
type watchedPair struct {
	of      *program
	members [2]*process

	mu    sync.Mutex
	over  bool      // the outage is
	last  time.Time // an own name, before it was over
	again time.Time // the first own name after that
	two   int       // rounds in which both answered their own name at one instant
	asked int       // rounds
}

func (p *watchedPair) watch(ctx context.Context) {
	for pause(ctx, namesEvery) == nil {
		led, two := round(func(i int) bool { return p.members[i].self() })
		now := time.Now()
		p.mu.Lock()
		p.asked++
		if two {
			p.two++
		}
		switch {
		case led && !p.over:
			p.last = now
		case led && p.again.IsZero():
			p.again = now
		}
		p.mu.Unlock()
	}
}

// round asks one, the other, and if both named themselves the first once more:
// then it led before and after the other did, so both did at one instant. A
// lead that moves between two answers is none of that.
func round(self func(i int) bool) (led, two bool) {
	a := self(0)
	b := self(1)
	return a || b, a && b && self(0)
}

// endOutage says that from now on somebody may lead again.
func (p *watchedPair) endOutage() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

func (p *watchedPair) isBack() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.again.IsZero()
}

// lives waits until one leads again, which the table tells, and checks that
// both processes outlived the outage.
func (p *watchedPair) lives(ctx context.Context) error {
	if err := p.members[0].until(ctx, namesEvery, p.isBack); err != nil && !errors.Is(err, errLate) {
		return err
	}
	i := slices.IndexFunc(p.members[:], (*process).ended)
	if i < 0 {
		return nil
	}
	return fmt.Errorf("%s ended\n%s", p.of.name, p.members[i].lastWords())
}
