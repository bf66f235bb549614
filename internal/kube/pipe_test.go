package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// These tests are of what a real API server cannot be made to do. It is played
// over pipes in virtual time.

// played is an API server that a test plays.
type played struct {
	t      *testing.T
	conns  chan net.Conn
	closed chan struct{}

	mu      sync.Mutex
	handler http.HandlerFunc
	asked   []url.Values // the query of each request
	dialled int
}

// play starts a server, and a client of it, for a synctest bubble.
func play(t *testing.T, handler http.HandlerFunc) (*played, *Client) {
	t.Helper()
	p := &played{t: t, conns: make(chan net.Conn), closed: make(chan struct{}), handler: handler}
	srv := &http.Server{Handler: p}
	go srv.Serve(p)
	t.Cleanup(func() { srv.Close() })
	c := testClient(t, Access{Server: "http://played", NewClient: func() (*http.Client, error) {
		client := newHTTPClient(nil, nil)
		client.Transport.(*http.Transport).DialContext = p.dial
		return client, nil
	}})
	t.Cleanup(c.line.close)
	return p, c
}

func (p *played) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.URL.Query())
	h := p.handler
	p.mu.Unlock()
	h(w, r)
}

func (p *played) becomes(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handler = h
}

// requests says what was asked since the last call, such as "list" or
// "watch from 7".
func (p *played) requests() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var said []string
	for _, q := range p.asked {
		if q.Get("watch") == "" {
			said = append(said, "list")
		} else {
			said = append(said, "watch from "+q.Get("resourceVersion"))
		}
	}
	p.asked = nil
	return strings.Join(said, ", ")
}

func (p *played) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dialled
}

func (p *played) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.mu.Lock()
	p.dialled++
	p.mu.Unlock()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *played) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *played) Close() error   { close(p.closed); return nil }
func (p *played) Addr() net.Addr { return &net.UnixAddr{Name: "played"} }

// news collects the events of a watch.
type news struct {
	mu     sync.Mutex
	events []Event
}

// watching starts a watch that ends with the test.
func watching(t *testing.T, c *Client) *news {
	t.Helper()
	n := new(news)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		c.Watch(ctx, lease, func(e Event) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.events = append(n.events, e)
		})
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return n
}

// expect waits until all are idle, and compares the news since the last call:
// "listed 5, up".
func (n *news) expect(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	if got := n.take(); got != want {
		t.Errorf("after %v the news are %q, want %q", time.Since(bubbleBegan), got, want)
	}
}

// bubbleBegan is when the clock of every bubble begins.
var bubbleBegan = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (n *news) take() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var said []string
	for _, e := range n.events {
		said = append(said, say(e))
	}
	n.events = nil
	return strings.Join(said, ", ")
}

func (n *news) last() Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.events) == 0 {
		return Event{Err: errors.New("there is no news")}
	}
	return n.events[len(n.events)-1]
}

func say(e Event) string {
	word := [...]string{Listed: "listed", Missing: "missing", Changed: "changed", Deleted: "deleted", Up: "up", Failed: "failed", Forbidden: "forbidden"}[e.Type]
	if e.Object != nil {
		var obj object
		json.Unmarshal(e.Object, &obj)
		word += " " + obj.Metadata.ResourceVersion
	}
	return word
}

// listing answers a list at version at, with the object of version of; zero:
// without it.
func listing(w http.ResponseWriter, at, of int) {
	item := ""
	if of != 0 {
		item = body("u", fmt.Sprint(of))
	}
	fmt.Fprintf(w, `{"kind":"LeaseList","metadata":{"resourceVersion":"%d"},"items":[%s]}`, at, item)
}

// event sends one event of a watch.
func event(w http.ResponseWriter, kind string, version int) {
	send(w, fmt.Sprintf(`{"type":%q,"object":%s}`, kind, body("u", fmt.Sprint(version))))
}

func send(w http.ResponseWriter, frame string) {
	fmt.Fprintln(w, frame)
	w.(http.Flusher).Flush()
}

func refuse(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","code":%d,"reason":%q,"message":"no"}`, code, reason)
}

// lists answers lists as listing does, and watches with the given handler.
func lists(at, of int, watch http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") == "" {
			listing(w, at, of)
			return
		}
		watch(w, r)
	}
}

// stand answers a watch with nothing, for ever.
func stand(w http.ResponseWriter, r *http.Request) {
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// pause sends what there is, and lets time pass.
func pause(w http.ResponseWriter, r *http.Request, d time.Duration) {
	w.(http.Flusher).Flush()
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

// within says that virtual time from now, a condition holds that did not before.
func within(t *testing.T, least, most time.Duration, what string, holds func() bool) {
	t.Helper()
	begin := time.Now()
	for time.Since(begin) <= most {
		synctest.Wait()
		if holds() {
			if took := time.Since(begin); took < least {
				t.Errorf("%s after %v, want at least %v", what, took, least)
			}
			return
		}
		time.Sleep(time.Millisecond) // of the bubble's time
	}
	t.Errorf("not within %v: %s", most, what)
}
