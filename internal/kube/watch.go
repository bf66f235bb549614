package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Event is news of one object, or of the watch itself.
type Event struct {
	Type EventType
	// Object is the object's JSON with Listed and Changed, and what it last was
	// with Deleted, where its resourceVersion is that of the deletion. In a list
	// the server leaves out apiVersion and kind.
	Object []byte
	Err    error // an *Error with Failed and Forbidden
}

// EventType says what an [Event] is.
type EventType int

const (
	// Listed: a list shows the object. Lists come first, and again when the
	// watch has lost its place.
	Listed EventType = iota
	// Missing: a list does not show the object. Read it to be sure.
	Missing
	// Changed: the object was created or changed.
	Changed
	// Deleted: the object was deleted.
	Deleted
	// Up: the watch stands. It comes first after the list, then only after
	// Failed or Forbidden.
	Up
	// Failed: the watch is down, and is being tried again; one for each try.
	Failed
	// Forbidden: the object may not be listed or watched, which is tried again
	// slowly; reported once until that changes.
	Forbidden
)

const (
	// connectWithin bounds a list, and a watch up to the head of its answer.
	connectWithin = 10 * time.Second
	// silence is how long a watch may bring nothing. The server sends a
	// bookmark every minute.
	silence = 90 * time.Second

	backoffMin    = 100 * time.Millisecond
	backoffMax    = time.Second
	retryAfterMax = 10 * time.Second
	// forbiddenRetry is how late a mended Role is noticed; the first tries come
	// sooner.
	forbiddenRetry = 40 * time.Second
)

var (
	errSilent  = fmt.Errorf("the watch brought nothing for %v, no bookmark either", silence)
	errConnect = fmt.Errorf("no answer within %v", connectWithin)
	errRewatch = errors.New("the watch's connection was given up on request")
	errExpired = errors.New("the watch has lost its place (410)")
)

// Watch lists and watches one object until ctx is done, and calls fn with each
// event, in order and from this goroutine; fn must not block. A version that was
// delivered is not delivered again when a cut watch is taken up where it was;
// versions in between may be skipped only by a new list. A list or a watch may
// lag behind a Get.
func (c *Client) Watch(ctx context.Context, ref Ref, fn func(Event)) {
	(&watcher{c: c, ref: ref, fn: fn, line: line{newClient: c.access.NewClient}}).run(ctx)
}

// WatchLabelled watches the objects of ref's kind that a label selector chooses,
// as Watch does one; ref's name is left out of it. An event is a reason to list
// them: a new list is one event, Listed, without an object, and objects are
// their metadata.
func (c *Client) WatchLabelled(ctx context.Context, ref Ref, labels string, fn func(Event)) {
	ref.Name = ""
	(&watcher{c: c, ref: ref, labels: labels, fn: fn, line: line{newClient: c.access.NewClient}}).run(ctx)
}

// anewKey marks the context of a watch that is taken up anew.
type anewKey struct{}

// Anew says, of the context of a watch's request, whether an earlier one of the
// same watch has ended: for those who count.
func Anew(ctx context.Context) bool { return ctx.Value(anewKey{}) != nil }

func (w *watcher) run(ctx context.Context) {
	defer w.line.close()
	for ctx.Err() == nil {
		wait := w.turn(ctx)
		if w.begun && !Anew(ctx) {
			ctx = context.WithValue(ctx, anewKey{}, true)
		}
		if wait <= 0 {
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// Rewatch gives up the connection of every watch of this client. Each connects
// anew at once and goes on where it was; one that had brought nothing since it
// connected lists anew, since its place itself may be wrong. A watch that waits
// to connect is left alone.
func (c *Client) Rewatch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cancel := range c.watches {
		cancel(errRewatch)
	}
}

// watcher is one Watch.
type watcher struct {
	c      *Client
	ref    Ref
	labels string // the selector of a watch of several; empty: of the one that ref names
	fn     func(Event)
	line   line

	place     string // the version to go on from; empty: list first
	delivered string // the version of the last object that fn got
	begun     bool   // a watch was asked for
	up        bool   // fn knows that the watch stands
	forbidden string // the verb that fn knows to be forbidden
	moved     bool   // the present connection brought something
	failures  int    // in a row
	refusals  int    // in a row, of what is forbidden
}

// turn lists if it must, and watches until that ends; it returns how long to
// wait before the next turn.
func (w *watcher) turn(parent context.Context) time.Duration {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	defer w.enlist(cancel)()
	if w.place == "" {
		if err := w.list(ctx); err != nil {
			return w.failed(parent, err)
		}
	}
	began := time.Now()
	w.moved = false
	err := w.follow(ctx, cancel)
	lasted := time.Since(began) >= backoffMax
	if lasted {
		w.failures = 0
	}
	switch {
	case errors.Is(err, errRewatch):
		if !w.moved {
			w.place = ""
		}
	case errors.Is(err, errExpired):
		w.place = ""
		if w.failures > 0 {
			return w.backoff(err)
		}
		w.failures++
	case err != nil:
		return w.failed(parent, err)
	case !lasted:
		return w.backoff(nil) // a server that ends every watch at once
	}
	return 0
}

// failed reports a failure and says how long to wait.
func (w *watcher) failed(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil || errors.Is(err, errRewatch) {
		return 0
	}
	w.up = false
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Verb: "watch", Ref: w.ref, Message: err.Error(), Err: err}
	}
	if !errors.Is(e, ErrForbidden) {
		w.forbidden = ""
		w.fn(Event{Type: Failed, Err: e})
		return w.backoff(e)
	}
	w.failures = 0
	if w.forbidden != e.Verb {
		w.forbidden, w.refusals = e.Verb, 0
		w.fn(Event{Type: Forbidden, Err: e})
	}
	// A server that is just starting forbids what it will allow in a moment.
	limit := min(time.Second<<min(w.refusals, 8), forbiddenRetry)
	w.refusals++
	return max(jitter(limit), min(e.RetryAfter, retryAfterMax))
}

