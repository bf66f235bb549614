package events

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// stage is a recorder of a pod in a namespace of its own.
type stage struct {
	*Recorder
	t       *testing.T
	p       *testplane.Plane
	ns      string
	log     *lines
	mu      sync.Mutex
	results map[string]int
	counted chan struct{} // holds a token when a result came
	stop    func()
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newStage starts one with the rights that we ship, less some verbs, on a plane
// at an address.
func newStage(t *testing.T, p *testplane.Plane, c testplane.Candidate) *stage {
	t.Helper()
	c.Namespace, c.Pod, c.Election = p.Namespace(t), "a", "music"
	creds := p.Join(t, c)
	access, err := kube.FromKubeconfig(creds.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(access)
	if err != nil {
		t.Fatal(err)
	}
	lease := fmt.Sprintf(`{"metadata":{"name":"music","namespace":%q}}`, c.Namespace)
	if code, body := p.Do(t, http.MethodPost, "/apis/coordination.k8s.io/v1/namespaces/"+c.Namespace+"/leases", []byte(lease)); code != http.StatusCreated {
		t.Fatalf("%d %s", code, body)
	}
	s := &stage{t: t, p: p, ns: c.Namespace, log: &lines{}, results: map[string]int{}, counted: make(chan struct{}, 1)}
	s.Recorder = New(Config{
		Client: client, ID: "a", Node: "n1", Log: slog.New(slog.NewTextHandler(s.log, nil)), Result: s.result,
		Objects: []Object{
			{Kind: "Lease", Ref: kube.Ref{APIVersion: "coordination.k8s.io/v1", Resource: "leases", Namespace: c.Namespace, Name: "music"}},
			{Kind: "Pod", UID: creds.PodUID, Ref: kube.Ref{APIVersion: "v1", Resource: "pods", Namespace: c.Namespace, Name: "a"}},
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	s.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("the log:\n%s", s.log)
		}
	})
	return s
}

func (s *stage) result(result string) {
	s.mu.Lock()
	s.results[result]++
	s.mu.Unlock()
	select {
	case s.counted <- struct{}{}:
	default:
	}
}

// until waits for so many Events of a result.
func (s *stage) until(result string, n int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 40*time.Second)
	defer cancel()
	for {
		s.mu.Lock()
		got := s.results[result]
		s.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-s.counted:
		case <-ctx.Done():
			s.t.Fatalf("%d events are %s, want %d", got, result, n)
		}
	}
}

// event is one as kubectl reads it.
type event struct {
	Type, Reason, Message string
	Count                 int
	InvolvedObject        struct{ Kind, Name, UID string }
	ReportingComponent    string
}

// about are the Events of an object, asked for as `kubectl describe` does.
func (s *stage) about(kind, name, uid string) (found []event) {
	s.t.Helper()
	query := fmt.Sprintf("?fieldSelector=involvedObject.kind=%s,involvedObject.name=%s,involvedObject.namespace=%s", kind, name, s.ns)
	if uid != "" {
		query += ",involvedObject.uid=" + uid
	}
	code, body := s.p.Do(s.t, http.MethodGet, "/api/v1/namespaces/"+s.ns+"/events"+query, nil)
	var list struct{ Items []event }
	if err := json.Unmarshal(body, &list); err != nil || code != http.StatusOK {
		s.t.Fatalf("%d %s", code, body)
	}
	return list.Items
}

func (s *stage) uid(path string) string {
	s.t.Helper()
	_, body := s.p.Do(s.t, http.MethodGet, path, nil)
	var o struct{ Metadata struct{ UID string } }
	if err := json.Unmarshal(body, &o); err != nil || o.Metadata.UID == "" {
		s.t.Fatalf("%s: %s", path, body)
	}
	return o.Metadata.UID
}

func leading(term elector.Term) elector.Notice {
	return elector.Notice{Kind: elector.NoticeLeading, At: time.Now(), Leader: "a", Term: term, Previous: "b",
		Led: 3 * time.Hour, Vacant: 12 * time.Millisecond, Text: "the lock was released"}
}

func TestALeadIsRecordedOnTheLockAndOnThePodWhereDescribeLooks(t *testing.T) {
	t.Parallel()
	s := newStage(t, testplane.Get(t), testplane.Candidate{Events: true})
	s.Hear(leading(57))
	s.Hear(elector.Notice{Kind: elector.NoticeEnded, At: time.Now(), Term: 57, Led: time.Second, Reason: elector.ReasonExpired, Text: "no renewal was confirmed in time"})
	s.until(Stored, 4)
	for kind, uid := range map[string]string{
		"Lease": s.uid("/apis/coordination.k8s.io/v1/namespaces/" + s.ns + "/leases/music"),
		"Pod":   s.uid("/api/v1/namespaces/" + s.ns + "/pods/a"),
	} {
		name := map[string]string{"Lease": "music", "Pod": "a"}[kind]
		found := s.about(kind, name, uid)
		slices.SortFunc(found, func(a, b event) int { return strings.Compare(a.Reason, b.Reason) })
		if len(found) != 2 || found[0].Reason != "BecameLeader" || found[1].Reason != "LostLead" {
			t.Fatalf("the events of the %s are %+v", kind, found)
		}
		want := "a leads, term 57; b had led for 3h0m0s, nobody for 12ms (the lock was released)"
		if e := found[0]; e.Message != want || e.Type != "Normal" || e.Count != 1 || e.ReportingComponent != "leader-elector" {
			t.Errorf("%+v, want the message %q", e, want)
		}
		want = "a led for 1s, term 57, and does not any more (expired): no renewal was confirmed in time"
		if e := found[1]; e.Message != want || e.Type != "Warning" {
			t.Errorf("%+v, want the message %q", e, want)
		}
	}
}

