package status

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// told is a source of views: each listener gets the present one and those that
// come.
type source struct {
	mu   sync.Mutex
	now  View
	news chan struct{}
}

func (s *source) set(v View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = v
	close(s.news)
	s.news = make(chan struct{})
}

func (s *source) changes(ctx context.Context) iter.Seq[View] {
	return func(yield func(View) bool) {
		for {
			s.mu.Lock()
			v, news := s.now, s.news
			s.mu.Unlock()
			if !yield(v) {
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}
}

// streams runs a server whose /events shows a source.
func streams(t *testing.T) (url string, from *source, s *Server, shutdown func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	from = &source{now: View{Leader: "a"}, news: make(chan struct{})}
	s = New(Config{View: func() View { return View{} }, Changes: from.changes, Log: slog.New(slog.DiscardHandler)})
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	shutdown = sync.OnceFunc(func() { s.Shutdown(); <-done })
	t.Cleanup(shutdown)
	return "http://" + l.Addr().String() + "/events", from, s, shutdown
}

// listen opens a stream, which ends with the test.
func listen(t *testing.T, url string) (*http.Response, *bufio.Reader) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp, bufio.NewReader(resp.Body)
}

// next reads one event.
func next(t *testing.T, r *bufio.Reader) (id, leader string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case key == "id":
			id = value
		case key == "data":
			var v View
			if err := json.Unmarshal([]byte(value), &v); err != nil {
				t.Fatal(err)
			}
			leader = v.Leader
		case line == "\n":
			return id, leader
		}
	}
}

func TestAListenerGetsThePresentStateThenEachChange(t *testing.T) {
	url, from, _, shutdown := streams(t)
	resp, r := listen(t, url)
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("the stream is %q", kind)
	}
	for i, leader := range []string{"a", "b", ""} {
		if i > 0 {
			from.set(View{Leader: leader})
		}
		if id, got := next(t, r); id != string(rune('1'+i)) || got != leader {
			t.Errorf("event %d is %q with the leader %q, want %q", i+1, id, got, leader)
		}
	}
	begun := time.Now()
	shutdown()
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("after the server's end the stream gives %v", err)
	}
	if took := time.Since(begun); took >= shutdownTimeout {
		t.Errorf("a listener held the server's end up, for %v", took)
	}
}

func TestSixtyFourListenAndOneMoreIsSentAway(t *testing.T) {
	url, _, _, _ := streams(t)
	var last *http.Response
	for range maxListeners {
		resp, r := listen(t, url)
		next(t, r)
		last = resp
	}
	if resp, r := listen(t, url); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more gets %d", resp.StatusCode)
	} else if said, _ := r.ReadString('\n'); !strings.Contains(said, "64 clients listen already") {
		t.Errorf("it is told %q", said)
	}
	last.Body.Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if resp, r := listen(t, url); resp.StatusCode == http.StatusOK {
			next(t, r)
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("who left made no room")
		}
	}
}

// A client that takes nothing is left behind, and nobody else notices.
func TestAListenerThatDoesNotReadIsDropped(t *testing.T) {
	t.Parallel()
	url, from, s, _ := streams(t)
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/events"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetReadBuffer(1)
	io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	_, r := listen(t, url)
	next(t, r)
	// More than the kernel holds for a client.
	text := strings.Repeat("x", 1<<20)
	for i := range 16 {
		from.set(View{Leader: string(rune('a' + i)), LastError: text})
		if _, leader := next(t, r); leader == "" {
			t.Fatal("the reader's state has no leader")
		}
	}
	for deadline := time.Now().Add(30 * time.Second); s.listeners.Load() > 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the client that does not read is kept")
		}
	}
	from.set(View{Leader: "last"})
	if _, leader := next(t, r); leader != "last" {
		t.Errorf("the reader hears of %q", leader)
	}
}
