package main

import (
	"context"
	"net/http"
	"sync"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/health"
	"github.com/leader-elector/leader-elector/internal/metrics"
	"github.com/leader-elector/leader-elector/internal/route"
	"github.com/leader-elector/leader-elector/internal/status"
)

// counts are what /metrics shows of this process.
type counts struct{ *metrics.Metrics }

// count begins to count the requests of every client that is made from now on.
func (o *options) count() counts {
	c := counts{metrics.New()}
	made := o.access.NewClient
	o.access.NewClient = func() (*http.Client, error) {
		client, err := made()
		if err != nil {
			return nil, err
		}
		return c.Client(client), nil
	}
	return c
}

// begin watches who leads; what it returns ends that.
func (c counts) begin(e *elector.Elector) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { c.Watch(ctx, e) })
	return func() { cancel(); work.Wait() }
}

// handler answers a scrape with what /status shows at that instant.
func (c counts) handler(e *elector.Elector, show func(elector.Status) status.View) http.Handler {
	return c.Handler(func() metrics.View {
		s := e.Status()
		shown := show(s)
		v := metrics.View{Version: shown.Version, Status: s}
		for _, check := range shown.Health.Checks {
			if check, ok := check.(health.Check); ok {
				v.Checks = append(v.Checks, metrics.Check{Name: check.Check, Fit: check.State == health.Fit})
			}
		}
		switch r := shown.Routing.(type) {
		case route.SliceRouting:
			v.RouteFault = r.LastError
		case route.LabelRouting:
			v.RouteFault = r.LastError
		}
		return v
	})
}
