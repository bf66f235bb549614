package doctor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/doctor"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// stage is an installation on a real API server: a namespace with a candidate's
// pod "a", its account, and a Role that the test may change.
type stage struct {
	t     *testing.T
	plane *testplane.Plane
	ns    string
	creds testplane.Credentials
	cfg   doctor.Config
	rules []map[string]any
}

type object = map[string]any

// newStage gives the account what the shipped Roles grant for a route.
func newStage(t *testing.T, route string) *stage {
	t.Helper()
	p := testplane.Get(t)
	s := &stage{t: t, plane: p, ns: p.Namespace(t)}
	s.creds = p.Join(t, testplane.Candidate{Namespace: s.ns, Pod: "a", Election: "music"})
	access, err := kube.FromKubeconfig(s.creds.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	access.TokenFile = s.creds.TokenFile // as in a pod
	s.cfg = doctor.Config{
		Source: "the test", Access: access, Election: "music", Namespace: s.ns, ID: "a", Lock: "leases",
		TTL: 10 * time.Second, Route: route, Version: "v1", Timeout: 20 * time.Second,
	}
	s.rules = []map[string]any{
		rule("coordination.k8s.io", "leases", "music", "get", "list", "watch", "update"),
		rule("coordination.k8s.io", "leases", "", "create"),
	}
	switch route {
	case "events":
		s.cfg.Route, s.cfg.Events = "none", true
		s.rules = append(s.rules, rule("", "events", "", "create", "patch"))
	case "endpointslice":
		s.cfg.Service, s.cfg.PodIPs = "radio", []string{"10.1.2.3", "fd00::3"}
		s.rules = append(s.rules,
			rule("discovery.k8s.io", "endpointslices", "radio-leader-ipv4 radio-leader-ipv6", "get", "watch", "update"),
			rule("discovery.k8s.io", "endpointslices", "", "create", "list"),
			rule("", "services", "radio", "get"))
	case "label":
		s.cfg.Service = "radio"
		s.rules = append(s.rules, rule("", "pods", "", "list", "watch", "patch"), rule("", "services", "radio", "get"))
	}
	s.grant()
	return s
}

func rule(group, resource, names string, verbs ...string) map[string]any {
	r := map[string]any{"apiGroups": []string{group}, "resources": []string{resource}, "verbs": verbs}
	if names != "" {
		r["resourceNames"] = strings.Fields(names)
	}
	return r
}

// grant makes the Role what s.rules say.
func (s *stage) grant() {
	s.t.Helper()
	s.do(http.MethodPut, "/apis/rbac.authorization.k8s.io/v1/namespaces/%/roles/a-music", object{"metadata": object{"name": "a-music"}, "rules": s.rules})
}

// do is one request of the administrator; % is the namespace.
func (s *stage) do(method, path string, body any) []byte {
	s.t.Helper()
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			s.t.Fatal(err)
		}
	}
	code, answer := s.plane.Do(s.t, method, strings.ReplaceAll(path, "%", s.ns), data)
	if code >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, code, answer)
	}
	return answer
}

// service makes the Service radio, or changes it.
func (s *stage) service(spec object) {
	s.t.Helper()
	if spec["ports"] == nil {
		spec["ports"] = []object{{"port": 80, "targetPort": 8080}}
	}
	s.do(http.MethodPost, "/api/v1/namespaces/%/services", object{"metadata": object{"name": "radio"}, "spec": spec})
}

