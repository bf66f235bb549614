package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
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
	taken sync.Mutex // held by the fault that it has
	sky   map[string]*weather
}

const requests, answers = "upstream", "downstream"

func newLink(name, listen, target string) (*link, error) {
	quiet := zerolog.Nop()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), quiet)
	l := &link{name: name, proxy: toxiproxy.NewProxy(server, name, listen, target), sky: map[string]*weather{}}
	// toxiproxy makes the closing of a connection a reset where this toxic is in
	// its chain, whatever its toxicity. So whatever cuts here, cuts by a reset.
	all := []string{`{"name":"abrupt","type":"reset_peer","stream":"downstream","toxicity":0,"attributes":{}}`}
	for _, direction := range []string{requests, answers} {
		key := fmt.Sprintf("%s of %s at %s", direction, name, listen)
		l.sky[direction] = newWeather(key)
		all = append(all, fmt.Sprintf(`{"name":%q,"type":"weather","stream":%q,"toxicity":1,"attributes":{"name":%q}}`, direction, direction, key))
	}
	for _, toxic := range all {
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return nil, fmt.Errorf("%s: adding the toxic %s: %w", name, toxic, err)
		}
	}
	return l, l.proxy.Start()
}

// during gives one direction another mode for a while.
func (l *link) during(ctx context.Context, d time.Duration, direction string, m mode) error {
	l.sky[direction].set(m)
	wait(ctx, d)
	l.sky[direction].set(mode{})
	return nil
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
		return l.during(ctx, between(r, 500*time.Millisecond, 7*time.Second), direction, mode{kind: "lose"})
	}
}

func holdsBack(ctx context.Context, l *link, r *rand.Rand) error {
	return l.during(ctx, between(r, 500*time.Millisecond, 7*time.Second), either(r), mode{kind: "hold"})
}

// delays is later than an attempt's deadline (a sixth of the ttl) in most cases.
func delays(ctx context.Context, l *link, r *rand.Rand) error {
	m := mode{kind: "late", late: between(r, 300*time.Millisecond, 3500*time.Millisecond)}
	return l.during(ctx, between(r, time.Second, 8*time.Second), either(r), m)
}

func drips(ctx context.Context, l *link, r *rand.Rand) error {
	m := mode{kind: "drip", bytes: 20 + r.IntN(40), late: between(r, 2*time.Millisecond, 22*time.Millisecond)}
	return l.during(ctx, between(r, time.Second, 8*time.Second), either(r), m)
}

// resetsInAnswer lets so many bytes of answers pass and then resets: within a
// handshake, a head, a body, or an event of a watch.
func resetsInAnswer(ctx context.Context, l *link, r *rand.Rand) error {
	return l.during(ctx, between(r, 500*time.Millisecond, 5*time.Second), answers, mode{kind: "limit", bytes: 1 + r.IntN(5000)})
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
