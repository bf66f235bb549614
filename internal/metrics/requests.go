package metrics

import (
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxSeries bounds the combinations that are counted. A candidate has a dozen;
// whatever else a server may answer is counted as code "other".
const maxSeries = 64

// requests counts what is asked of the API server.
type requests struct {
	mu      sync.Mutex
	codes   map[request]uint64
	took    map[request]*histogram // code left out
	success atomic.Int64           // instant of the last good news, in nanoseconds since began; 0: none yet
	began   time.Time
}

// request is one kind of request and its answer.
type request struct{ verb, resource, code string }

func (a request) compare(b request) int {
	return cmp.Or(cmp.Compare(a.resource, b.resource), cmp.Compare(a.verb, b.verb), cmp.Compare(a.code, b.code))
}

// latencies are the bounds, in seconds, of how long requests take. The last are
// those of a server in trouble: an attempt ends after a sixth of the ttl.
var latencies = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5}

func newRequests() *requests {
	return &requests{codes: map[request]uint64{}, took: map[request]*histogram{}, began: time.Now()}
}

// Client counts the requests of one client; give it each that is made.
func (m *Metrics) Client(c *http.Client) *http.Client {
	base := c.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	counted := *c
	counted.Transport = &transport{base: base, to: m.requests}
	return &counted
}

// transport is an http.RoundTripper that counts.
type transport struct {
	base http.RoundTripper
	to   *requests
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	verb, resource := kindOf(r)
	sent := time.Now()
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		t.to.count(request{verb, resource, "none"}, time.Since(sent))
		return nil, err
	}
	t.to.count(request{verb, resource, strconv.Itoa(resp.StatusCode)}, time.Since(sent))
	if resp.StatusCode < 300 {
		t.to.succeeded()
		if verb == "watch" { // its news comes later, in the body
			resp.Body = &heard{resp.Body, t.to}
		}
	}
	return resp, nil
}

// CloseIdleConnections closes those of the transport below: giving up a client
// must give up its connections.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// heard is a watch's body, each piece of which shows that the server is there.
type heard struct {
	io.ReadCloser
	to *requests
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	if n > 0 {
		h.to.succeeded()
	}
	return n, err
}

func (q *requests) succeeded() { q.success.Store(max(1, int64(time.Since(q.began)))) }

// silent is how long there has been no good news from the server.
func (q *requests) silent() time.Duration {
	return time.Since(q.began) - time.Duration(q.success.Load())
}

func (q *requests) count(r request, took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, known := q.codes[r]; !known && len(q.codes) >= maxSeries {
		r = request{"other", "other", "other"}
	}
	q.codes[r]++
	r.code = ""
	h := q.took[r]
	if h == nil {
		h = newHistogram(latencies)
		q.took[r] = h
	}
	if r.verb != "watch" { // whose answer begins at once and lasts for minutes
		h.observe(took.Seconds())
	}
}

// write shows the counts.
func (q *requests) write(p *page) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p.family("leader_elector_api_requests_total", "counter", "Requests to the API server by verb, resource and HTTP status (none: no answer). Each watch beyond the first is a restart; creates and updates of endpointslices and patches of pods are the routing's writes.")
	for _, r := range slices.SortedFunc(maps.Keys(q.codes), request.compare) {
		p.sample("leader_elector_api_requests_total", float64(q.codes[r]), label{"verb", r.verb}, label{"resource", r.resource}, label{"code", r.code})
	}
	const seconds = "leader_elector_api_request_duration_seconds"
	p.family(seconds, "histogram", "Time from sending a request to the beginning of its answer, watches aside.")
	for _, r := range slices.SortedFunc(maps.Keys(q.took), request.compare) {
		if r.verb != "watch" {
			p.histogram(seconds, q.took[r], label{"verb", r.verb}, label{"resource", r.resource})
		}
	}
	p.gauge("leader_elector_api_last_success_age_seconds", "Time since the API server last sent something good: an answer, or news on a watch. Since the start, if it never did.", q.silent().Seconds())
}

// kindOf is what Kubernetes calls a request: its verb, and the plural of the
// resource.
func kindOf(r *http.Request) (verb, resource string) {
	// /api/v1/namespaces/NS/pods/NAME, or /apis/GROUP/VERSION/namespaces/NS/leases/NAME,
	// perhaps below the path of a proxy.
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	named := false
	if i := slices.IndexFunc(parts, func(s string) bool { return s == "api" || s == "apis" }); i >= 0 {
		rest := parts[i+1:]
		rest = rest[min(len(rest), map[string]int{"api": 1, "apis": 2}[parts[i]]):]
		if len(rest) > 2 && rest[0] == "namespaces" {
			rest = rest[2:]
		}
		if len(rest) > 0 {
			resource, named = rest[0], len(rest) > 1
		}
	}
	verb = map[string]string{http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}[r.Method]
	switch {
	case verb != "":
	case r.URL.Query().Get("watch") != "":
		verb = "watch"
	case named:
		verb = "get"
	default:
		verb = "list"
	}
	return verb, resource
}
