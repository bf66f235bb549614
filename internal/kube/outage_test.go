package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

func TestAnOutageOfTheServerIsSurvived(t *testing.T) {
	p := testplane.Own(t)
	c, ref := joined(t, p, testplane.Candidate{})
	first := create(t, c, ref)
	f := following(t, c, ref)
	f.next(t, Listed)
	f.next(t, Up)

	p.Pause(t, "kube-apiserver")
	for _, unsent := range []bool{false, true} { // the second one does not get through its handshake
		begin := time.Now()
		err := getWithin(t, c, ref, 300*time.Millisecond)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, context.DeadlineExceeded) || e.NotSent() != unsent {
			t.Errorf("while it is frozen: %v", err)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the request took %v", took)
		}
	}
	p.Resume(t, "kube-apiserver")
	if err := getWithin(t, c, ref, soon); err != nil {
		t.Errorf("when it thawed: %v", err)
	}

	p.Kill(t, "kube-apiserver")
	f.next(t, Failed)
	err := refusedOnce(t, c, ref)
	if want := "is the address from " + c.access.AddressFrom + " right?"; !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v", err)
	}
	p.Start(t, "kube-apiserver")
	if err := getWithin(t, c, ref, soon); err != nil {
		t.Errorf("when it started: %v", err)
	}
	change(t, p, ref, "after")
	for holder(f.nextObject(t)) != "after" {
	}

	p.Kill(t, "kube-apiserver") // its cache began after the lease was created
	p.Start(t, "kube-apiserver")
	aLostPlaceIsListedAnew(t, c, ref, version(t, first))
}

func getWithin(t *testing.T, c *Client, ref Ref, d time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	_, err := c.Get(ctx, ref)
	return err
}

// refusedOnce asks until the answer is that nobody listens, which may take one
// request on the connection that died.
func refusedOnce(t *testing.T, c *Client, ref Ref) *Error {
	t.Helper()
	for range 2 {
		var e *Error
		if err := getWithin(t, c, ref, soon); errors.As(err, &e) && e.NotSent() {
			return e
		}
	}
	t.Fatal("a server that is dead was asked")
	return nil
}

// nextObject is the next object that is shown, by a list or by the watch.
func (f feed) nextObject(t *testing.T) []byte {
	t.Helper()
	timeout := time.After(soon)
	for {
		select {
		case e := <-f:
			if e.Object != nil {
				return e.Object
			}
		case <-timeout:
			t.Fatalf("no object within %v", soon)
		}
	}
}

// aLostPlaceIsListedAnew watches from a version that the server's cache does not
// reach back to.
func aLostPlaceIsListedAnew(t *testing.T, c *Client, ref Ref, place string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	var news []string
	w := &watcher{c: c, ref: ref, line: line{newClient: c.access.NewClient}, place: place}
	defer w.line.close()
	w.fn = func(e Event) {
		news = append(news, say(e))
		if e.Object != nil {
			cancel()
		}
	}
	if wait := w.turn(ctx); wait != 0 || w.place != "" {
		t.Errorf("from %s: waits %v, goes on from %q, with %q", place, wait, w.place, news)
	}
	w.turn(ctx)
	if s := strings.Join(news, ", "); !strings.HasPrefix(strings.TrimPrefix(s, "up, "), "listed ") {
		t.Errorf("from %s, the news are %q", place, s)
	}
}
