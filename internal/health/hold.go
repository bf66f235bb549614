package health

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// held is a connection to the app's port on which nothing is said. Its end is
// news: the process died, or its server closes what is idle.
type held struct {
	conn   net.Conn
	closed chan struct{}
}

// secondLook is how soon the check that follows the end of a held connection is
// made again. A process that dies closes its sockets one after the other, and
// the first check may find the listening one still open.
const secondLook = 50 * time.Millisecond

// hold makes the connection while the app is fit; not more often than it is
// checked, as some servers close it at once. An app that died since its last
// check refuses it, which is a reason to check again at once.
func (c *check) hold(ctx context.Context) (again bool) {
	if c.noHold || c.held != nil || c.view().State != Fit || c.falls > 0 || time.Since(c.heldAt) < c.cfg.Interval {
		return false
	}
	c.heldAt = time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.probe.address)
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED) // the next check says what is wrong
	}
	h := &held{conn: conn, closed: make(chan struct{})}
	c.held = h
	go func() {
		defer close(h.closed)
		// Whatever a server that speaks first says is not of interest, but it is
		// a sign of life: only the end ends this.
		for buf := make([]byte, 64); ; {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
	return false
}

// release ends the held connection and waits for its reader.
func (c *check) release() {
	if c.held != nil {
		c.held.conn.Close()
		<-c.held.closed
		c.held = nil
	}
}

// doubtHold drops the held connection for good if a check timed out while it
// was held: a server that serves one connection after the other serves ours, for
// ever. The caller then checks again at once. The failure counts all the same,
// so that a frozen app is not seen any later for it.
func (c *check) doubtHold(err error) (again bool) {
	if c.held == nil || !timedOut(err) {
		return false
	}
	c.release()
	c.noHold = true
	c.log.Info("no connection is held to the app any more, as a check timed out while one was: the app may serve one at a time")
	return true
}

func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}
