package main

import (
	"net/http"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/health"
	"github.com/leader-elector/leader-elector/internal/metrics"
	"github.com/leader-elector/leader-elector/internal/route"
	"github.com/leader-elector/leader-elector/internal/status"
)

// The ways of telling the app, as the metrics name them.
const (
	hookPost = "notify-url"
	hookFile = "state-file"
)

// counts are what /metrics shows of this process.
type counts struct{ *metrics.Metrics }

// count begins to count the requests of every client that is made from now on.
func (o *options) count() counts {
	routes := map[string]string{routeEndpointSlice: "endpointslices", routeLabel: "pods"}[o.route]
	var hooks []string
	if o.notifyURL != "" {
		hooks = append(hooks, hookPost)
	}
	if o.stateFile != "" {
		hooks = append(hooks, hookFile)
	}
	c := counts{metrics.New(metrics.Config{TTL: o.ttl, Routes: routes, Hooks: hooks, Events: o.events})}
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

// hook counts what comes of one way of telling the app.
func (c counts) hook(way string) func(event, result string) {
	return func(event, result string) { c.Hooked(way, event, result) }
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
