package main

import (
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// holdToxic lets nothing pass until it is removed, and then everything: what TCP
// does over a network that heals. toxiproxy's timeout loses the bytes instead
// and ends the connection, so a request that its sender gave up long ago would
// never be carried out; with this one it is.
type holdToxic struct{}

// Pipe keeps the end of the stream back too: it arrives behind the bytes.
func (*holdToxic) Pipe(stub *toxics.ToxicStub) {
	var held []*stream.StreamChunk
	input := stub.Input
	for {
		select {
		case <-stub.Interrupt:
			for _, c := range held {
				stub.Output <- c
			}
			return
		case c := <-input:
			if c == nil {
				input = nil // toxiproxy finds the end again when the toxic is removed
				continue
			}
			held = append(held, c)
		}
	}
}

func init() { toxics.Register("hold", new(holdToxic)) }
