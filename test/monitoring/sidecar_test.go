package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// built is the sidecar's program, built once, as it is shipped.
var built struct {
	once sync.Once
	path string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.path != "" {
		os.RemoveAll(filepath.Dir(built.path))
	}
	os.Exit(code)
}

func program(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "leader-elector-monitoring-")
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(dir, "leader-elector")
		build := exec.Command("go", "build", "-C", filepath.Join("..", ".."), "-trimpath", "-ldflags", "-s -w", "-o", built.path, "./cmd/leader-elector")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := build.CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// sidecar is a real one, with a pod object whose address and port are its own.
type sidecar struct {
	t      *testing.T
	p      *testplane.Plane
	ns     string
	name   string
	url    string
	cmd    *exec.Cmd
	log    *lines
	exited chan struct{}
}

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

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start makes the pod and runs the sidecar. The API server knows the pod as the
// kubelet would tell it: running, with an address, and the sidecar as a native one.
func start(t *testing.T, p *testplane.Plane, c testplane.Candidate, args ...string) *sidecar {
	t.Helper()
	port := freePort(t)
	pods := "/api/v1/namespaces/" + c.Namespace + "/pods"
	s := &sidecar{t: t, p: p, ns: c.Namespace, name: c.Pod, url: "http://127.0.0.1:" + strconv.Itoa(port), log: &lines{}, exited: make(chan struct{})}
	p.Join(t, c) // the account first; its pod is made anew below
	s.do(http.MethodDelete, pods+"/"+c.Pod+"?gracePeriodSeconds=0", nil)
	s.do(http.MethodPost, pods, map[string]any{
		"metadata": map[string]any{"name": c.Pod, "labels": map[string]string{"leader-elector.io/election": c.Election}},
		"spec": map[string]any{
			"serviceAccountName": c.Pod, "automountServiceAccountToken": false,
			"initContainers": []any{map[string]any{
				"name": "leader-elector", "image": "leader-elector", "restartPolicy": "Always",
				"ports": []any{map[string]any{"name": "election", "containerPort": port}},
			}},
			"containers": []any{map[string]any{"name": "app", "image": "app", "ports": []any{map[string]any{"name": "http", "containerPort": 8080}}}},
		},
	})
	s.do(http.MethodPatch, pods+"/"+c.Pod+"/status", map[string]any{"status": map[string]any{
		"phase": "Running", "podIP": "127.0.0.1", "podIPs": []any{map[string]string{"ip": "127.0.0.1"}},
	}})
	args = append([]string{"--election=" + c.Election, "--http=127.0.0.1:" + strconv.Itoa(port)}, args...)
	s.cmd = exec.Command(program(t), args...)
	s.cmd.Env = append(os.Environ(), inPod(t, p.Join(t, c), c.Namespace)...) // with a token bound to this pod
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(s.exited); s.cmd.Wait() }()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.exited
		if t.Failed() {
			t.Logf("the log of %s:\n%s", s.name, s.log)
		}
	})
	s.until("answering", func() bool { _, err := s.get("/metrics"); return err == nil })
	return s
}

// inPod is the environment in which a program finds its account as in a pod.
func inPod(t *testing.T, creds testplane.Credentials, namespace string) (env []string) {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "var/run/secrets/kubernetes.io/serviceaccount")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(creds.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"token": []byte(creds.Token), "ca.crt": ca, "namespace": []byte(namespace)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server, err := url.Parse(creds.Server)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"LEADER_ELECTOR_POD_ROOT=" + root, "KUBERNETES_SERVICE_HOST=" + server.Hostname(), "KUBERNETES_SERVICE_PORT=" + server.Port()}
}

// end is what becomes of a pod that is deleted: SIGTERM, and then it is gone.
func (s *sidecar) end() {
	s.t.Helper()
	s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.exited
	s.do(http.MethodDelete, "/api/v1/namespaces/"+s.ns+"/pods/"+s.name+"?gracePeriodSeconds=0", nil)
}

func (s *sidecar) do(method, path string, body any) {
	s.t.Helper()
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			s.t.Fatal(err)
		}
	}
	if code, answer := s.p.Do(s.t, method, path, data); code >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, code, answer)
	}
}

var client = &http.Client{Timeout: 5 * time.Second}

func (s *sidecar) get(path string) (string, error) {
	resp, err := client.Get(s.url + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %s", resp.StatusCode, body)
	}
	return string(body), err
}

func (s *sidecar) leads() bool    { _, err := s.get("/leader"); return err == nil }
func (s *sidecar) standsBy() bool { _, err := s.get("/standby"); return err == nil }

// until waits for something to be so.
func (s *sidecar) until(what string, yes func() bool) {
	s.t.Helper()
	await(s.t, 2*time.Minute, s.name+" "+what, yes)
}

// aMinute is what a busy machine may take for what is done at once.
const aMinute = time.Minute

func await(t *testing.T, within time.Duration, what string, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never came: %s", what)
		}
	}
}
