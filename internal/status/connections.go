package status

import (
	"net"
	"net/http"
	"slices"
	"sync"
)

// connections bounds how many clients are connected. When there are too many,
// the one that has done nothing for longest makes room, so that a probe gets
// through however many connections somebody holds open or feeds slowly.
type connections struct {
	mu   sync.Mutex
	open []client // the one whose state has lasted longest first
}

type client struct {
	conn net.Conn
	busy bool // a request is under way
}

// track is told of every change of a connection.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state == http.StateNew {
		c.open = append(c.open, client{conn: conn})
		if len(c.open) > maxConnections {
			i := c.dispensable()
			c.open[i].conn.Close()
			c.open = slices.Delete(c.open, i, i+1)
		}
		return
	}
	i := slices.IndexFunc(c.open, func(o client) bool { return o.conn == conn })
	if i < 0 {
		return // it made room; what its goroutine still tells must not bring it back
	}
	c.open = slices.Delete(c.open, i, i+1)
	if state == http.StateActive || state == http.StateIdle {
		c.open = append(c.open, client{conn, state == http.StateActive})
	}
}

// dispensable is the longest silent connection but the newest, which may be a
// probe's. Where all others are busy it is the longest busy one: an answer takes
// microseconds, so that client is slow to send or to read.
func (c *connections) dispensable() int {
	for i := range c.open[:len(c.open)-1] {
		if !c.open[i].busy {
			return i
		}
	}
	return 0
}
