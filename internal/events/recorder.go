package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/leader-elector/leader-elector/internal/kube"
)

const (
	// maxQueue bounds what waits for an API server that is away; the oldest goes
	// first, as the newest says how things stand.
	maxQueue = 32
	// staleAfter is how long an Event is tried.
	staleAfter = 10 * time.Minute
	// requestWithin bounds a request, and lastWords all that are sent when the
	// process ends: the end of a lead on SIGTERM is among them.
	requestWithin = 5 * time.Second
	lastWords     = time.Second

	retryMin = time.Second
	retryMax = 30 * time.Second
)

// Object is what an Event is about.
type Object struct {
	kube.Ref
	Kind string
	// UID is what `kubectl describe` finds Events by. Empty: it is read for each
	// Event, as that of a lock which may be deleted and made anew.
	UID string
}

// Config says what is recorded about whom. All but Objects, Node, Result and Log
// must be given.
type Config struct {
	Client  *kube.Client
	Objects []Object // each change is recorded on all of them
	ID      string   // of this candidate
	Node    string   // of this pod
	// Result counts what became of each Event.
	Result func(result string)
	Log    *slog.Logger
}

// What became of an Event.
const (
	Stored    = "stored"
	Dropped   = "dropped" // the API server was away for too long, or the process ended
	Forbidden = "forbidden"
)

// Recorder records Events, one at a time and in order.
type Recorder struct {
	cfg Config

	mu    sync.Mutex
	queue []*entry
	wake  chan struct{} // holds a token when there is something in the queue

	// What follows belongs to Run.
	series  map[seriesKey]*series
	denied  bool // the log knows that a right is missing
	dropped int  // since the API server last took one; guarded by mu
	away    bool // the log knows that it takes none
}

// entry is one Event to be recorded.
type entry struct {
	object                *Object
	kind, reason, message string // kind is "Normal" or "Warning"
	at                    time.Time
}

// New makes a Recorder; nothing is sent before Run.
func New(cfg Config) *Recorder {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Result == nil {
		cfg.Result = func(string) {}
	}
	return &Recorder{cfg: cfg, wake: make(chan struct{}, 1), series: map[seriesKey]*series{}}
}

// record queues an Event on every object. It never waits.
func (r *Recorder) record(kind, reason, message string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.cfg.Objects {
		if len(r.queue) == maxQueue {
			r.queue = r.queue[1:]
			r.drop()
		}
		// Each instant once, as it is in the Event's name.
		r.queue = append(r.queue, &entry{object: &r.cfg.Objects[i], kind: kind, reason: reason, message: message, at: at.Add(time.Duration(i))})
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// drop counts one that will never be recorded. The mutex is held.
func (r *Recorder) drop() {
	r.dropped++
	r.cfg.Result(Dropped)
}

// Run records until ctx is done, and then what still waits, for a second.
func (r *Recorder) Run(ctx context.Context) {
	for wait := time.Duration(0); ; {
		wake, again := r.wake, (<-chan time.Time)(nil)
		if wait > 0 { // news is no reason to ask sooner a server that is away
			wake, again = nil, time.After(wait)
		}
		select {
		case <-wake:
		case <-again:
		case <-ctx.Done():
			r.finish(context.WithoutCancel(ctx))
			return
		}
		wait = r.send(ctx, wait)
	}
}

// finish sends what still waits, and counts the rest as dropped.
func (r *Recorder) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	r.send(ctx, 0)
	r.mu.Lock()
	defer r.mu.Unlock()
	for range r.queue {
		r.drop()
	}
	if r.queue = nil; r.dropped > 0 {
		r.cfg.Log.Warn("events were not recorded, as the API server did not take them", "dropped", r.dropped)
	}
}

// send sends what waits until the server does not take it; then it says how
// long to wait. waited is how long that was the last time.
func (r *Recorder) send(ctx context.Context, waited time.Duration) (wait time.Duration) {
	for {
		r.mu.Lock()
		for len(r.queue) > 0 && time.Since(r.queue[0].at) > staleAfter {
			r.queue = r.queue[1:]
			r.drop()
		}
		if len(r.queue) == 0 {
			r.mu.Unlock()
			return 0
		}
		e := r.queue[0]
		r.mu.Unlock()
		again, err := r.put(ctx, e)
		if ctx.Err() != nil && err != nil {
			return 0 // finish goes on
		}
		if again > 0 {
			r.isAway(err)
			return max(again, min(retryMax, max(retryMin, 2*waited)))
		}
		r.taken(e, err)
	}
}

// put makes one attempt. again is how long to wait before the next; zero: it is
// over, and err says how.
func (r *Recorder) put(ctx context.Context, e *entry) (again time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestWithin)
	defer cancel()
	err = r.write(ctx, e)
	var refused *kube.Error
	switch {
	case err == nil, errors.Is(err, kube.ErrForbidden), errors.Is(err, kube.ErrInvalid), errors.Is(err, kube.ErrNotFound):
		return 0, err
	case errors.As(err, &refused) && refused.RetryAfter > 0:
		return min(refused.RetryAfter, retryMax), err
	}
	return retryMin/2 + rand.N(retryMin/2), err
}

// taken takes an entry out of the queue, and tells once of a missing right.
func (r *Recorder) taken(e *entry, err error) {
	r.mu.Lock()
	dropped := r.dropped
	if len(r.queue) > 0 && r.queue[0] == e {
		r.queue = r.queue[1:]
	}
	if err == nil {
		r.dropped = 0
	}
	r.mu.Unlock()
	switch {
	case err == nil:
		r.cfg.Result(Stored)
		if r.away {
			r.cfg.Log.Info("events are recorded again", "dropped", dropped)
		}
		r.away, r.denied = false, false
	case errors.Is(err, kube.ErrForbidden):
		r.cfg.Result(Forbidden)
		if !r.denied {
			ref := kube.Ref{APIVersion: "v1", Resource: "events", Namespace: e.object.Namespace}
			r.cfg.Log.Warn("events cannot be recorded, which the election does not need", "namespace", ref.Namespace,
				"mend", "leave --events out, or add to the Role: "+ref.Rule("create", "patch"), "error", err)
		}
		r.denied = true
	default:
		r.cfg.Result(Dropped)
		r.cfg.Log.Debug("an event was not recorded", "reason", e.reason, "error", err)
	}
}

// isAway tells once that the server takes no Events.
func (r *Recorder) isAway(err error) {
	if !r.away {
		r.cfg.Log.Info("events wait for the API server", "error", fmt.Sprint(err))
	}
	r.away = true
}
