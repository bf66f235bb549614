package yardstick

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// link is one process's way to the API server and back. It is the
// http.RoundTripper of either kind of candidate: whatever is above it, their
// clients, time-outs and retries, is their own.
type link struct {
	w    *world
	slot int
	id   string // of the process

	mu   sync.Mutex
	rng  *rand.Rand
	dead bool // the process has crashed: nothing is sent any more
}

func (w *world) newLink(slot, start int, id string) *link {
	return &link{w: w, slot: slot, id: id, rng: rand.New(rand.NewPCG(w.plan.Seed, uint64(slot)<<32|uint64(start)))}
}

// fate is what will become of one message and of its answer. It is drawn when
// the request is sent, whether it is needed or not, so that the n-th request of
// a process has one fate in every run of a seed.
type fate struct {
	there, back         time.Duration
	lostThere, lostBack bool
	held                bool // a cut holds it until it ends, as TCP may, and loses it otherwise
	refused             float64
	committed           bool // before a 500
}

func (l *link) draw() (fate, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, r := l.w.plan.Mix, l.rng
	if time.Since(l.w.begun) > length {
		m = Mix{} // the quiet time
	}
	return fate{
		there: delay(r, m.Late), back: delay(r, m.Late),
		lostThere: r.Float64() < m.Loss, lostBack: r.Float64() < m.Loss,
		held: r.IntN(2) == 0 || l.w.plan.holds, refused: r.Float64(), committed: r.IntN(2) == 0,
	}, l.dead
}

// delay of one way is some milliseconds, and now and then comes from a heavy
// tail that reaches to 12 s.
func delay(r *rand.Rand, late float64) time.Duration {
	d := time.Millisecond + time.Duration(r.Int64N(int64(4*time.Millisecond)))
	tail := time.Duration(float64(200*time.Millisecond) / (0.01 + 0.99*r.Float64()))
	if r.Float64() < late {
		d += min(tail, 12*time.Second)
	}
	return d
}

func (l *link) die() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
}

// RoundTrip sends a request. What was sent arrives, or not, whether or not the
// client still waits for the answer.
func (l *link) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	q := ask{from: l.id, method: req.Method, path: req.URL.Path, query: req.URL.Query()}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
		q.body = body
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(req.URL.Host)
	}
	f, dead := l.draw()
	if !dead && l.w.troubled(refusing, l.slot) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Reused: true})
	}
	answers := make(chan reply, 1)
	if !dead {
		go l.carry(f, q, answers)
	}
	select {
	case a := <-answers:
		if a.code == http.StatusOK && q.query.Get("watch") == "true" {
			return response(req, a, l.stream(ctx, q)), nil
		}
		return response(req, a, io.NopCloser(bytes.NewReader(a.body))), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(lostWithin):
		return nil, errLost
	}
}

// lostWithin is how long a request without any time-out waits for an answer
// that never comes: client-go's HTTP/2 connections ping after 30 s of silence,
// and give the connection up 15 s later.
const lostWithin = 45 * time.Second

var errLost = errors.New("client connection lost")

func response(req *http.Request, a reply, body io.ReadCloser) *http.Response {
	header := a.header
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return &http.Response{
		Status: strconv.Itoa(a.code) + " " + http.StatusText(a.code), StatusCode: a.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: body, ContentLength: -1, Request: req,
	}
}

// carry takes a request to the server and its answer back.
func (l *link) carry(f fate, q ask, answers chan<- reply) {
	w := l.w
	if f.lostThere || !l.pass(cutThere, f) {
		return
	}
	time.Sleep(f.there)
	w.wait(context.Background(), l.slot, hanging)
	var a reply
	switch {
	case w.troubled(throttling, l.slot) && f.refused < 0.7:
		a = throttled(time.Second)
	case w.troubled(failing, l.slot) && f.refused < 0.7:
		if f.committed {
			w.server.handle(q)
		}
		a = broken()
	case q.query.Get("watch") == "true":
		a = reply{code: http.StatusOK}
	default:
		a = w.server.handle(q)
	}
	if f.lostBack || !l.pass(cutBack, f) {
		return
	}
	time.Sleep(f.back + w.lag(l.slot))
	answers <- a
}

// pass says whether a message gets through a cut, which it may only once that
// has ended.
func (l *link) pass(cut trouble, f fate) bool {
	if !l.w.troubled(cut, l.slot) {
		return true
	}
	if f.held {
		l.w.wait(context.Background(), l.slot, cut)
	}
	return f.held
}

// stream is the body of a watch.
func (l *link) stream(ctx context.Context, q ask) io.ReadCloser {
	from, err := strconv.ParseUint(q.query.Get("resourceVersion"), 10, 64)
	if err != nil {
		panic("yardstick: a watch from nowhere: " + q.query.Encode())
	}
	return &stream{l: l, ctx: ctx, at: from, closed: make(chan struct{})}
}

// stream brings changes in their order. A cut and an API server that hangs hold
// it up, one that is gone ends it.
type stream struct {
	l      *link
	ctx    context.Context
	at     uint64
	rest   []byte
	once   sync.Once
	closed chan struct{}
}

var errReset = errors.New("connection reset by peer")

func (s *stream) Read(b []byte) (int, error) {
	for len(s.rest) == 0 {
		c, ok, news := s.l.w.server.after(s.at)
		if !ok {
			bookmark := time.NewTimer(time.Minute)
			select {
			case <-news:
				bookmark.Stop()
				continue
			case <-bookmark.C:
				c = s.l.w.server.bookmark()
			case <-s.l.w.reset():
				bookmark.Stop()
				return 0, errReset
			case <-s.ctx.Done():
				bookmark.Stop()
				return 0, context.Cause(s.ctx)
			case <-s.closed:
				bookmark.Stop()
				return 0, errReset
			}
		}
		f, dead := s.l.draw()
		if dead {
			<-s.ctx.Done()
		}
		if !s.sleep(f.back) || !s.l.w.wait(s.ctx, s.l.slot, cutBack, hanging) {
			return 0, context.Cause(s.ctx)
		}
		if s.l.w.troubled(refusing, s.l.slot) {
			return 0, errReset
		}
		s.at, s.rest = c.version, c.frame()
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *stream) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
	case <-s.closed:
	}
	return false
}

// Close ends the watch.
func (s *stream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}
