package yardstick

import (
	"context"
	"net/http"

	elector "github.com/leader-elector/leader-elector"
)

// Ours is this project's library with the same ttl. Its app acts from Lead
// until it has stopped, which the elector waits for before it releases.
func Ours(name string, slow bool) Kind {
	return Kind{Name: name, Terms: true, Run: func(ctx context.Context, p *Process) {
		e, err := elector.New(elector.Config{
			Election: election, Namespace: namespace, ID: p.ID, TTL: leaseDuration,
			Server: "http://apiserver.test", NewClient: func() (*http.Client, error) { return &http.Client{Transport: p.link}, nil },
			Follower: elector.Work(func(ctx context.Context, term elector.Term) error {
				p.term(uint64(term))
				word := ByContext
				if slow {
					word = BySlowApp
				}
				p.acts(word, true)
				<-ctx.Done()
				if slow {
					p.finish(func() {})
				}
				p.acts(word, false)
				return nil
			}),
		})
		if err != nil {
			panic("yardstick: " + err.Error())
		}
		p.asks(func() bool { _, ok := e.Leads(); return ok })
		if err := e.Run(ctx); err != nil {
			panic("yardstick: " + err.Error())
		}
	}}
}
