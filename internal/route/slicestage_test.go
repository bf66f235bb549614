package route_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/route"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// stage is a namespace of a real API server with a Service "radio".
type stage struct {
	t         *testing.T
	p         *testplane.Plane
	namespace string
}

const plainService = `{"ports":[{"name":"http","port":80,"targetPort":8080,"appProtocol":"http"},{"name":"udp","port":53,"protocol":"UDP"}]}`

// onStage makes the Service, unless its spec is empty.
func onStage(t *testing.T, spec string) *stage {
	t.Helper()
	p := testplane.Get(t)
	s := &stage{t: t, p: p, namespace: p.Namespace(t)}
	if spec != "" {
		s.do(http.MethodPost, "services", `{"metadata":{"name":"radio"},"spec":`+spec+`}`)
	}
	return s
}

// do makes a request as the administrator, which must succeed.
func (s *stage) do(method, path, body string) []byte {
	s.t.Helper()
	code, answer := s.try(method, path, body)
	if code >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, code, answer)
	}
	return answer
}

func (s *stage) try(method, path, body string) (int, []byte) {
	s.t.Helper()
	prefix := "/api/v1"
	if strings.HasPrefix(path, "endpointslices") {
		prefix = "/apis/discovery.k8s.io/v1"
	}
	return s.p.Do(s.t, method, prefix+"/namespaces/"+s.namespace+"/"+path, []byte(body))
}

const (
	ipv4 = "endpointslices/radio-leader-ipv4"
	ipv6 = "endpointslices/radio-leader-ipv6"
)

// object is an EndpointSlice as the administrator sees it.
type object struct {
	Metadata struct {
		UID, ResourceVersion string
		Labels, Annotations  map[string]string
		OwnerReferences      []map[string]any
	}
	AddressType string
	Endpoints   []struct {
		Addresses  []string
		Conditions map[string]bool
		NodeName   string
		TargetRef  map[string]string
	}
	Ports []map[string]any
}

func (o object) addresses() string {
	var all []string
	for _, e := range o.Endpoints {
		all = append(all, e.Addresses...)
	}
	return strings.Join(all, " ")
}

func (o object) term() string { return o.Metadata.Annotations["leader-elector.io/term"] }

func (s *stage) read(path string) (o object, ok bool) {
	s.t.Helper()
	code, body := s.try(http.MethodGet, path, "")
	if code == http.StatusNotFound {
		return o, false
	}
	if err := json.Unmarshal(body, &o); code != http.StatusOK || err != nil {
		s.t.Fatalf("%s: %d %s", path, code, body)
	}
	return o, true
}

// write puts a slice of our name there, as if another leader had.
func (s *stage) write(address, term, writer string) {
	s.t.Helper()
	s.try(http.MethodDelete, ipv4, "")
	notes := "{}"
	if term != "" {
		notes = fmt.Sprintf(`{"leader-elector.io/term":%q,"leader-elector.io/writer":%q}`, term, writer)
	}
	s.do(http.MethodPost, "endpointslices", fmt.Sprintf(`{"metadata":{"name":"radio-leader-ipv4","labels":{"kubernetes.io/service-name":"radio"},"annotations":%s},
		"addressType":"IPv4","endpoints":[{"addresses":[%q]}]}`, notes, address))
}

// candidate is one of the Service's pods, with the rights that we ship.
type candidate struct {
	*route.Slices
	s   *stage
	uid string
	log logBuffer

	mu       sync.Mutex
	confirm  func() error // nil: the lead is confirmed
	confirms int
	cedes    int
}

type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (s *stage) join(pod, ips string, without ...string) *candidate {
	s.t.Helper()
	return s.joinBy(testplane.Candidate{Pod: pod, Without: without}, ips)
}

func (s *stage) joinBy(c testplane.Candidate, ips string) *candidate {
	s.t.Helper()
	c.Namespace, c.Election, c.Service = s.namespace, "music", "radio"
	creds := s.p.Join(s.t, c)
	k := &candidate{s: s, uid: creds.PodUID}
	addresses, err := route.ParseIPs(ips)
	if err != nil {
		s.t.Fatal(err)
	}
	k.Slices, err = route.NewSlices(route.SliceConfig{
		Client: s.client(creds.Kubeconfig), Election: "music", Service: "radio", Start: "start-of-" + c.Pod,
		Pod:     route.Pod{Namespace: s.namespace, Name: c.Pod, UID: creds.PodUID, Node: "node-of-" + c.Pod, IPs: addresses},
		Confirm: k.proof, Cede: k.cede, Log: slog.New(slog.NewTextHandler(&k.log, nil)),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		k.stop()
		if s.t.Failed() {
			s.t.Logf("the log of %s:\n%s", c.Pod, k.log.String())
		}
	})
	return k
}

func (s *stage) client(kubeconfig string) *kube.Client {
	s.t.Helper()
	access, err := kube.FromKubeconfig(kubeconfig, "")
	if err != nil {
		s.t.Fatal(err)
	}
	client, err := kube.New(access)
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

func (k *candidate) proof(ctx context.Context, _ elector.Term) error {
	k.mu.Lock()
	k.confirms++
	confirm := k.confirm
	k.mu.Unlock()
	if confirm == nil {
		return nil
	}
	return confirm()
}

func (k *candidate) cede(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cedes++
	return errors.New("nobody accepts")
}

func (k *candidate) count() (confirms, cedes int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.confirms, k.cedes
}

func (k *candidate) lead(term elector.Term) {
	k.s.t.Helper()
	if err := k.Lead(context.Background(), term); err != nil {
		k.s.t.Fatal(err)
	}
}

// wrote waits until the candidate knows that the slice is as it wrote it.
func (k *candidate) wrote(address string, term elector.Term) object {
	k.s.t.Helper()
	o := k.s.shows(address, term)
	eventually(k.s.t, "the candidate knowing its own write", func() bool {
		v := k.Routing().Slices
		return len(v) == 1 && v[0].Mine && v[0].Term == term.String()
	})
	return o
}

func (k *candidate) stop() {
	k.s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := k.Stop(ctx, elector.ReasonStopping); err != nil {
		k.s.t.Error(err)
	}
}

// eventually asks again and again until the answer is yes.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never came: %s", what)
		}
	}
}

// shows waits until the IPv4 slice holds exactly this address, of this term.
func (s *stage) shows(address string, term elector.Term) object {
	s.t.Helper()
	var o object
	eventually(s.t, fmt.Sprintf("%s of term %v in the slice", address, term), func() bool {
		o, _ = s.read(ipv4)
		return o.addresses() == address && o.term() == term.String()
	})
	return o
}

// complains waits until the candidate's status says all of this.
func (k *candidate) complains(words ...string) {
	k.s.t.Helper()
	eventually(k.s.t, fmt.Sprintf("a status that says %q", words), func() bool {
		told := k.Routing().LastError
		for _, w := range words {
			if !strings.Contains(told, w) {
				return false
			}
		}
		return true
	})
}

func (k *candidate) content() {
	k.s.t.Helper()
	eventually(k.s.t, "a status without a fault", func() bool { return k.Routing().LastError == "" })
}
