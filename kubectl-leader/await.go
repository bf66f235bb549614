package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/leader-elector/leader-elector/kubectl-leader/candidate"
	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// pollEvery is how often the lock is read where it may not be watched.
const pollEvery = 200 * time.Millisecond

// waiter watches one lock for what comes of a request. The lock tells each step:
// the leader's next write removes the request and carries an offer, a candidate
// adds its acceptance, the leader releases, and the candidate acquires.
type waiter struct {
	c       *cluster.Client
	s       *switchover
	out     io.Writer
	changes chan change
	failed  chan error
	cancel  context.CancelFunc

	told string // the last step
}

// newWaiter begins to watch after the version that was read, so that nothing
// that follows the request is missed.
func newWaiter(c *cluster.Client, r *record.Record, s *switchover, out io.Writer) *waiter {
	ctx, cancel := context.WithCancel(context.Background())
	w := &waiter{c: c, s: s, out: out, changes: make(chan change), failed: make(chan error, 1), cancel: cancel}
	watch := &watcher{c: c, kind: r.Kind, scope: listScope{namespace: r.Namespace}, name: r.Name, version: versionOf(r), errOut: io.Discard}
	go func() {
		err := watch.run(ctx, w.changes)
		if apierrors.IsForbidden(err) {
			err = poll(ctx, c, r, w.changes)
		}
		w.failed <- err
	}()
	return w
}

func (w *waiter) stop() { w.cancel() }

// poll reads the lock again and again.
func poll(ctx context.Context, c *cluster.Client, r *record.Record, to chan<- change) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		now, err := c.Get(ctx, r.Kind, r.Namespace, r.Name)
		ch := change{record: now, deleted: errors.Is(err, cluster.ErrNoLock)}
		if err != nil && !ch.deleted {
			return err
		}
		if err := send(ctx, to, ch); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// await follows a request that was written until its outcome is known.
func (o *switchoverOptions) await(ctx context.Context, w *waiter, after record.Record, s *switchover, asked time.Time) error {
	w.tell("%s is asked to hand over to %s", s.From, anybody(s.To))
	late := time.NewTimer(o.timeout)
	defer late.Stop()
	last := after
	for {
		select {
		case ch := <-w.changes:
			if ch.deleted {
				s.Outcome, s.Reason = outcomeUnknown, "the lock was deleted meanwhile"
				return o.fail(ctx, w, s)
			}
			if ch.record.Version < after.Version {
				continue // a write that the request followed
			}
			last = ch.record
			if w.judge(&last, &after, asked) {
				return o.end(ctx, w, &last, s)
			}
		case err := <-w.failed:
			return fmt.Errorf("the request is written, and what comes of it cannot be seen: %w", err)
		case <-late.C:
			return o.late(ctx, w, &last, s, fmt.Sprintf("within %v", o.timeout))
		case <-ctx.Done():
			return o.late(context.WithoutCancel(ctx), w, &last, s, "before this command was interrupted")
		}
	}
}

// judge tells the step that a version of the lock shows, and whether it is the
// last one.
func (w *waiter) judge(r, asked *record.Record, since time.Time) (done bool) {
	s := w.s
	s.Leader, s.Term = r.Leader(), r.Term()
	offered := r.Intact() && r.Seal.Offer != nil
	switch {
	case s.Leader != "" && s.Leader != s.From:
		took := time.Since(since).Seconds()
		s.TookSeconds, s.Outcome = &took, outcomeMoved
		if s.To != "" && s.Leader != s.To {
			s.Outcome, s.Reason = outcomeRefused, fmt.Sprintf("%s leads now, and not %s", s.Leader, s.To)
		}
		return true
	case s.Leader == "" && r.Released():
		w.tell("%s has stopped and released the lock for %s", s.From, anybody(r.Seal.To))
	case s.Leader == "":
		w.tell("nobody holds the lock")
	case s.Term != asked.Term():
		s.Outcome, s.Reason = outcomeRefused, fmt.Sprintf("%s leads again, with a new term: nobody took the lead that it gave up, or it was restarted", s.From)
		return true
	case r.Request != nil:
		// It has not been taken up yet.
	case offered && r.Acceptance != nil && r.Acceptance.Offer == r.Seal.Offer.Nonce:
		w.tell("%s has accepted", r.Acceptance.By)
	case offered:
		w.tell("%s offers the lead to %s", s.From, anybody(r.Seal.Offer.To))
	case r.Paused:
		s.Outcome, s.Reason = outcomeRefused, "the election was paused meanwhile"
		return true
	default:
		s.Outcome, s.Reason = outcomeRefused, anybodyNot(s.To)+" accepted within a second, and "+s.From+" leads on"
		return true
	}
	return false
}

func anybodyNot(name string) string {
	if name == "" {
		return "no candidate has"
	}
	return name + " has not"
}

// tell prints a step once.
func (w *waiter) tell(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); text != w.told {
		w.told = text
		fmt.Fprintln(w.out, text)
	}
}

// end tells the outcome.
func (o *switchoverOptions) end(ctx context.Context, w *waiter, r *record.Record, s *switchover) error {
	if s.Outcome != outcomeMoved {
		return o.fail(ctx, w, s)
	}
	took := time.Duration(*s.TookSeconds * float64(time.Second)).Round(time.Millisecond)
	return o.print(r, s, fmt.Sprintf("%s leads with term %s, %v after it was asked for", s.Leader, orDash(s.Term), took))
}

// fail tells why it did not come about, and adds what the candidates say.
func (o *switchoverOptions) fail(ctx context.Context, w *waiter, s *switchover) error {
	r := &record.Record{Namespace: s.Namespace, Name: s.Name}
	if all, err := candidate.Find(ctx, w.c, o.podFlags.scope(r)); err == nil {
		candidate.Ask(ctx, w.c, all)
		var say []string
		for _, k := range all {
			if v := newCandidateView(k); k.Name() != s.From && (s.To == "" || k.Name() == s.To) {
				say = append(say, fmt.Sprintf("%s: %s (%s)", k.Name(), v.Role, orDash(v.Message)))
			}
		}
		if len(say) > 0 {
			s.Reason += "; the candidates now: " + strings.Join(say, "; ")
		}
	}
	if !o.output.text() && o.output.value != "name" {
		if err := o.output.object(o.Out, s); err != nil {
			return err
		}
	}
	return errors.New(s.Reason)
}

// late withdraws a request that nobody took up, lest it is heeded when nobody
// expects it any more.
func (o *switchoverOptions) late(ctx context.Context, w *waiter, last *record.Record, s *switchover, when string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	s.Outcome = outcomeUnknown
	s.Reason = fmt.Sprintf("it was not seen %s who leads after %s; `kubectl leader verify %s -n %s` may tell", when, s.From, s.Name, s.Namespace)
	if last.Request != nil {
		s.Reason = fmt.Sprintf("%s has not taken the request up %s; is it running, and does it reach the API server?", s.From, when)
		_, err := w.c.Annotate(ctx, *last, map[string]any{record.SwitchoverNote: nil}, false)
		if err != nil {
			s.Reason += fmt.Sprintf(" The request still stands, as it could not be withdrawn: %v", firstLine(err))
		} else {
			s.Outcome = outcomeRefused
			s.Reason += " The request is withdrawn."
		}
	}
	return o.fail(ctx, w, s)
}