// slice makes an EndpointSlice of the Service radio.
func (s *stage) slice(name, manager string, notes object, addresses ...string) {
	s.t.Helper()
	endpoints := []object{}
	if len(addresses) > 0 {
		endpoints = append(endpoints, object{"addresses": addresses})
	}
	s.do(http.MethodPost, "/apis/discovery.k8s.io/v1/namespaces/%/endpointslices", object{
		"metadata": object{"name": name, "annotations": notes,
			"labels":          object{"kubernetes.io/service-name": "radio", "endpointslice.kubernetes.io/managed-by": manager},
			"ownerReferences": []object{{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": s.creds.PodUID}}},
		"addressType": "IPv4", "endpoints": endpoints, "ports": []object{{"port": 8080}},
	})
}

// lease writes the lock as a foreign candidate does.
func (s *stage) lease(holder string, ttl int, renewed time.Time) {
	s.t.Helper()
	s.do(http.MethodPost, "/apis/coordination.k8s.io/v1/namespaces/%/leases", object{
		"metadata": object{"name": "music"},
		"spec":     object{"holderIdentity": holder, "leaseDurationSeconds": ttl, "renewTime": renewed.UTC().Format("2006-01-02T15:04:05.000000Z")},
	})
}

// lead runs a real candidate of a name until the test ends or stop is called,
// and returns once it leads.
func (s *stage) lead(id, podUID string, ttl time.Duration) (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	e, err := elector.New(elector.Config{Election: "music", Namespace: s.ns, ID: id, PodUID: podUID, NewLock: "immediate", TTL: ttl,
		Server: s.cfg.Access.Server, NewClient: s.cfg.Access.NewClient})
	if err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	s.t.Cleanup(stop)
	wait, end := context.WithTimeout(ctx, 30*time.Second)
	defer end()
	for status := range e.Changes(wait) {
		if status.IsLeader {
			return stop
		}
	}
	s.t.Fatalf("%s never led: %+v", id, e.Status())
	return nil
}

// look runs the doctor once.
func (s *stage) look() *doctor.Report {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 60*time.Second)
	defer cancel()
	return doctor.Run(ctx, s.cfg)
}

// until runs the doctor until its report is as wanted: the API server's view of
// Roles follows their writes a moment later.
func (s *stage) until(what string, is func(*doctor.Report) bool) *doctor.Report {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		r := s.look()
		if is(r) {
			return r
		}
		if time.Now().After(end) {
			s.t.Fatalf("the doctor never said %s:\n%s", what, text(s.t, r))
		}
	}
}

// finding waits for a finding of a level whose text contains all words.
func (s *stage) finding(level doctor.Level, words ...string) doctor.Finding {
	s.t.Helper()
	var found doctor.Finding
	s.until(fmt.Sprint(level, words), func(r *doctor.Report) bool {
		f, ok := find(r, level, words...)
		found = f
		return ok
	})
	if level != doctor.OK && found.Mend == "" {
		s.t.Errorf("no mend: %+v", found)
	}
	return found
}

// gone waits until there is no such finding any more.
func (s *stage) gone(level doctor.Level, words ...string) {
	s.t.Helper()
	s.until(fmt.Sprint("nothing of ", words), func(r *doctor.Report) bool { _, ok := find(r, level, words...); return !ok })
}

func find(r *doctor.Report, level doctor.Level, words ...string) (doctor.Finding, bool) {
next:
	for _, f := range r.Findings {
		if f.Level != level {
			continue
		}
		for _, w := range words {
			if !strings.Contains(f.Text, w) {
				continue next
			}
		}
		return f, true
	}
	return doctor.Finding{}, false
}

// add puts the rules of a mend into the Role, as an operator would.
func (s *stage) add(rules ...string) {
	s.t.Helper()
	if len(rules) == 0 {
		s.t.Fatal("the mend names no rule")
	}
	for _, text := range rules {
		var r map[string]any
		if err := yaml.Unmarshal([]byte(text), &r); err != nil {
			s.t.Fatalf("the rule %s is no YAML: %v", text, err)
		}
		s.rules = append(s.rules, r)
	}
	s.grant()
}

// obey types the commands of a mend into a shell that has the real kubectl.
func (s *stage) obey(f doctor.Finding) {
	s.t.Helper()
	if len(f.Commands) == 0 {
		s.t.Fatalf("the mend has no command: %+v", f)
	}
	for _, command := range f.Commands {
		cmd := exec.Command("sh", "-c", command)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(kubectl(s.t, s.plane))+":"+os.Getenv("PATH"), "KUBECONFIG="+s.plane.Kubeconfig)
		if out, err := cmd.CombinedOutput(); err != nil {
			s.t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
}

var building sync.Mutex

// kubectl is the real one, built if it is not there yet.
func kubectl(t *testing.T, p *testplane.Plane) string {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	path := filepath.Join(p.Programs, "kubectl")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(file), "..", "..", "test", "controlplane")
	if out, err := exec.Command("go", "run", "-C", dir, "./cmd/controlplane", "build", "kubectl").CombinedOutput(); err != nil {
		t.Fatalf("building kubectl: %v\n%s", err, out)
	}
	return path
}

// text is the report as people see it.
func text(t *testing.T, r *doctor.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
