package metrics

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	elector "github.com/leader-elector/leader-elector"
)

// View is what is read of a candidate for each scrape.
type View struct {
	Version string
	Status  elector.Status
	Checks  []Check // of the app's health
	// RouteFault says what keeps the traffic from following; empty: nothing, or
	// that is not our business.
	RouteFault string
}

// Check is one health check.
type Check struct {
	Name string
	Fit  bool
}

// Config says what is counted of.
type Config struct {
	TTL time.Duration // of the lease
	// Routes is the resource in which the traffic's way is written, for a zero of
	// each result from the start. Empty: nothing is routed.
	Routes string
	// Hooks are the ways in which the app is told: for zeros too.
	Hooks []string
	// Events says that events are recorded.
	Events bool
}

// Metrics counts for one candidate. It is an elector.Follower, so that it sees
// how long each renewal came before the end of trust.
type Metrics struct {
	cfg      Config
	requests *requests

	mu      sync.Mutex
	margin  *histogram // of renewals: the trust that was left when each was confirmed
	last    time.Duration
	misses  int
	changes int
	gap     time.Duration // how long nobody led before the present leader
	hooks   map[hook]uint64
	events  map[string]uint64 // by result
	work    sync.WaitGroup
}

// margins are the bounds, in seconds, of the trust that was left.
var margins = []float64{0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 21}

// New makes metrics that show zeros.
func New(cfg Config) *Metrics {
	m := &Metrics{cfg: cfg, requests: newRequests(cfg.Routes), margin: newHistogram(margins), hooks: map[hook]uint64{}, events: map[string]uint64{}}
	for _, way := range cfg.Hooks {
		for _, event := range []string{"lead", "stop"} {
			for _, result := range []string{"accepted", "refused", "timeout", "unreachable"} {
				m.hooks[hook{way, event, result}] = 0
			}
		}
	}
	if cfg.Events {
		for _, result := range []string{"stored", "dropped", "forbidden"} {
			m.events[result] = 0
		}
	}
	return m
}

// Lead begins to measure the renewals of a lead.
func (m *Metrics) Lead(ctx context.Context, _ elector.Term) error {
	m.work.Go(func() {
		until, moved := elector.Trusted(ctx)
		for {
			select {
			case <-moved:
			case <-ctx.Done():
				return
			}
			left := until - elector.BootTime()
			until, moved = elector.Trusted(ctx)
			m.renewed(max(0, left))
		}
	})
	return nil
}

// Stop waits for what Lead began, which ends with the lead.
func (m *Metrics) Stop(context.Context, elector.Reason) error { m.work.Wait(); return nil }

// renewed takes the trust that was left when a renewal was confirmed. Less than
// a quarter of the lease is a near miss: at the default pace it is left when two
// tries in a row had failed.
func (m *Metrics) renewed(left time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.margin.observe(left.Seconds())
	if m.last = left; left < m.cfg.TTL/4 {
		m.misses++
	}
}

// Hear counts the changes of the leader.
func (m *Metrics) Hear(n elector.Notice) {
	if n.Kind != elector.NoticeLeading && n.Kind != elector.NoticeLeader {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gap = n.Vacant
	if n.Previous != "" && n.Previous != n.Leader {
		m.changes++
	}
}

// hook is one way of telling the app, what it was told, and what came of it.
type hook struct{ way, event, result string }

// Hooked counts one piece of news that was told to the app.
func (m *Metrics) Hooked(way, event, result string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hooks[hook{way, event, result}]++
}

// Recorded counts one event.
func (m *Metrics) Recorded(result string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events[result]++
}

// Handler answers a scrape.
func (m *Metrics) Handler(view func() View) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p := m.page(view())
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Write(p.Bytes())
	})
}

func (m *Metrics) page(v View) *page {
	s := v.Status
	p := newPage(label{"election_namespace", s.Namespace}, label{"election", s.Election}, label{"id", s.ID})
	p.family("leader_elector_build_info", "gauge", "The version of the program; always 1.")
	p.sample("leader_elector_build_info", 1, label{"version", v.Version})
	p.gauge("leader_elector_is_leader", "Whether this candidate leads now.", yes(s.IsLeader))
	p.gauge("leader_elector_leader_known", "Whether this candidate knows a leader, itself or another.", yes(s.Leader != ""))
	p.gauge("leader_elector_can_take_over", "Whether this candidate stands by and could lead: it is fit and knows the lock.", yes(s.CanTakeOver))
	p.gauge("leader_elector_fit", "Whether no health check keeps this candidate from leading.", yes(s.Fit))
	p.gauge("leader_elector_paused", "Whether an operator has paused the election.", yes(s.Paused))
	p.gauge("leader_elector_lock_watched", "Whether the lock is watched; otherwise it is polled.", yes(s.Watching))
	p.gauge("leader_elector_term", "The term of the present lead; zero if nobody leads, or a leader without terms.", float64(s.Term))
	p.gauge("leader_elector_trust_seconds", "How long this candidate may lead without another renewal; zero unless it leads.", s.ValidFor.Seconds())

	p.gauge("leader_elector_ttl_seconds", "The duration of the lease, as this candidate's flags say.", m.cfg.TTL.Seconds())
	if s.Ready { // before, a rise from zero would look like so many changes
		p.counter("leader_elector_lock_transitions_total", "How often the lock has changed hands, as the lock itself counts.", float64(s.Transitions))
	}
	m.counted(p)

	if len(v.Checks) > 0 {
		p.family("leader_elector_health_check_fit", "gauge", "Whether a health check of the app holds.")
		for _, c := range v.Checks {
			p.sample("leader_elector_health_check_fit", yes(c.Fit), label{"check", c.Name})
		}
	}
	p.gauge("leader_elector_routing_fault", "Whether something keeps the traffic from following the lead; /status says what.", yes(v.RouteFault != ""))
	m.requests.write(p)
	return p
}

// counted shows what this candidate counts itself.
func (m *Metrics) counted(p *page) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.counter("leader_elector_leader_changes_total", "How often this candidate has seen another leader than before.", float64(m.changes))
	p.gauge("leader_elector_last_handover_gap_seconds", "How long nobody led before the present leader, as this candidate saw it.", m.gap.Seconds())
	p.family("leader_elector_renewal_margin_seconds", "histogram", "The trust that was left when a renewal was confirmed.")
	p.histogram("leader_elector_renewal_margin_seconds", m.margin)
	p.gauge("leader_elector_last_renewal_margin_seconds", "The trust that was left when the last renewal was confirmed; zero before the first.", m.last.Seconds())
	p.counter("leader_elector_renewal_near_misses_total", "Renewals that were confirmed with less than a quarter of the lease left.", float64(m.misses))
	if len(m.hooks) > 0 {
		const results = "leader_elector_hook_results_total"
		p.family(results, "counter", "What came of telling the app, by the way it is told and by what it was told.")
		for _, h := range slices.SortedFunc(maps.Keys(m.hooks), hook.compare) {
			p.sample(results, float64(m.hooks[h]), label{"hook", h.way}, label{"event", h.event}, label{"result", h.result})
		}
	}
	if m.cfg.Events {
		p.family("leader_elector_events_total", "counter", "Kubernetes Events by what became of them.")
		for _, result := range slices.Sorted(maps.Keys(m.events)) {
			p.sample("leader_elector_events_total", float64(m.events[result]), label{"result", result})
		}
	}
}

func (a hook) compare(b hook) int {
	return cmp.Or(cmp.Compare(a.way, b.way), cmp.Compare(a.event, b.event), cmp.Compare(a.result, b.result))
}
