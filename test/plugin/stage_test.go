package plugin_test

import (
	"bytes"
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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// object is one of the API.
type object = map[string]any

func program(name string) string { return filepath.Join(os.Getenv(inside), name) }

// text collects what a process says.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// stage is one election, "music", in a namespace of its own.
type stage struct {
	t     *testing.T
	plane *testplane.Plane
	ns    string
	port  int // of its sidecars; the addresses are those of all stages
}

// ports keeps the stages of parallel tests apart.
var ports = make(chan int, 1)

func init() { ports <- 4040 }

func newStage(t *testing.T) *stage {
	t.Helper()
	p := testplane.Get(t)
	port := <-ports
	ports <- port + 1
	return &stage{t: t, plane: p, ns: p.Namespace(t), port: port}
}

// must sends a request as the administrator.
func (s *stage) must(method, path string, body any) []byte {
	s.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	if body == nil {
		data = nil
	}
	code, answer := s.plane.Do(s.t, method, path, data)
	if code >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, code, answer)
	}
	return answer
}

func (s *stage) core(path string) string { return "/api/v1/namespaces/" + s.ns + path }

func (s *stage) lease() string {
	return "/apis/coordination.k8s.io/v1/namespaces/" + s.ns + "/leases/music"
}

// pod is a candidate: a pod object, and the real sidecar at its address.
type pod struct {
	*stage
	name, address string
	cmd           *exec.Cmd
	log           *text
	ended         chan struct{}
}

// sidecar makes the pod n and starts its sidecar with the flags, which the pod
// object says as well.
func (s *stage) sidecar(n int, name string, flags ...string) *pod {
	s.t.Helper()
	k := s.object(n, name, flags...)
	k.start(flags...)
	return k
}

// object makes the pod as the kubelet would show it.
func (s *stage) object(n int, name string, flags ...string) *pod {
	s.t.Helper()
	k := &pod{stage: s, name: name, address: podAddress(n)}
	args := append([]string{"--election=music", "--ttl=4s", fmt.Sprintf("--http=:%d", s.port)}, flags...)
	s.must(http.MethodPost, s.core("/serviceaccounts"), object{"metadata": object{"name": name}})
	s.must(http.MethodPost, s.core("/pods"), object{
		"metadata": object{"name": name, "labels": object{"app": "music", "leader-elector.io/election": "music"}},
		"spec": object{
			"serviceAccountName": name, "automountServiceAccountToken": false,
			"initContainers": []object{{"name": "leader-elector", "image": "leader-elector:dev", "restartPolicy": "Always", "args": args}},
			"containers":     []object{{"name": "app", "image": "app"}},
		},
	})
	s.must(http.MethodPatch, s.core("/pods/"+name+"/status"), object{"status": object{
		"phase": "Running", "podIP": k.address, "podIPs": []object{{"ip": k.address}},
		"conditions": []object{{"type": "Ready", "status": "True"}},
	}})
	return k
}

// start starts the sidecar as a container of the pod would.
func (k *pod) start(flags ...string) {
	t := k.t
	t.Helper()
	creds := k.plane.Join(t, testplane.Candidate{Namespace: k.ns, Pod: k.name, Election: "music", Service: "music"})
	server, err := url.Parse(creds.Server)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("%s:%d", k.address, k.port)
	args := append([]string{"--election=music", "--ttl=4s", "--http=" + address, "--pod-ip=" + k.address}, flags...)
	if !strings.Contains(strings.Join(flags, " "), "--route") {
		args = append(args[:3:3], flags...)
	}
	k.cmd, k.log, k.ended = exec.Command(program("leader-elector"), args...), &text{}, make(chan struct{})
	k.cmd.Env = append(os.Environ(), "LEADER_ELECTOR_POD_ROOT="+root(t, k.ns, creds),
		"KUBERNETES_SERVICE_HOST="+server.Hostname(), "KUBERNETES_SERVICE_PORT="+server.Port())
	k.cmd.Stderr = k.log
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(k.ended); k.cmd.Wait() }()
	t.Cleanup(func() {
		k.cmd.Process.Signal(syscall.SIGCONT)
		k.cmd.Process.Kill()
		<-k.ended
		if t.Failed() {
			t.Logf("the log of %s:\n%s", k.name, k.log)
		}
	})
	eventually(t, k.name+" answering", func() bool { return k.get("/status") != "" })
}

// root is a folder that stands for the pod's /, with what the kubelet mounts for
// its service account.
func root(t *testing.T, ns string, creds testplane.Credentials) string {
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
	for name, data := range map[string][]byte{"token": []byte(creds.Token), "ca.crt": ca, "namespace": []byte(ns)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// stop ends the sidecar, and with it the pod's candidate.
func (k *pod) stop(sig os.Signal) {
	k.t.Helper()
	k.cmd.Process.Signal(sig)
	<-k.ended
}

var quick = &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DialContext: (&net.Dialer{}).DialContext}}

// get asks the sidecar itself, and not through the API server.
func (k *pod) get(path string) string {
	resp, err := quick.Get(fmt.Sprintf("http://%s:%d%s", k.address, k.port, path))
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

func (k *pod) leads() bool { return k.get("/leader") != "" }

// standsBy says whether it could take over and knows who leads.
func (k *pod) standsBy(leader string) bool {
	return k.get("/standby") != "" && k.get("/") == fmt.Sprintf(`{"name":%q}`, leader)
}

// pair is a leader a and a standby b that knows it.
func (s *stage) pair(flags ...string) (a, b *pod) {
	s.t.Helper()
	a = s.sidecar(1, "a", append(flags, "--new-lock=immediate")...)
	eventually(s.t, "a leading", a.leads)
	b = s.sidecar(2, "b", flags...)
	eventually(s.t, "b standing by", func() bool { return b.standsBy("a") })
	return a, b
}

// eventually asks again and again until the answer is yes.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
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

// said is what a run of the plugin said.
type said struct {
	code     int
	out, err string
}

func (s said) String() string { return fmt.Sprintf("code %d\n%s%s", s.code, s.out, s.err) }

// plugin runs the plugin as the administrator, in the stage's namespace.
func (s *stage) plugin(args ...string) said {
	s.t.Helper()
	return run(s.t, s.plane.Kubeconfig, append(args, "--namespace="+s.ns)...)
}

// run runs the plugin with a kubeconfig.
func run(t *testing.T, kubeconfig string, args ...string) said {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program("kubectl-leader"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return said{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// wants demands a code, and texts in what was said.
func (s said) wants(t *testing.T, code int, texts ...string) said {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(s.out+s.err, text) {
			t.Errorf("it does not say %q:\n%v", text, s)
			return s
		}
	}
	if s.code != code {
		t.Errorf("the code is not %d:\n%v", code, s)
	}
	return s
}

// into decodes what was printed as JSON.
func (s said) into(t *testing.T, value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.out), value); err != nil {
		t.Fatalf("%v: %v", err, s)
	}
}
