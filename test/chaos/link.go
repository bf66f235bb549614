package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is one TCP leg of a candidate's way to the API server. The near leg lies
// between the candidate and the recorder, so that it hurts the candidate's own
// connections; the far leg lies behind the recorder, so that the outcome of a
// request is unknown to the recorder as well.
type link struct {
	name  string
	proxy *toxiproxy.Proxy
	mu    sync.Mutex // held while the proxy is stopped or started
}

// toxic is what a link is told in toxiproxy's own words.
type toxic struct {
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Toxicity   float64        `json:"toxicity"`
	Attributes map[string]any `json:"attributes"`
}

const requests, answers = "upstream", "downstream"

func newLink(name, listen, target string) (*link, error) {
	quiet := zerolog.Nop()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), quiet)
	l := &link{name: name, proxy: toxiproxy.NewProxy(server, name, listen, target)}
	// toxiproxy makes the closing of a connection a reset where this toxic is in
	// its chain, whatever its toxicity. So whatever cuts here, cuts by a reset.
	if err := l.add(toxic{Name: "abrupt", Type: "reset_peer", Stream: answers, Toxicity: 0}); err != nil {
		return nil, err
	}
	return l, l.proxy.Start()
}

func (l *link) add(t toxic) error {
	if t.Attributes == nil {
		t.Attributes = map[string]any{}
	}
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if _, err := l.proxy.Toxics.AddToxicJson(bytes.NewReader(data)); err != nil {
		return fmt.Errorf("%s: adding the toxic %s: %w", l.name, t.Type, err)
	}
	return nil
}

// during adds a toxic and takes it away after a while; the connections go on.
func (l *link) during(ctx context.Context, d time.Duration, t toxic) error {
	t.Name, t.Toxicity = "fault", 1
	if err := l.add(t); err != nil {
		return err
	}
	wait(ctx, d)
	return l.remove(t.Name)
}

// fatally is during with a toxic that no connection survives: all are reset
// before it is taken away.
func (l *link) fatally(ctx context.Context, d time.Duration, t toxic) error {
	t.Name, t.Toxicity = "fault", 1
	if err := l.add(t); err != nil {
		return err
	}
	wait(ctx, d)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proxy.Stop()
	wait(context.Background(), 100*time.Millisecond)
	return errors.Join(l.remove(t.Name), l.proxy.Start())
}

// remove takes a toxic away. toxiproxy waits for each connection to be at rest;
// if one never is, the run is told instead of standing still.
func (l *link) remove(name string) error {
	done := make(chan error, 1)
	go func() { done <- l.proxy.Toxics.RemoveToxic(context.Background(), name) }()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		return fmt.Errorf("%s: toxiproxy did not give up its toxic within a minute", l.name)
	}
}

// close ends the link for good.
func (l *link) close() {
	done := make(chan struct{})
	go func() { l.proxy.Stop(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second): // toxiproxy stands still, which the run has told
	}
}

// cut resets all connections and refuses new ones for a while.
func (l *link) cut(ctx context.Context, d time.Duration) error {
	l.mu.Lock()
	l.proxy.Stop()
	l.mu.Unlock()
	wait(ctx, d)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.proxy.Start()
}

// reset resets all connections; new ones pass, unless the link is cut.
func (l *link) reset() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.proxy.Enabled {
		return nil
	}
	l.proxy.Stop()
	return l.proxy.Start()
}

// linkFault is what can happen to a link.
type linkFault func(ctx context.Context, l *link, r *rand.Rand) error

func cutOff(ctx context.Context, l *link, r *rand.Rand) error {
	return l.cut(ctx, between(r, 300*time.Millisecond, 7*time.Second))
}

func loses(direction string) linkFault {
	return func(ctx context.Context, l *link, r *rand.Rand) error {
		return l.fatally(ctx, between(r, 500*time.Millisecond, 7*time.Second), toxic{Type: "timeout", Stream: direction, Attributes: map[string]any{"timeout": 0}})
	}
}

func holdsBack(ctx context.Context, l *link, r *rand.Rand) error {
	return l.during(ctx, between(r, 500*time.Millisecond, 7*time.Second), toxic{Type: "hold", Stream: either(r)})
}

// delays is later than an attempt's deadline (a sixth of the ttl) in most cases.
func delays(ctx context.Context, l *link, r *rand.Rand) error {
	late := between(r, 300*time.Millisecond, 3500*time.Millisecond).Milliseconds()
	return l.during(ctx, between(r, time.Second, 8*time.Second), toxic{Type: "late", Stream: either(r), Attributes: map[string]any{"milliseconds": late}})
}

func drips(ctx context.Context, l *link, r *rand.Rand) error {
	return l.during(ctx, between(r, time.Second, 8*time.Second), toxic{Type: "drip", Stream: either(r),
		Attributes: map[string]any{"bytes": 20 + r.IntN(40), "milliseconds": 2 + r.IntN(20)}})
}

// resetsInAnswer lets so many bytes of answers pass and then resets: within a
// handshake, a head, a body, or an event of a watch.
func resetsInAnswer(ctx context.Context, l *link, r *rand.Rand) error {
	return l.fatally(ctx, between(r, 500*time.Millisecond, 5*time.Second), toxic{Type: "limit_data", Stream: answers, Attributes: map[string]any{"bytes": r.IntN(5000)}})
}

func either(r *rand.Rand) string { return []string{requests, answers}[r.IntN(2)] }

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)+1))
}

// wait returns after d, or when the run is broken off.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
