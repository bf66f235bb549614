package metrics

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestARequestIsWhatKubernetesCallsIt(t *testing.T) {
	for _, c := range []struct{ method, url, verb, resource string }{
		{"GET", "/apis/coordination.k8s.io/v1/namespaces/api/leases/pods", "get", "leases"},
		{"PUT", "/apis/coordination.k8s.io/v1/namespaces/music/leases/music", "update", "leases"},
		{"POST", "/apis/coordination.k8s.io/v1/namespaces/music/leases", "create", "leases"},
		{"GET", "/apis/coordination.k8s.io/v1/namespaces/music/leases?watch=1&fieldSelector=x", "watch", "leases"},
		{"GET", "/api/v1/namespaces/music/pods?labelSelector=x", "list", "pods"},
		{"PATCH", "/api/v1/namespaces/music/pods/a", "patch", "pods"},
		{"GET", "/k8s/clusters/c-1/api/v1/namespaces/music/services/music", "get", "services"},
		{"POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "create", "selfsubjectaccessreviews"},
		{"GET", "/version", "list", ""},
	} {
		r := httptest.NewRequest(c.method, c.url, nil)
		if verb, resource := kindOf(r); verb != c.verb || resource != c.resource {
			t.Errorf("%s %s is %s %s, want %s %s", c.method, c.url, verb, resource, c.verb, c.resource)
		}
	}
}

// The gap is the time without a leader, and a leader that only lapsed is no change.
func TestTheGapIsHowLongNobodyLed(t *testing.T) {
	m := New()
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	m.sees("", at(0)) // nobody was ever seen: that is no gap
	m.sees("a", at(10))
	if m.changes != 0 || m.gap != 0 {
		t.Errorf("the first leader counts %d changes, gap %v", m.changes, m.gap)
	}
	m.sees("", at(20))
	m.sees("", at(21))
	m.sees("b", at(23))
	if m.changes != 1 || m.gap != 3*time.Second {
		t.Errorf("%d changes, gap %v; want 1, 3s", m.changes, m.gap)
	}
	m.sees("b", at(24))
	m.sees("", at(30))
	m.sees("b", at(34))
	if m.changes != 1 || m.gap != 4*time.Second {
		t.Errorf("%d changes, gap %v; want 1, 4s", m.changes, m.gap)
	}
	m.sees("a", at(35))
	if m.changes != 2 || m.gap != 0 {
		t.Errorf("%d changes, gap %v; want 2 and none", m.changes, m.gap)
	}
}

type tripper func() (*http.Response, error)

func (f tripper) RoundTrip(*http.Request) (*http.Response, error) { return f() }

func TestRequestsAreCountedAndTheirNumberOfSeriesIsBounded(t *testing.T) {
	m := New()
	code := 200
	client := m.Client(&http.Client{Transport: tripper(func() (*http.Response, error) {
		if code == 0 {
			return nil, errors.New("refused")
		}
		return &http.Response{StatusCode: code, Body: http.NoBody}, nil
	})})
	ask := func() {
		if resp, err := client.Get("http://api/api/v1/namespaces/music/pods/a"); err == nil {
			resp.Body.Close()
		}
	}
	ask()
	ask()
	code = 0
	ask()
	text := m.page(View{}).String()
	for _, want := range []string{
		`verb="get",resource="pods",code="200"} 2`, `verb="get",resource="pods",code="none"} 1`,
		`leader_elector_api_request_duration_seconds_count{election_namespace="",election="",id="",verb="get",resource="pods"} 3`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
	for code = 100; code < 999; code++ {
		ask()
	}
	if n := strings.Count(m.page(View{}).String(), "leader_elector_api_requests_total{"); n > maxSeries+1 {
		t.Errorf("%d series, want at most %d", n, maxSeries+1)
	}
}

func TestAHistogramIsCumulativeAndALabelIsEscaped(t *testing.T) {
	h := newHistogram([]float64{0.5, 1})
	for _, v := range []float64{0.1, 0.5, 0.7, 3} {
		h.observe(v)
	}
	p := &page{}
	p.histogram("x", h, label{"check", "a\"\\\n"})
	want := `x_bucket{check="a\"\\\n",le="0.5"} 2
x_bucket{check="a\"\\\n",le="1"} 3
x_bucket{check="a\"\\\n",le="+Inf"} 4
x_sum{check="a\"\\\n"} 4.3
x_count{check="a\"\\\n"} 4
`
	if p.String() != want {
		t.Errorf("got\n%swant\n%s", p.String(), want)
	}
}
