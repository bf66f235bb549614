package main

import (
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// Toxics of our own. toxiproxy waits for a toxic to return when it is taken
// away, and holds a lock meanwhile that the end of a connection needs too. Its
// own latency and slicer wait for whoever reads their output; when that has
// just ended by a reset, both wait for ever. Ours give up.

// holdToxic lets nothing pass until it is taken away, and then everything: what
// TCP does over a network that heals. toxiproxy's timeout loses the bytes
// instead, so that a request that its sender gave up long ago would never be
// carried out; with this one it is.
type holdToxic struct{}

// Pipe keeps the end of the stream back too: it arrives behind the bytes.
func (*holdToxic) Pipe(stub *toxics.ToxicStub) {
	var held []*stream.StreamChunk
	input := stub.Input
	for {
		select {
		case <-stub.Interrupt:
			flush(stub, held)
			return
		case c := <-input:
			if c == nil {
				input = nil // toxiproxy finds the end again when the toxic is taken away
				continue
			}
			held = append(held, c)
		}
	}
}

// lateToxic lets everything pass later.
type lateToxic struct {
	Milliseconds int64 `json:"milliseconds"`
}

// GetBufferSize is how much may be under way.
func (*lateToxic) GetBufferSize() int { return 1024 }

// Pipe counts from when the bytes came in, so that what follows closely does
// not wait twice.
func (t *lateToxic) Pipe(stub *toxics.ToxicStub) {
	late := time.Duration(t.Milliseconds) * time.Millisecond
	pass(stub, func(c *stream.StreamChunk) []*stream.StreamChunk { return []*stream.StreamChunk{c} },
		func(c *stream.StreamChunk) time.Duration { return late - time.Since(c.Timestamp) })
}

// dripToxic lets a few bytes pass at a time.
type dripToxic struct {
	Bytes        int   `json:"bytes"`
	Milliseconds int64 `json:"milliseconds"` // before each
}

// Pipe cuts what comes into pieces.
func (t *dripToxic) Pipe(stub *toxics.ToxicStub) {
	pass(stub, func(c *stream.StreamChunk) (pieces []*stream.StreamChunk) {
		for data := c.Data; len(data) > 0; {
			n := min(len(data), max(1, t.Bytes))
			pieces = append(pieces, &stream.StreamChunk{Data: data[:n], Timestamp: c.Timestamp})
			data = data[n:]
		}
		return pieces
	}, func(*stream.StreamChunk) time.Duration { return time.Duration(t.Milliseconds) * time.Millisecond })
}

// pass lets each piece of what comes pass after a while, until it is interrupted;
// then what is left passes at once.
func pass(stub *toxics.ToxicStub, cut func(*stream.StreamChunk) []*stream.StreamChunk, after func(*stream.StreamChunk) time.Duration) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case c := <-stub.Input:
			if c == nil {
				stub.Close()
				return
			}
			pieces := cut(c)
			for i, piece := range pieces {
				if !send(stub, piece, after(piece)) {
					flush(stub, pieces[i:])
					return
				}
			}
		}
	}
}

// send says whether a piece was passed on; else the toxic was interrupted.
func send(stub *toxics.ToxicStub, c *stream.StreamChunk, after time.Duration) bool {
	t := time.NewTimer(after)
	defer t.Stop()
	select {
	case <-t.C:
	case <-stub.Interrupt:
		return false
	}
	select {
	case stub.Output <- c:
		return true
	case <-stub.Interrupt:
		return false
	}
}

// flush passes everything on, unless nobody takes it.
func flush(stub *toxics.ToxicStub, all []*stream.StreamChunk) {
	for _, c := range all {
		if stub.WriteOutput(c, 2*time.Second) != nil {
			return
		}
	}
}

func init() {
	toxics.Register("hold", new(holdToxic))
	toxics.Register("late", new(lateToxic))
	toxics.Register("drip", new(dripToxic))
}