// backoff is the time before the next try: at random up to 100 ms, then up to
// twice as much with each failure in a row, up to a second.
func (w *watcher) backoff(err error) time.Duration {
	limit := min(backoffMin<<min(w.failures, 8), backoffMax)
	w.failures++
	wait := jitter(limit)
	var e *Error
	if errors.As(err, &e) {
		wait = max(wait, min(e.RetryAfter, retryAfterMax))
	}
	return wait
}

// jitter is at random between half of d and d, so that a fleet does not come
// back in step.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// selection is the query for one name only, what a Role with resourceNames
// allows, or for a selector.
func (w *watcher) selection() url.Values {
	if w.labels != "" {
		return url.Values{"labelSelector": {w.labels}}
	}
	return url.Values{"fieldSelector": {"metadata.name=" + w.ref.Name}}
}

// request is the watch from the known place, for 5 to 10 minutes.
func (w *watcher) request() call {
	query := w.selection()
	query.Set("watch", "true")
	query.Set("resourceVersion", w.place)
	query.Set("allowWatchBookmarks", "true")
	query.Set("timeoutSeconds", strconv.Itoa(300+rand.IntN(301)))
	return call{verb: "watch", ref: w.ref, method: http.MethodGet, path: w.ref.collection(), query: query, accept: w.accept("")}
}

// accept asks for metadata only, where several objects are watched: they may be
// large, and nothing else of them is used.
func (w *watcher) accept(list string) string {
	if w.labels == "" {
		return ""
	}
	return "application/json;as=PartialObjectMetadata" + list + ";g=meta.k8s.io;v=v1"
}

// list finds where to watch from.
func (w *watcher) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	body, err := w.c.do(ctx, &w.line, call{
		verb: "list", ref: w.ref, method: http.MethodGet,
		path: w.ref.collection(), query: w.selection(), accept: w.accept("List"), want: http.StatusOK,
	})
	if err != nil {
		return err
	}
	var list struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(body, &list); err != nil || list.Metadata.ResourceVersion == "" {
		return w.undecodable("list", err)
	}
	if w.labels != "" {
		w.place = list.Metadata.ResourceVersion
		w.fn(Event{Type: Listed})
		return nil
	}
	for _, item := range list.Items {
		var obj object
		if err := json.Unmarshal(item, &obj); err != nil {
			return w.undecodable("list", err)
		}
		if obj.Metadata.Name == w.ref.Name {
			w.place, w.delivered = list.Metadata.ResourceVersion, obj.Metadata.ResourceVersion
			w.fn(Event{Type: Listed, Object: item})
			return nil
		}
	}
	w.place, w.delivered = list.Metadata.ResourceVersion, ""
	w.fn(Event{Type: Missing})
	return nil
}

func (w *watcher) undecodable(verb string, err error) error {
	if err == nil {
		err = errors.New("it names no resourceVersion")
	}
	return &Error{Verb: verb, Ref: w.ref, Message: fmt.Sprintf("%s sent what is not an answer of an API server: %v; %s", w.c.server, err, w.c.addressHint()), Err: err}
}

// follow watches from the known place until the watch ends. It returns nil for
// an end that the server meant.
func (w *watcher) follow(ctx context.Context, cancel context.CancelCauseFunc) error {
	alarm := time.AfterFunc(connectWithin, func() { cancel(errConnect) })
	defer func() { alarm.Stop() }()
	q := w.request()
	w.begun = true
	resp, giveUp, err := w.c.send(ctx, &w.line, q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, bodyLimit))
		if resp.StatusCode == http.StatusGone {
			return errExpired
		}
		return w.c.refusal("watch", w.ref, resp, body)
	}
	alarm.Stop()
	alarm = time.AfterFunc(silence, func() { cancel(errSilent) })
	w.stands()
	err = w.stream(&pulse{r: resp.Body, beat: func() { alarm.Reset(silence) }})
	if err == nil {
		return nil
	}
	giveUp()
	if ctx.Err() != nil || !isAnswer(err) {
		return w.c.transportError(ctx, q, err, false)
	}
	return err
}

// enlist lets Rewatch reach the watch, until the returned func is called.
func (w *watcher) enlist(cancel context.CancelCauseFunc) func() {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.c.watches[w] = cancel
	return func() {
		w.c.mu.Lock()
		defer w.c.mu.Unlock()
		delete(w.c.watches, w)
	}
}

func (w *watcher) stands() {
	w.forbidden = ""
	if !w.up {
		w.up = true
		w.fn(Event{Type: Up})
	}
}
