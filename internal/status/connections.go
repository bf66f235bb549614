package status

import (
	"net"
	"net/http"
	"sync"
)

// connections bounds how many clients are connected. When there are too many,
// the one that has been silent longest makes room: a probe must get through
// however many connections somebody holds open.
type connections struct {
	mu   sync.Mutex
	busy map[net.Conn]bool
	idle []net.Conn // the longest silent first
}

// track is told of every change of a connection.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy == nil {
		c.busy = map[net.Conn]bool{}
	}
	c.forget(conn)
	switch state {
	case http.StateNew, http.StateIdle:
		c.idle = append(c.idle, conn)
	case http.StateActive:
		c.busy[conn] = true
	default:
		return
	}
	if len(c.busy)+len(c.idle) > maxConnections && len(c.idle) > 0 {
		oldest := c.idle[0]
		c.forget(oldest)
		oldest.Close()
	}
}

func (c *connections) forget(conn net.Conn) {
	delete(c.busy, conn)
	for i, other := range c.idle {
		if other == conn {
			c.idle = append(c.idle[:i], c.idle[i+1:]...)
			return
		}
	}
}
