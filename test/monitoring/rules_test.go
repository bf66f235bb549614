package monitoring

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

// every is the pace of scrapes and evaluations that is shipped.
const every = 15 * time.Second

const rulesFile = "../../deploy/monitoring/rules.yaml"

// series are the samples of one candidate, in promtool's notation, by name and
// the labels beyond the candidate's.
type series map[string]string

// steady is a candidate that leads for n scrapes, or stands by.
func steady(leads bool, n int) series {
	always := func(v float64) string { return fmt.Sprintf("%vx%d", v, n) }
	grows := func(by float64) string { return fmt.Sprintf("0+%vx%d", by, n) }
	is := map[bool]float64{true: 1}
	s := series{
		"leader_elector_is_leader":                                                                always(is[leads]),
		"leader_elector_leader_known":                                                             always(1),
		"leader_elector_can_take_over":                                                            always(is[!leads]),
		"leader_elector_paused":                                                                   always(0),
		"leader_elector_routing_fault":                                                            always(0),
		"leader_elector_ttl_seconds":                                                              always(10),
		"leader_elector_api_last_success_age_seconds":                                             always(2),
		"leader_elector_lock_transitions_total":                                                   always(7),
		"leader_elector_renewal_near_misses_total":                                                always(0),
		"leader_elector_renewal_margin_seconds_sum":                                               always(0),
		"leader_elector_renewal_margin_seconds_count":                                             always(0),
		`leader_elector_api_requests_total{verb="update",resource="leases",code="200"}`:           grows(5),
		`leader_elector_hook_results_total{hook="notify-url",event="stop",result="timeout"}`:      always(0),
		`leader_elector_hook_results_total{hook="notify-url",event="lead",result="refused"}`:      always(0),
		`leader_elector_hook_results_total{hook="notify-url",event="renew",result="unreachable"}`: grows(1),
		`leader_elector_api_requests_total{verb="create",resource="events",code="403"}`:           grows(1),
		`leader_elector_api_requests_total{verb="watch",resource="leases",code="200"}`:            always(1),
		`leader_elector_api_requests_total{verb="get",resource="leases",code="403"}`:              always(2), // once, long ago
		`leader_elector_api_requests_total{verb="update",resource="endpointslices",code="none"}`:  always(0),
		`leader_elector_hook_results_total{hook="state-file",event="change",result="accepted"}`:   grows(1),
		`leader_elector_renewal_margin_seconds_bucket{le="5"}`:                                    always(0),
		`leader_elector_api_requests_total{verb="update",resource="leases",code="500"}`:           grows(0.1),
	}
	if leads { // five renewals in 15 s, with 5.7 s left each
		s["leader_elector_renewal_margin_seconds_sum"] = grows(28.5)
		s["leader_elector_renewal_margin_seconds_count"] = grows(5)
	}
	return s
}

// with is the candidate, but for some series.
func (s series) with(name, values string) series {
	s = maps.Clone(s)
	s[name] = values
	return s
}

// load is the input of the series of all candidates.
func load(all map[string]series) string {
	var b strings.Builder
	fmt.Fprintf(&b, "load %v\n", every)
	for id, s := range all {
		for name, values := range s {
			name, more, _ := strings.Cut(name, "{")
			more = strings.TrimSuffix(more, "}")
			if more != "" {
				more = "," + more
			}
			fmt.Fprintf(&b, "  %s{election_namespace=\"music\",election=\"radio\",id=%q,namespace=\"music\",pod=%q,instance=\"10.1.0.1:4040\",job=\"leader-elector\"%s} %s\n", name, id, id, more, values)
		}
	}
	return b.String()
}

// play evaluates the shipped rules over the series, and returns when each alert
// first fired.
func play(t *testing.T, all map[string]series, length time.Duration) map[string]time.Duration {
	t.Helper()
	suite, err := promqltest.NewLazyLoader(load(all), promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true})
	if err != nil {
		t.Fatal(err)
	}
	defer suite.Close()
	m := rules.NewManager(&rules.ManagerOptions{
		QueryFunc: rules.EngineQueryFunc(suite.QueryEngine(), suite.Storage()), AppendableV2: suite.Storage(), Context: context.Background(),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {}, Logger: promslog.NewNopLogger(), Parser: parser.NewParser(parser.Options{}),
	})
	groups, errs := m.LoadGroups(every, labels.EmptyLabels(), "", nil, false, rulesFile)
	if errs != nil {
		t.Fatal(errs)
	}
	fired := map[string]time.Duration{}
	for at := time.Duration(0); at <= length; at += every {
		ts := time.Unix(0, 0).UTC().Add(at)
		suite.WithSamplesTill(ts, func(err error) {
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range groups {
				g.Eval(suite.Context(), ts)
				for _, r := range g.AlertingRules() {
					if r.LastError() != nil {
						t.Fatalf("%s: %v", r.Name(), r.LastError())
					}
					r.ForEachActiveAlert(func(a *rules.Alert) {
						if _, had := fired[r.Name()]; a.State == rules.StateFiring && !had {
							fired[r.Name()] = at
						}
					})
				}
			}
		})
	}
	return fired
}

