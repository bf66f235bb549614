package monitoring

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// common are the labels of every sample.
var common = []string{"election_namespace", "election", "id"}

// full is a real leader with all that can be shown: checks of health, routing, an
// app that is told in both ways, events.
func full(t *testing.T) *sidecar {
	t.Helper()
	p := testplane.Get(t)
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(app.Close)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music", Service: "radio", Events: true}
	service := `{"metadata":{"name":"radio"},"spec":{"ports":[{"port":80,"targetPort":8080}]}}`
	if code, answer := p.Do(t, http.MethodPost, "/api/v1/namespaces/"+c.Namespace+"/services", []byte(service)); code != http.StatusCreated {
		t.Fatalf("%d %s", code, answer)
	}
	s := start(t, p, c, "--ttl=4s", "--new-lock=immediate", "--events", "--route=endpointslice", "--service=radio", "--pod-ip=10.1.2.3",
		"--health-check="+app.URL, "--notify-url="+app.URL, "--state-file="+filepath.Join(t.TempDir(), "state"))
	s.until("leading", s.leads)
	for _, done := range []string{`leader_elector_events_total{.*result="stored"} [1-9]`, `leader_elector_route_writes_total{.*result="stored"} [1-9]`} {
		s.until("showing "+done, func() bool { text, _ := s.get("/metrics"); return regexp.MustCompile(done).MatchString(text) })
	}
	return s
}

// documented are the metrics of docs/metrics.md: name, type and own labels.
func documented(t *testing.T) map[string]family {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]family{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(leader_elector_[a-z_]+)(?:{([a-z,]+)})?` \\| ([a-z]+) \\| (.+) \\|$").FindAllStringSubmatch(string(data), -1) {
		if _, twice := all[m[1]]; twice {
			t.Errorf("docs/metrics.md has %s twice", m[1])
		}
		f := family{kind: m[3]}
		if m[2] != "" {
			f.labels = strings.Split(m[2], ",")
		}
		slices.Sort(f.labels)
		all[m[1]] = f
	}
	return all
}

// family is what is held against the documentation.
type family struct {
	kind   string
	labels []string
}

func TestThePageIsAsPrometheusWantsItAndAsItIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := full(t).get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatalf("the page cannot be read: %v\n%s", err, text)
	}
	for _, p := range problems {
		t.Errorf("promlint: %s: %s", p.Metric, p.Text)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	docs := documented(t)
	for name, f := range families {
		is := family{kind: strings.ToLower(f.GetType().String()), labels: ownLabels(t, f)}
		switch want, known := docs[name]; {
		case !known:
			t.Errorf("docs/metrics.md does not have %s", name)
		case want.kind != is.kind || !slices.Equal(want.labels, is.labels):
			t.Errorf("docs/metrics.md says that %s is a %s with the labels %v, and it is a %s with %v", name, want.kind, want.labels, is.kind, is.labels)
		}
	}
	for name := range docs {
		if _, shown := families[name]; !shown {
			t.Errorf("docs/metrics.md has %s, which the page does not show", name)
		}
	}
}

// ownLabels are the labels of a family beyond those of every sample, which must be there.
func ownLabels(t *testing.T, f *dto.MetricFamily) (own []string) {
	t.Helper()
	for _, m := range f.Metric {
		var names []string
		for _, l := range m.Label {
			names = append(names, l.GetName())
		}
		if !slices.Equal(names[:min(3, len(names))], common) {
			t.Errorf("a sample of %s has the labels %v, without %v at its begin", f.GetName(), names, common)
			return nil
		}
		own = names[3:]
	}
	own = slices.Clone(own)
	slices.Sort(own)
	return own
}

// The alerts ask for nothing that no page shows.
func TestTheAlertsAskForMetricsThatAreThere(t *testing.T) {
	data, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	docs := documented(t)
	for _, name := range regexp.MustCompile(`leader_elector_[a-z_]+`).FindAllString(string(data), -1) {
		base := name
		for _, suffix := range []string{"_sum", "_count", "_bucket"} {
			if f, ok := docs[strings.TrimSuffix(name, suffix)]; ok && f.kind == "histogram" {
				base = strings.TrimSuffix(name, suffix)
			}
		}
		if _, ok := docs[base]; !ok {
			t.Errorf("an alert asks for %s, which docs/metrics.md does not have", name)
		}
	}
}
