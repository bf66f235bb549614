package metrics

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
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

// A leader that only lapsed is no change, and the gap is that of the last one.
func TestTheGapIsHowLongNobodyLed(t *testing.T) {
	m := New(Config{TTL: 10 * time.Second})
	for i, c := range []struct {
		notice  elector.Notice
		changes int
		gap     time.Duration
	}{
		{elector.Notice{Kind: elector.NoticeLeader, Leader: "a"}, 0, 0},
		{elector.Notice{Kind: elector.NoticeVacant, Previous: "a", Led: 9 * time.Second}, 0, 0},
		{elector.Notice{Kind: elector.NoticeLeader, Leader: "b", Previous: "a", Vacant: 3 * time.Second}, 1, 3 * time.Second},
		{elector.Notice{Kind: elector.NoticeLeader, Leader: "b", Previous: "b", Vacant: 4 * time.Second}, 1, 4 * time.Second},
		{elector.Notice{Kind: elector.NoticeTrouble}, 1, 4 * time.Second},
		{elector.Notice{Kind: elector.NoticeLeading, Leader: "c", Previous: "b"}, 2, 0},
	} {
		if m.Hear(c.notice); m.changes != c.changes || m.gap != c.gap {
			t.Errorf("notice %d: %d changes, gap %v; want %d, %v", i, m.changes, m.gap, c.changes, c.gap)
		}
	}
}

// A renewal that leaves less than a quarter of the lease is a near miss.
func TestANearMissIsCounted(t *testing.T) {
	m := New(Config{TTL: 8 * time.Second})
	for _, left := range []time.Duration{5 * time.Second, 2 * time.Second, 1999 * time.Millisecond, 0} {
		m.renewed(left)
	}
	text := m.page(View{}).String()
	for _, want := range []string{"leader_elector_renewal_near_misses_total{", "leader_elector_last_renewal_margin_seconds{"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
	if m.misses != 2 || m.last != 0 || m.margin.count != 4 {
		t.Errorf("%d near misses, the last %v, %d renewals; want 2, 0, 4", m.misses, m.last, m.margin.count)
	}
}

// What the routing writes is counted by what became of it, with a zero for what
// never happened; reads, and writes of other things, are not.
func TestRouteWritesAreCountedByResult(t *testing.T) {
	m := New(Config{Routes: "endpointslices"})
	for _, r := range []request{
		{"update", "endpointslices", "200"}, {"create", "endpointslices", "201"}, {"update", "endpointslices", "409"},
		{"update", "endpointslices", "none"}, {"update", "endpointslices", "503"}, {"get", "endpointslices", "200"},
		{"update", "leases", "200"}, {"create", "events", "201"},
	} {
		m.requests.count(r, 0)
	}
	text := m.page(View{}).String()
	for result, want := range map[string]int{stored: 2, conflicted: 1, unanswered: 2, refused: 0} {
		line := fmt.Sprintf(`resource="endpointslices",result=%q} %d`, result, want)
		if !strings.Contains(text, line) {
			t.Errorf("there is no %s in\n%s", line, text)
		}
	}
	if n := strings.Count(text, "leader_elector_route_writes_total{"); n != 4 {
		t.Errorf("%d series of route writes, want 4", n)
	}
}

type tripper func() (*http.Response, error)

func (f tripper) RoundTrip(*http.Request) (*http.Response, error) { return f() }

func TestRequestsAreCountedAndTheirNumberOfSeriesIsBounded(t *testing.T) {
	m := New(Config{})
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