// alerts are the names of the shipped ones.
func alerts(t *testing.T) (names []string) {
	t.Helper()
	data, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "- alert: "); ok {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatal("there are no alerts")
	}
	return names
}

func TestEachAlertFiresAndTheOthersStayQuiet(t *testing.T) {
	const hour = 240 // scrapes
	const known, leader = "leader_elector_leader_known", "leader_elector_is_leader"
	pair := func(a, b series) map[string]series { return map[string]series{"a": a, "b": b} }
	firing := map[string]bool{}
	for _, c := range []struct {
		name   string
		all    map[string]series
		length time.Duration
		fires  map[string]time.Duration // which, and the earliest and by when at the latest a minute later
	}{
		{"a pair at rest", pair(steady(true, hour), steady(false, hour)), time.Hour, nil},
		{"nobody leads", pair(
			steady(false, hour).with(known, "1x20 0x40").with(leader, "0x60"),
			steady(false, hour).with(known, "1x20 0x40")), 15 * time.Minute,
			map[string]time.Duration{"LeaderElectorNoLeader": 6*time.Minute + 15*time.Second}},
		{"both pods are gone", pair(gone(steady(true, 20)), gone(steady(false, 20))), 30 * time.Minute,
			map[string]time.Duration{"LeaderElectorCandidatesGone": 6*time.Minute + 15*time.Second}},
		{"two leaders", pair(steady(true, hour), steady(false, hour).with(leader, "0x20 1x10 0x100")), 20 * time.Minute,
			map[string]time.Duration{"LeaderElectorTwoLeaders": 6*time.Minute + 15*time.Second}},
		{"a fault of routing", pair(steady(true, hour).with("leader_elector_routing_fault", "0x20 1x20 0x100"), steady(false, hour)), 20 * time.Minute,
			map[string]time.Duration{"LeaderElectorRoutingFault": 6*time.Minute + 15*time.Second}},
		{"the standby is gone", pair(steady(true, hour), gone(steady(false, 20))), 30 * time.Minute,
			map[string]time.Duration{"LeaderElectorStandbyMissing": 15*time.Minute + 15*time.Second}},
		{"the standby is unfit", pair(steady(true, hour), steady(false, hour).with("leader_elector_can_take_over", "1x20 0x100")), 30 * time.Minute,
			map[string]time.Duration{"LeaderElectorStandbyUnfit": 10*time.Minute + 15*time.Second}},
		{"the lead moves every minute", pair(
			steady(true, hour).with("leader_elector_lock_transitions_total", "7x20 7+0.25x100"), steady(false, hour)), 30 * time.Minute,
			map[string]time.Duration{"LeaderElectorFlapping": 10 * time.Minute}},
		{"near misses", pair(steady(true, hour).with("leader_elector_renewal_near_misses_total", "0x20 1 1 2 3x100"), steady(false, hour)), 30 * time.Minute,
			map[string]time.Duration{"LeaderElectorMarginShrinking": 5*time.Minute + 45*time.Second}},
		{"renewals are slow", pair(steady(true, hour).with("leader_elector_renewal_margin_seconds_sum", "0+10x200"), steady(false, hour)), 30 * time.Minute,
			map[string]time.Duration{"LeaderElectorMarginShrinking": 15 * time.Second}},
		{"the API server is silent for one", pair(steady(true, hour), steady(false, hour).with("leader_elector_api_last_success_age_seconds", "2x20 15+15x100")), 30 * time.Minute,
			map[string]time.Duration{"LeaderElectorAPISilent": 7*time.Minute + 45*time.Second}},
		{"a right was taken away", pair(steady(true, hour), steady(false, hour).with(`leader_elector_api_requests_total{verb="watch",resource="leases",code="403"}`, "0x20 0+1x100")), 30 * time.Minute,
			map[string]time.Duration{"LeaderElectorForbidden": 10*time.Minute + 30*time.Second}},
		{"the app does not accept the end of its lead", pair(steady(true, hour).with(`leader_elector_hook_results_total{hook="notify-url",event="stop",result="timeout"}`, "0x20 1x100"), steady(false, hour)), 20 * time.Minute,
			map[string]time.Duration{"LeaderElectorAppNotTold": 5*time.Minute + 15*time.Second}},
		{"somebody forgot a pause", pair(steady(true, 2*hour).with("leader_elector_paused", "0x20 1x300"), steady(false, 2*hour).with("leader_elector_paused", "0x20 1x300")), 2 * time.Hour,
			map[string]time.Duration{"LeaderElectorPaused": 65*time.Minute + 15*time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fired := play(t, c.all, c.length)
			for name, at := range fired {
				firing[name] = true
				if earliest, wanted := c.fires[name]; !wanted {
					t.Errorf("%s fires after %v", name, at)
				} else if at < earliest || at > earliest+time.Minute {
					t.Errorf("%s fires after %v, want %v or up to a minute later", name, at, earliest)
				}
			}
			for name := range c.fires {
				if _, ok := fired[name]; !ok {
					t.Errorf("%s does not fire", name)
				}
			}
		})
	}
	for _, name := range alerts(t) {
		if !firing[name] {
			t.Errorf("nothing here lets %s fire", name)
		}
	}
}

