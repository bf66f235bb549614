package metrics

import (
	"context"
	"net/http"
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

// Metrics counts for one candidate. It is an elector.Follower, so that it sees
// how long each renewal came before the end of trust.
type Metrics struct {
	requests *requests

	mu      sync.Mutex
	margin  *histogram // of renewals: the trust that was left when each was confirmed
	leader  string     // the last that was seen
	changes int
	vacant  time.Time     // since when nobody has led; zero: somebody does, or nobody was ever seen
	gap     time.Duration // how long nobody led before the present leader
	work    sync.WaitGroup
}

// margins are the bounds, in seconds, of the trust that was left.
var margins = []float64{0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 21}

// New makes metrics that show zeros.
func New() *Metrics { return &Metrics{requests: newRequests(), margin: newHistogram(margins)} }

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
			m.mu.Lock()
			m.margin.observe(max(0, left).Seconds())
			m.mu.Unlock()
		}
	})
	return nil
}

// Stop waits for what Lead began, which ends with the lead.
func (m *Metrics) Stop(context.Context, elector.Reason) error { m.work.Wait(); return nil }

// Watch counts the changes of the leader until ctx is done.
func (m *Metrics) Watch(ctx context.Context, e *elector.Elector) {
	for s := range e.Changes(ctx) {
		m.sees(s.Leader, time.Now())
	}
}

// sees takes who leads now.
func (m *Metrics) sees(leader string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case leader == "" && m.vacant.IsZero() && m.leader != "":
		m.vacant = now
	case leader != "":
		if leader != m.leader || !m.vacant.IsZero() {
			m.gap = 0
			if !m.vacant.IsZero() {
				m.gap = now.Sub(m.vacant)
			}
		}
		if m.leader != "" && leader != m.leader {
			m.changes++
		}
		m.leader, m.vacant = leader, time.Time{}
	}
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
	p := &page{common: []label{{"election_namespace", s.Namespace}, {"election", s.Election}, {"id", s.ID}}}
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

	m.mu.Lock()
	p.family("leader_elector_leader_changes_total", "counter", "How often this candidate has seen another leader than before.")
	p.sample("leader_elector_leader_changes_total", float64(m.changes))
	p.gauge("leader_elector_last_handover_gap_seconds", "How long nobody led before the present leader, as this candidate saw it.", m.gap.Seconds())
	p.family("leader_elector_renewal_margin_seconds", "histogram", "The trust that was left when a renewal was confirmed. Little is a near miss.")
	p.histogram("leader_elector_renewal_margin_seconds", m.margin)
	m.mu.Unlock()

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
