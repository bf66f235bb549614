package main

import (
	"context"
	"fmt"
	"time"

	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// sweepEvery is how often leases are looked at that ran out, which no event
// tells.
const sweepEvery = 500 * time.Millisecond

// follower shows what changes, and keeps quiet about renewals.
type follower struct {
	*listPrinter
	seen map[lockKey]*sighting
}

type lockKey struct {
	kind            record.Kind
	namespace, name string
}

// sighting is what is known of one lock. Whether its lease has run out is
// counted from when its last version arrived here, as the candidates count it.
type sighting struct {
	record  record.Record
	arrived time.Time
	shown   string // what the last line said
}

// follow prints the list, and then a line per change until ctx is done.
func (p *listPrinter) follow(ctx context.Context, records []record.Record, versions map[record.Kind]string) error {
	f := &follower{listPrinter: p, seen: map[lockKey]*sighting{}}
	if err := f.start(records); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, failed := make(chan change), make(chan error, len(p.kinds))
	for _, kind := range p.kinds {
		w := &watcher{c: p.c, kind: kind, scope: p.listScope, version: versions[kind], errOut: p.ErrOut}
		go func() { failed <- w.run(ctx, changes) }()
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case ch := <-changes:
			err = f.take(ch)
		case <-tick.C:
			err = f.sweep()
		case err = <-failed:
			if ctx.Err() != nil {
				return nil // whoever watches ends it
			}
		case <-ctx.Done():
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// start prints what there is now. Of these, only the clocks tell what ran out.
func (f *follower) start(records []record.Record) error {
	if len(records) == 0 && f.output.text() {
		if err := f.none(); err != nil {
			return err
		}
	}
	now, here := f.c.Now(), time.Now()
	items := make([]election, len(records))
	for i, r := range records {
		items[i] = newElection(&r, now)
		s := &sighting{record: r, arrived: here, shown: items[i].gist()}
		if items[i].Status == statusExpired {
			s.arrived = here.Add(-r.Duration)
		}
		f.seen[keyOf(&r)] = s
	}
	if len(items) == 0 {
		return nil
	}
	return f.show(now, items...)
}

func (f *follower) show(now time.Time, items ...election) error {
	if f.output.text() || f.output.value == "name" {
		return f.lines(items, now)
	}
	for _, e := range items {
		e.APIVersion, e.Kind = apiVersion, "Election"
		if f.output.value == "yaml" {
			if _, err := fmt.Fprintln(f.Out, "---"); err != nil {
				return err
			}
		}
		if err := f.output.object(f.Out, e); err != nil {
			return err
		}
	}
	return nil
}

// take shows a change, if it is more than a renewal.
func (f *follower) take(ch change) error {
	key := keyOf(&ch.record)
	if ch.deleted {
		if _, ok := f.seen[key]; !ok {
			return nil
		}
		delete(f.seen, key)
		e := newElection(&ch.record, f.c.Now())
		e.Status = statusDeleted
		return f.show(f.c.Now(), e)
	}
	if !f.shows(&ch.record) {
		return nil
	}
	s := f.seen[key]
	switch {
	case s == nil:
		s = &sighting{}
		f.seen[key] = s
	case s.record.UID == ch.record.UID && s.record.Version == ch.record.Version:
		return nil // read again after the watch was interrupted
	}
	s.record, s.arrived = ch.record, time.Now()
	return f.tell(s)
}

// sweep shows the leases that ran out meanwhile.
func (f *follower) sweep() error {
	for _, s := range f.seen {
		if err := f.tell(s); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) tell(s *sighting) error {
	now := f.c.Now()
	e := newElection(&s.record, now)
	if e.Status == statusLed || e.Status == statusExpired {
		e.Status = statusLed
		if s.record.Duration > 0 && time.Since(s.arrived) >= s.record.Duration {
			e.Status = statusExpired
		}
	}
	if gist := e.gist(); gist != s.shown {
		s.shown = gist
		return f.show(now, e)
	}
	return nil
}

// gist is what makes a line worth printing.
func (e *election) gist() string {
	term := ""
	if e.Term != nil {
		term = *e.Term
	}
	return fmt.Sprint(e.Status, "|", e.Leader, "|", term, "|", e.Transitions, "|", e.TTLSeconds, "|", e.Paused, "|", e.note(), "|", e.UID)
}

func keyOf(r *record.Record) lockKey { return lockKey{r.Kind, r.Namespace, r.Name} }