func TestWhatRepeatsIsCountedInOneEvent(t *testing.T) {
	t.Parallel()
	s := newStage(t, testplane.Get(t), testplane.Candidate{Events: true})
	for i := range 5 {
		s.Routing(fmt.Sprintf("port %d is refused", i))
	}
	s.until(Stored, 10)
	found := s.about("Pod", "a", "")
	if len(found) != 1 || found[0].Count != 5 || !strings.Contains(found[0].Message, "port 4 is refused") {
		t.Errorf("five faults of routing are %+v, want one event that counts 5 and says the last", found)
	}
}

// An election that flaps makes a bounded number of Events.
func TestLeadsAreToldOneByOneUntilThereAreTooMany(t *testing.T) {
	t.Parallel()
	s := newStage(t, testplane.Get(t), testplane.Candidate{Events: true})
	const leads = maxFresh + 4
	for i := range leads {
		s.Hear(leading(elector.Term(i + 1)))
	}
	s.until(Stored, 2*leads)
	found := s.about("Pod", "a", "")
	total, last := 0, ""
	for _, e := range found {
		if total += e.Count; e.Count > 1 {
			last = e.Message
		}
	}
	if len(found) != maxFresh || total != leads || !strings.Contains(last, fmt.Sprintf("term %d;", leads)) {
		t.Errorf("%d leads are %d events that count %d in all, the last %q; want %d events", leads, len(found), total, last, maxFresh)
	}
}

func TestAMissingRightIsToldOnceWithItsRule(t *testing.T) {
	t.Parallel()
	s := newStage(t, testplane.Get(t), testplane.Candidate{})
	for i := range 3 {
		s.Hear(leading(elector.Term(i + 1)))
	}
	s.until(Forbidden, 6)
	log := s.log.String()
	if n := strings.Count(log, "\n"); n != 1 || !strings.Contains(log, `{apiGroups: [\"\"], resources: [events], verbs: [create, patch]}`) {
		t.Errorf("the log has %d lines, want one with the rule:\n%s", n, log)
	}
}

// An Event that was deleted, or whose hour is over, is made anew.
func TestAnEventThatIsGoneIsMadeAnew(t *testing.T) {
	t.Parallel()
	s := newStage(t, testplane.Get(t), testplane.Candidate{Events: true})
	s.Routing("first")
	s.until(Stored, 2)
	if code, body := s.p.Do(t, http.MethodDelete, "/api/v1/namespaces/"+s.ns+"/events", nil); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	s.Routing("second")
	s.until(Stored, 4)
	if found := s.about("Pod", "a", ""); len(found) != 1 || found[0].Count != 1 || !strings.Contains(found[0].Message, "second") {
		t.Errorf("the events are %+v, want one that says second", found)
	}
}

func TestAnOutageHoldsNobodyUpAndTheNewestEventsSurviveIt(t *testing.T) {
	t.Parallel()
	p := testplane.Own(t)
	s := newStage(t, p, testplane.Candidate{Events: true})
	s.Hear(leading(1))
	s.until(Stored, 2)
	p.Kill(t, "kube-apiserver")
	const during = maxQueue // on two objects each: half of them find no room
	for i := range during {
		s.Hear(leading(elector.Term(100 + i))) // returns at once, or the test ends by its deadline
	}
	s.until(Dropped, maxQueue-1) // one may be on its way
	p.Start(t, "kube-apiserver")
	s.until(Stored, 2+maxQueue)
	found := s.about("Lease", "music", "")
	if !slices.ContainsFunc(found, func(e event) bool { return strings.Contains(e.Message, fmt.Sprintf("term %d;", 100+during-1)) }) {
		t.Errorf("the newest is not among the events %+v", found)
	}
	log := s.log.String()
	if strings.Count(log, "events wait for the API server") != 1 || strings.Count(log, "events are recorded again") != 1 {
		t.Errorf("the outage is not one line at its begin and one at its end:\n%s", log)
	}
}

// What happens as the process ends is recorded, and an API server that is away
// does not keep it from ending.
func TestTheLastEventsAreSentBeforeTheEnd(t *testing.T) {
	t.Parallel()
	p := testplane.Own(t)
	s := newStage(t, p, testplane.Candidate{Events: true})
	other := newStage(t, p, testplane.Candidate{Events: true})
	s.Hear(leading(1))
	s.stop()
	if n := s.results[Stored]; n != 2 {
		t.Errorf("%d events were stored at the end, want 2", n)
	}
	p.Pause(t, "kube-apiserver")
	defer p.Resume(t, "kube-apiserver")
	other.Hear(leading(1))
	other.stop() // does not return if it waits for the server
	if n := other.results[Dropped]; n != 2 {
		t.Errorf("%d events were counted as dropped at the end, want 2", n)
	}
}

func TestAMessageFitsTheAPI(t *testing.T) {
	for _, n := range []int{maxMessage, maxMessage + 1, 5000} {
		if got := cut(strings.Repeat("ä", n)); len(got) > maxMessage || !strings.HasSuffix(got, "…") {
			t.Errorf("%d letters of two bytes become %d bytes, which end with %q", n, len(got), got[len(got)-4:])
		}
	}
	if cut("short") != "short" {
		t.Error("a short message is changed")
	}
}
