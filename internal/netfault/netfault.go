// Package netfault puts a TCP forwarder between a client and a server, for tests
// of what networks do: it freezes or cuts the connections that stand, and lets
// new ones through or not.
package netfault

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Forwarder carries connections from its address to a target.
type Forwarder struct {
	listener net.Listener
	target   string

	mu       sync.Mutex
	closed   bool
	pairs    map[*pair]struct{}
	accepted int
	wg       sync.WaitGroup
}

// pair is one connection through the forwarder, both halves of it.
type pair struct {
	client, server *net.TCPConn
	frozen         chan struct{} // closed: nothing passes any more
	ended          chan struct{} // closed: both halves are
	once           sync.Once
}

// Forward starts a forwarder on a free loopback port; it ends with the test.
func Forward(t testing.TB, target string) *Forwarder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &Forwarder{listener: l, target: target, pairs: make(map[*pair]struct{})}
	f.wg.Go(f.serve)
	t.Cleanup(func() {
		l.Close()
		f.Shut()
		f.wg.Wait()
	})
	return f
}

// Addr is the host and port to connect to.
func (f *Forwarder) Addr() string { return f.listener.Addr().String() }

// Accepted counts the connections so far.
func (f *Forwarder) Accepted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.accepted
}

// Freeze makes the connections that stand carry nothing any more, in neither
// direction and without an end, as when a firewall has forgotten them. New ones
// pass. It returns how many it froze.
func (f *Forwarder) Freeze() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for p := range f.pairs {
		select {
		case <-p.frozen:
		default:
			close(p.frozen)
			n++
		}
	}
	return n
}

// Cut resets the connections that stand. New ones pass. It returns how many it
// cut.
func (f *Forwarder) Cut() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.pairs)
	for p := range f.pairs {
		p.reset()
		delete(f.pairs, p)
	}
	return n
}

// Shut resets the connections that stand and every new one, until Open.
func (f *Forwarder) Shut() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.Cut()
}

// Open lets new connections pass again.
func (f *Forwarder) Open() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = false
}

func (f *Forwarder) serve() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("tcp", f.target)
		if err != nil {
			c.Close()
			continue
		}
		f.carry(&pair{client: c.(*net.TCPConn), server: s.(*net.TCPConn), frozen: make(chan struct{}), ended: make(chan struct{})})
	}
}

func (f *Forwarder) carry(p *pair) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepted++
	if f.closed {
		p.reset()
		return
	}
	f.pairs[p] = struct{}{}
	f.wg.Go(func() {
		var both sync.WaitGroup
		both.Go(func() { p.pump(p.server, p.client) })
		both.Go(func() { p.pump(p.client, p.server) })
		both.Wait()
		p.reset()
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.pairs, p)
	})
}

// pump carries bytes, and their end, until the pair is frozen.
func (p *pair) pump(to, from *net.TCPConn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-p.frozen:
			<-p.ended
			return
		default:
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				p.reset()
				return
			}
		}
		if err == io.EOF {
			to.CloseWrite()
			return
		}
		if err != nil {
			p.reset()
			return
		}
	}
}

// reset ends both halves at once.
func (p *pair) reset() {
	p.once.Do(func() {
		close(p.ended)
		for _, c := range []*net.TCPConn{p.client, p.server} {
			c.SetLinger(0)
			c.Close()
		}
	})
}
