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

	"github.com/leader-elector/leader-elector/internal/kube"
)

// maxSeries bounds the combinations that are counted. A candidate has a dozen;
// whatever else a server may answer is counted as code "other".
const maxSeries = 64

// requests counts what is asked of the API server.
type requests struct {
	mu      sync.Mutex
	codes   map[request]uint64
	took    map[request]*histogram // code left out
	anew    map[string]uint64      // watches that were taken up anew, by resource
	routes  map[route]uint64
	success atomic.Int64 // instant of the last good news, in nanoseconds since began; 0: none yet
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

// route is a write of the traffic's way, and what became of it.
type route struct{ resource, result string }

func (a route) compare(b route) int {
	return cmp.Or(cmp.Compare(a.resource, b.resource), cmp.Compare(a.result, b.result))
}

// What became of such a write.
const (
	stored     = "stored"
	conflicted = "conflict" // somebody wrote since it was read
	refused    = "refused"
	unanswered = "unanswered" // or answered as by a server that is ill
)

func newRequests(routes string) *requests {
	q := &requests{codes: map[request]uint64{}, took: map[request]*histogram{}, anew: map[string]uint64{}, routes: map[route]uint64{}, began: time.Now()}
	if routes != "" {
		for _, result := range []string{stored, conflicted, refused, unanswered} {
			q.routes[route{routes, result}] = 0
		}
	}
	return q
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
	if verb == "watch" {
		t.to.watched(resource, kube.Anew(r.Context()))
	}
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
	q.wrote(r)
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

// watched counts the watches that were taken up anew.
func (q *requests) watched(resource string, anew bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.anew[resource]
	if anew {
		n++
	}
	q.anew[resource] = n
}

// wrote counts a request that wrote the traffic's way, if it is one: nothing but
// the routing writes these resources.
func (q *requests) wrote(r request) {
	switch {
	case r.resource != "endpointslices" && r.resource != "pods":
		return
	case r.verb != "create" && r.verb != "update" && r.verb != "patch":
		return
	}
	result := refused
	switch code, err := strconv.Atoi(r.code); {
	case err != nil || code >= 500 || code == http.StatusTooManyRequests:
		result = unanswered
	case code < 300:
		result = stored
	case code == http.StatusConflict:
		result = conflicted
	}
	q.routes[route{r.resource, result}]++
}

// write shows the counts.
func (q *requests) write(p *page) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p.family("leader_elector_api_requests_total", "counter", "Requests to the API server by verb, resource and HTTP status (none: no answer).")
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
	p.family("leader_elector_watch_restarts_total", "counter", "Watches that were taken up anew. The server ends each after 5 to 10 minutes.")
	for _, resource := range slices.Sorted(maps.Keys(q.anew)) {
		p.sample("leader_elector_watch_restarts_total", float64(q.anew[resource]), label{"resource", resource})
	}
	if len(q.routes) > 0 {
		p.family("leader_elector_route_writes_total", "counter", "Writes of the traffic's way by what became of them.")
		for _, r := range slices.SortedFunc(maps.Keys(q.routes), route.compare) {
			p.sample("leader_elector_route_writes_total", float64(q.routes[r]), label{"resource", r.resource}, label{"result", r.result})
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