// gone is a candidate whose series end: its pod is no target any more.
func gone(s series) series {
	ended := series{}
	for name, values := range s {
		ended[name] = values + " stale"
	}
	return ended
}

// later is a candidate that is not there for the first scrapes.
func later(s series, scrapes int) series {
	begun := series{}
	for name, values := range s {
		begun[name] = fmt.Sprintf("_x%d %s", scrapes, values)
	}
	return begun
}

// What is done on a normal day wakes nobody.
func TestNoAlertFiresOverWhatIsNormal(t *testing.T) {
	const n = 100
	const known, leader, able = "leader_elector_leader_known", "leader_elector_is_leader", "leader_elector_can_take_over"
	const moves = "leader_elector_lock_transitions_total"
	for name, all := range map[string]map[string]series{
		// b is scraped after the hand-over, a only 15 s later.
		"a hand-over": {
			"a": steady(true, n).with(leader, "1x21 0x79").with(able, "0x21 1x79").with(moves, "7x21 8x79"),
			"b": steady(false, n).with(leader, "0x20 1x80").with(able, "1x20 0x80").with(moves, "7x20 8x80"),
		},
		// For a scrape nobody leads; the node is away for five minutes.
		"a leader that crashes": {
			"a": gone(steady(true, 20)),
			"b": steady(false, n).with(leader, "0x21 1x79").with(known, "1x20 0x1 1x79").with(able, "1x21 0x79"),
			"c": later(steady(false, n-40), 40),
		},
		// c comes, b goes, d comes, a goes: c or d leads. The new pods pull their image.
		"a rolling update": {
			"a": gone(steady(true, 40)),
			"b": gone(steady(false, 28)),
			"c": later(steady(false, 80).with(leader, "0x20 1x60").with(able, "1x20 0x60").with(moves, "7x20 8x60"), 20),
			"d": later(steady(false, 65), 35),
		},
		// Five rolls on a busy day, half an hour apart, would move it less often.
		"two rolling updates within a quarter of an hour": {
			"a": gone(steady(true, n)).with(moves, "7x10 8x10 9x10 10x10 11x60"),
			"b": gone(steady(false, n)),
		},
		"an outage of the API server for half a minute": {
			"a": steady(true, n).with(leader, "1x20 0x2 1x78").with(known, "1x20 0x2 1x78").with("leader_elector_api_last_success_age_seconds", "2x18 15 30 30 2x79"),
			"b": steady(false, n).with(known, "1x20 0x2 1x78").with("leader_elector_api_last_success_age_seconds", "2x18 15 30 30 2x79"),
		},
		"one near miss": {
			"a": steady(true, n).with("leader_elector_renewal_near_misses_total", "0x20 1x80"),
			"b": steady(false, n),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if fired := play(t, all, n*every-time.Minute); len(fired) > 0 {
				t.Errorf("%v fire", slices.Sorted(maps.Keys(fired)))
			}
		})
	}
}

// Whoever is woken finds what to do.
func TestEachAlertHasAPlaceInTheRunbook(t *testing.T) {
	runbook, err := os.ReadFile(filepath.Join("..", "..", "docs", "runbook.md"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(runbook), "\n## ")
	for _, name := range alerts(t) {
		if !strings.Contains(string(file), "docs/runbook.md#"+strings.ToLower(name)+"\n") {
			t.Errorf("no runbook_url leads to the section of %s", name)
		}
		i := slices.IndexFunc(sections, func(s string) bool { return strings.HasPrefix(s, name+"\n") })
		if i < 0 {
			t.Errorf("docs/runbook.md has no section %s", name)
			continue
		}
		for _, part := range []string{"**What it means.**", "**How to see.**", "**What to do.**"} {
			if !strings.Contains(sections[i], part) {
				t.Errorf("the section %s of docs/runbook.md does not say %s", name, part)
			}
		}
	}
	for _, s := range sections[1:] {
		name, _, _ := strings.Cut(s, "\n")
		if strings.HasPrefix(name, "LeaderElector") && !slices.Contains(alerts(t), name) {
			t.Errorf("docs/runbook.md has a section %s, which is no alert", name)
		}
	}
}
