package cluster

import (
	"net/http"
	"sync"
	"time"
)

// clock knows how far this machine's clock is from the API server's. A lease
// carries its holder's time; the nodes of a cluster agree about the time better
// than they agree with an operator's laptop.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration // of the server's clock
}

// coarse is how well the header Date tells the time: in whole seconds, and late
// by the way of the answer. A smaller difference is none.
const coarse = 2 * time.Second

// Now is the API server's time, as far as its answers tell it.
func (c *Client) Now() time.Time {
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	return time.Now().Add(c.clock.ahead)
}

func (c *clock) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err == nil {
			c.learn(resp.Header.Get("Date"), time.Now())
		}
		return resp, err
	})
}

func (c *clock) learn(date string, now time.Time) {
	server, err := http.ParseTime(date)
	if err != nil {
		return
	}
	ahead := server.Sub(now)
	if ahead.Abs() < coarse {
		ahead = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = ahead
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
