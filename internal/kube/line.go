package kube

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
)

// line is the present way to the server: one HTTP client, until a request on it
// fails.
type line struct {
	newClient func() (*http.Client, error)

	mu     sync.Mutex
	client *http.Client // ours, a copy with our settings
}

// take returns the present client, or a fresh one after a drop.
func (l *line) take() (*http.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client != nil {
		return l.client, nil
	}
	made, err := l.newClient()
	if err != nil {
		return nil, err
	}
	client := *made
	client.Timeout = 0 // would end a watch; contexts bound requests
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	l.client = &client
	return l.client, nil
}

// drop gives up a client and its connections; requests on them that are under
// way may end as they like. Somebody may have dropped it already.
func (l *line) drop(client *http.Client) {
	l.mu.Lock()
	if l.client == client {
		l.client = nil
	}
	l.mu.Unlock()
	client.CloseIdleConnections()
}

// close drops the present client.
func (l *line) close() {
	l.mu.Lock()
	client := l.client
	l.client = nil
	l.mu.Unlock()
	if client != nil {
		client.CloseIdleConnections()
	}
}

// connTrace watches whether a request got a connection.
type connTrace struct{ asked, got atomic.Bool }

// trace adds a connTrace to a request's context.
func trace(ctx context.Context) (context.Context, *connTrace) {
	t := new(connTrace)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { t.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.got.Store(true) },
	}), t
}

// neverMade says that the request surely never had a connection to be written
// to. A transport that does not trace says nothing of the kind.
func (t *connTrace) neverMade() bool { return t.asked.Load() && !t.got.Load() }
