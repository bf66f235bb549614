package main

import (
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// mode is what one direction of a link does to what passes.
type mode struct {
	kind  string        // "": nothing
	late  time.Duration // of "late", for all bytes; of "drip", before each piece
	bytes int           // of "drip", in a piece; of "limit", until the reset
}

// weather is the mode of one direction, for all its connections.
//
// It is a toxic of our own, which is put into a link once and stays: toxiproxy
// takes a toxic away from a standing connection while it holds the lock that the
// end of a connection needs, so that some connections stop for ever, and panics
// where one has ended meanwhile. It also has no toxic for bytes that are kept
// back and then delivered, which is what TCP does over a network that heals: a
// request that its sender gave up long ago is carried out after all.
type weather struct {
	mu      sync.Mutex
	mode    mode
	changed chan struct{} // closed at the next change
}

// weathers are found by their toxic by name, since toxiproxy makes it from JSON.
var weathers sync.Map

func newWeather(name string) *weather {
	w := &weather{changed: make(chan struct{})}
	weathers.Store(name, w)
	return w
}

func (w *weather) set(m mode) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mode = m
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *weather) now() (mode, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mode, w.changed
}

// weatherToxic brings the weather to connections.
type weatherToxic struct {
	Name string `json:"name"`
}

func init() { toxics.Register("weather", new(weatherToxic)) }

// forsaken is how long bytes wait for a reader once nothing more will come.
const forsaken = 30 * time.Second

// Pipe passes one direction of one connection on.
func (t *weatherToxic) Pipe(stub *toxics.ToxicStub) {
	found, _ := weathers.Load(t.Name)
	w := found.(*weather)
	p := passage{}
	p.mode, p.changed = w.now()
	input := stub.Input
	var late <-chan time.Time
	for !p.over {
		output, piece, timer := p.next(stub.Output)
		select {
		case <-stub.Interrupt:
			return
		case c := <-input:
			if c == nil {
				input, late, p.ended = nil, time.After(forsaken), true
				continue
			}
			p.queue = append(p.queue, c)
		case output <- piece:
			p.passed(piece)
		case <-timer:
		case <-late:
			p.over = true
		case <-p.changed:
			p.change(w)
		}
	}
	stub.Close()
}

// passage is one direction of one connection.
type passage struct {
	mode    mode
	changed <-chan struct{}
	queue   []*stream.StreamChunk
	last    time.Time // when something passed
	count   int       // bytes that passed since the mode changed
	holes   bool      // bytes were lost
	ended   bool      // nothing more will come
	over    bool
}

// next is what is to be passed on, and now if output is not nil; else when to
// look again.
func (p *passage) next(output chan<- *stream.StreamChunk) (chan<- *stream.StreamChunk, *stream.StreamChunk, <-chan time.Time) {
	if p.mode.kind == "lose" && len(p.queue) > 0 {
		p.queue, p.holes = nil, true
	}
	if len(p.queue) == 0 || p.mode.kind == "hold" {
		// The end of a connection is lost and kept back as bytes are.
		if p.ended && len(p.queue) == 0 && p.mode.kind != "lose" && p.mode.kind != "hold" {
			p.over = true
			return nil, nil, expired
		}
		return nil, nil, nil
	}
	piece, due := p.queue[0], time.Time{}
	switch p.mode.kind {
	case "late":
		due = piece.Timestamp.Add(p.mode.late)
	case "drip":
		due = p.last.Add(p.mode.late)
		piece = first(piece, p.mode.bytes)
	case "limit":
		piece = first(piece, max(1, p.mode.bytes-p.count))
	}
	if d := time.Until(due); d > 0 {
		return nil, nil, time.After(d)
	}
	return output, piece, nil
}

// expired is a timer that has run out.
var expired = func() <-chan time.Time { c := make(chan time.Time); close(c); return c }()

func first(c *stream.StreamChunk, n int) *stream.StreamChunk {
	return &stream.StreamChunk{Data: c.Data[:min(n, len(c.Data))], Timestamp: c.Timestamp}
}

// passed takes a piece off the queue.
func (p *passage) passed(piece *stream.StreamChunk) {
	n := len(piece.Data)
	if head := p.queue[0]; n < len(head.Data) {
		p.queue[0] = &stream.StreamChunk{Data: head.Data[n:], Timestamp: head.Timestamp}
	} else {
		p.queue = p.queue[1:]
	}
	p.last, p.count = time.Now(), p.count+n
	p.over = p.mode.kind == "limit" && p.count >= p.mode.bytes
}

// change takes the new mode. No connection lives on with a hole in it.
func (p *passage) change(w *weather) {
	p.mode, p.changed = w.now()
	p.count = 0
	p.over = p.holes
}
