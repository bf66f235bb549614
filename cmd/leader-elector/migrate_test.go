package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/page"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// migration is a Deployment whose controller and kubelets are the test: its pods
// are processes with the arguments that the Deployment's template has now.
type migration struct {
	t          *testing.T
	p          *testplane.Plane
	ns         string
	kubeconfig string
	kubectl    string
	rolled     int // the generation that the pods have
	born       int

	mu   sync.Mutex
	pods []*process
}

const migrated = "music"

// TestTheCommandsOfTheGuideMoveAnElection types the commands of
// docs/migrating-from-0.5.md, with other names in the first of them.
func TestTheCommandsOfTheGuideMoveAnElection(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	m := &migration{t: t, p: p, ns: p.Namespace(t), kubectl: realKubectl(t, p)}
	// The account has what 0.5 has: the Endpoints alone.
	m.kubeconfig = p.Join(t, testplane.Candidate{Namespace: m.ns, Pod: migrated, Election: migrated, Lock: "endpoints"}).Kubeconfig
	m.deploy()
	m.roll()
	m.judge()
	m.someoneLeads("by the Endpoints")

	var blocks []page.Command
	all, err := page.Read(filepath.Join("..", "..", "docs", "migrating-from-0.5.md"))
	for _, b := range all {
		blocks = append(blocks, b.Commands()...)
	}
	if err != nil || len(blocks) != 6 || !strings.HasPrefix(blocks[0].Text, "election=example") {
		t.Fatalf("the guide has these blocks of commands (%v): %+v", err, blocks)
	}
	names := fmt.Sprintf("election=%[1]s lock_namespace=%[2]s deployment=%[1]s namespace=%[2]s account=%[1]s container=leader-elector image=new", migrated, m.ns)
	var said []string
	for _, block := range blocks[1:] {
		said = append(said, m.run(names+"\n"+block.Text))
		m.someoneLeads("after\n" + block.Text)
	}
	holders := strings.Split(strings.TrimSpace(said[2]), "\n")
	if len(holders) != 2 || !strings.Contains(holders[1], fmt.Sprintf(`"holderIdentity":%q`, holders[0])) {
		t.Errorf("after the first roll the locks say %q, want one name", holders)
	}
	for _, k := range m.running() {
		if s := k.status(t); !s.Ready || s.LastError != "" {
			t.Errorf("%s: ready %v, %s", k.name, s.Ready, s.LastError)
		}
	}
	if code, _ := p.Do(t, http.MethodGet, "/api/v1/namespaces/"+m.ns+"/endpoints/"+migrated, nil); code != http.StatusNotFound {
		t.Errorf("the old lock is still there: %d", code)
	}
}

func realKubectl(t *testing.T, p *testplane.Plane) string {
	t.Helper()
	path := filepath.Join(p.Programs, "kubectl")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	dir := filepath.Join("..", "..", "test", "controlplane")
	if out, err := exec.Command("go", "run", "-C", dir, "./cmd/controlplane", "build", "kubectl").CombinedOutput(); err != nil {
		t.Fatalf("building kubectl: %v\n%s", err, out)
	}
	return path
}

// deploy makes the Deployment as it is before the guide.
func (m *migration) deploy() {
	labels := map[string]any{"app": migrated}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"name": migrated},
		"spec": map[string]any{
			"replicas": 2, "selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{"metadata": map[string]any{"labels": labels}, "spec": map[string]any{"containers": []any{
				map[string]any{"name": "app", "image": "app"},
				map[string]any{"name": "leader-elector", "image": "old", "args": []string{"--election=" + migrated, "--election-namespace=" + m.ns, "--lock=endpoints", "--http=0.0.0.0:4040"}},
			}}},
		},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	if code, answer := m.p.Do(m.t, http.MethodPost, m.path(""), body); code != http.StatusCreated {
		m.t.Fatalf("%d %s", code, answer)
	}
}

func (m *migration) path(rest string) string {
	return "/apis/apps/v1/namespaces/" + m.ns + "/deployments" + rest
}

// run types commands into a shell, and is the controller until they end.
func (m *migration) run(commands string) string {
	m.t.Helper()
	cmd := exec.Command("bash", "-c", "set -e\n"+commands)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(m.kubectl)+":"+os.Getenv("PATH"), "KUBECONFIG="+m.p.Kubeconfig)
	var out, complaints logBuffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				m.t.Fatalf("%s\n%v\n%s%s", commands, err, out.String(), complaints.String())
			}
			return out.String()
		case <-tick.C:
			m.roll()
		}
	}
}

// roll replaces the pods one by one if the template has changed.
func (m *migration) roll() {
	m.t.Helper()
	code, body := m.p.Do(m.t, http.MethodGet, m.path("/"+migrated), nil)
	var d struct {
		Metadata struct{ Generation int }
		Spec     struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Name string
						Args []string
					}
				}
			}
		}
	}
	if code != http.StatusOK || json.Unmarshal(body, &d) != nil {
		m.t.Fatalf("%d %s", code, body)
	}
	if d.Metadata.Generation == m.rolled {
		return
	}
	m.rolled = d.Metadata.Generation
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.Name == "leader-elector" {
			for range 2 {
				m.replace(c.Args)
			}
		}
	}
	status := fmt.Sprintf(`{"status":{"observedGeneration":%d,"replicas":2,"updatedReplicas":2,"readyReplicas":2,"availableReplicas":2}}`, m.rolled)
	if code, body := m.p.Do(m.t, http.MethodPatch, m.path("/"+migrated+"/status"), []byte(status)); code != http.StatusOK {
		m.t.Fatalf("%d %s", code, body)
	}
}

// replace starts a pod, and when it is ready ends the oldest of more than two.
func (m *migration) replace(args []string) {
	m.t.Helper()
	m.born++
	name := fmt.Sprintf("%s-%d", migrated, m.born)
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "--http=") })
	k := execute(m.t, testplane.Candidate{Pod: name, Election: migrated}, nil, append(args, "--id="+name, "--kubeconfig="+m.kubeconfig))
	eventually(m.t, name+" being ready", func() bool { code, _ := k.get("/readyz"); return code == http.StatusOK })
	m.mu.Lock()
	m.pods = append(m.pods, k)
	var old *process
	if len(m.pods) > 2 {
		old = m.pods[0]
	}
	m.mu.Unlock()
	if old == nil {
		return
	}
	old.cmd.Process.Signal(syscall.SIGTERM)
	<-old.exited
	m.mu.Lock()
	m.pods = m.pods[1:]
	m.mu.Unlock()
}

func (m *migration) running() []*process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.pods)
}

func (m *migration) someoneLeads(when string) {
	m.t.Helper()
	eventually(m.t, "a leader "+when, func() bool { return slices.ContainsFunc(m.running(), (*process).leads) })
}

// judge asks all pods, again and again, until the test ends. A lead that moved
// between two questions is no overlap, so the first is asked again.
func (m *migration) judge() {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			var leader *process
			for _, k := range m.running() {
				if !k.leads() {
					continue
				}
				if leader != nil && leader.leads() && k.leads() && leader.leads() {
					m.t.Errorf("%s and %s lead at once", leader.name, k.name)
					return
				}
				leader = k
			}
		}
	}()
	m.t.Cleanup(func() { close(stop); <-done })
}
