package monitoring

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/kubernetes" // which prometheus.yaml asks for
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
)

// watchtower is a Prometheus in this process: its discovery, its scrapes, its
// database and its rules, without its web pages.
type watchtower struct {
	t      *testing.T
	db     *tsdb.DB
	engine *promql.Engine

	mu     sync.Mutex
	firing map[string]*rules.Alert // by name, the newest
}

// watch starts one by a configuration.
func watch(t *testing.T, text string, ruleFile string) *watchtower {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	log := promslog.NewNopLogger()
	cfg, err := config.Load(text, log)
	must(err)
	w := &watchtower{t: t, firing: map[string]*rules.Alert{}}
	w.db, err = tsdb.Open(t.TempDir(), log, nil, tsdb.DefaultOptions(), nil)
	must(err)
	w.engine = promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Logger: log})
	ctx, cancel := context.WithCancel(context.Background())
	registry := prometheus.NewRegistry()
	metrics, err := discovery.CreateAndRegisterSDMetrics(registry)
	must(err)
	found := discovery.NewManager(ctx, log, registry, metrics)
	scrapes, err := scrape.NewManager(&scrape.Options{DiscoveryReloadInterval: 1e9}, log, nil, nil, w.db, registry)
	must(err)
	must(scrapes.ApplyConfig(cfg))
	jobs := map[string]discovery.Configs{}
	for _, job := range cfg.ScrapeConfigs {
		jobs[job.JobName] = job.ServiceDiscoveryConfigs
	}
	must(found.ApplyConfig(jobs))
	judge := rules.NewManager(&rules.ManagerOptions{
		QueryFunc: rules.EngineQueryFunc(w.engine, w.db), AppendableV2: w.db, Queryable: w.db, Context: ctx, NotifyFunc: w.notify, Logger: log,
		Parser: parser.NewParser(parser.Options{}), ResendDelay: time.Minute, Registerer: registry,
	})
	must(judge.Update(time.Duration(cfg.GlobalConfig.EvaluationInterval), []string{ruleFile}, labels.EmptyLabels(), "", nil))
	var work sync.WaitGroup
	work.Go(func() { found.Run() })
	work.Go(func() { scrapes.Run(found.SyncCh()) })
	work.Go(judge.Run)
	t.Cleanup(func() {
		judge.Stop()
		scrapes.Stop()
		cancel()
		work.Wait()
		w.db.Close()
	})
	return w
}

// notify is what an Alertmanager would hear.
func (w *watchtower) notify(_ context.Context, _ string, alerts ...*rules.Alert) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range alerts {
		w.firing[a.Labels.Get("alertname")] = a
	}
}

// heard are the names of the alerts that have fired.
func (w *watchtower) heard() (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.firing {
		names = append(names, name)
	}
	return names
}

func (w *watchtower) alert(name string) *rules.Alert {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.firing[name]
}

// ask is the value of an expression that has one sample now; false: it has none.
func (w *watchtower) ask(expr string) (float64, bool) {
	w.t.Helper()
	q, err := w.engine.NewInstantQuery(w.t.Context(), w.db, nil, expr, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	defer q.Close()
	v, err := q.Exec(w.t.Context()).Vector()
	if err != nil {
		w.t.Fatal(err)
	}
	if len(v) == 0 {
		return 0, false
	}
	return v[0].F, true
}

// shipped is deploy/monitoring/prometheus.yaml for this test: for a Prometheus
// outside the cluster, for one namespace, and at a quicker pace.
func shipped(t *testing.T, kubeconfig, namespace string) string {
	t.Helper()
	data, err := os.ReadFile("../../deploy/monitoring/prometheus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for old, now := range map[string]string{
		"scrape_interval: 15s":     "scrape_interval: 1s",
		"evaluation_interval: 15s": "evaluation_interval: 1s",
		"scrape_timeout: 5s":       "scrape_timeout: 1s",
		"      - role: pod\n        selectors:": "      - role: pod\n        kubeconfig_file: " + kubeconfig +
			"\n        namespaces: { names: [" + namespace + "] }\n        selectors:",
		"rule_files: [rules.yaml]\n": "",
	} {
		if strings.Count(text, old) != 1 {
			t.Fatalf("deploy/monitoring/prometheus.yaml does not have %q once", old)
		}
		text = strings.Replace(text, old, now, 1)
	}
	return text
}
