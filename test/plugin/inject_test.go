package plugin_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// radio is a Deployment and a Service as they are before.
const radio = `apiVersion: apps/v1
kind: Deployment
metadata: {name: music}
spec:
  replicas: 2
  selector: {matchLabels: {app: music}}
  template:
    metadata: {labels: {app: music}}
    spec:
      containers:
      - name: nginx
        image: nginx
        ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: music}
spec:
  selector: {app: music}
  ports: [{port: 80, targetPort: http}]
`

func (s *stage) file(text string) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "in.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// apply is `kubectl apply -f -`.
func (s *stage) apply(manifests string) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.plane.Programs, "kubectl"), "apply", "--namespace="+s.ns, "-f", "-")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.plane.Kubeconfig, "HOME="+s.t.TempDir())
	cmd.Stdin = strings.NewReader(manifests)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("kubectl apply: %v\n%s\nof:\n%s", err, out, manifests)
	}
}

func (s *stage) slices(path string) string {
	return "/apis/discovery.k8s.io/v1/namespaces/" + s.ns + "/endpointslices" + path
}

// addresses are all of the Service, as the server has them.
func (s *stage) addresses() (all []string) {
	s.t.Helper()
	var list struct {
		Items []struct {
			Endpoints []struct{ Addresses []string }
		}
	}
	if err := json.Unmarshal(s.must(http.MethodGet, s.slices("?labelSelector=kubernetes.io/service-name=music"), nil), &list); err != nil {
		s.t.Fatal(err)
	}
	for _, i := range list.Items {
		for _, e := range i.Endpoints {
			all = append(all, e.Addresses...)
		}
	}
	return all
}

// TestALivingServiceIsMovedByOneApply: what kubectl makes of the output is one
// address, which the first leader replaces by its own.
func TestALivingServiceIsMovedByOneApply(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.object(3, "old-a")
	s.object(4, "old-b")
	// As `kubectl create` leaves it: nothing says what was applied before.
	s.must(http.MethodPost, s.core("/services"), object{"metadata": object{"name": "music"}, "spec": object{"selector": object{"app": "music"}, "ports": []object{{"port": 80, "targetPort": "http"}}}})
	ends := []object{}
	for i, name := range []string{"old-a", "old-b"} {
		ends = append(ends, object{"addresses": []string{podAddress(3 + i)}, "conditions": object{"ready": true}, "targetRef": object{"kind": "Pod", "namespace": s.ns, "name": name}})
	}
	s.must(http.MethodPost, s.slices(""), object{"metadata": object{"name": "music-x7k2p", "labels": object{"kubernetes.io/service-name": "music", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
		"addressType": "IPv4", "endpoints": ends, "ports": []object{{"port": 8080}}})
	s.must(http.MethodPost, s.core("/endpoints"), object{"metadata": object{"name": "music", "labels": object{"endpoints.kubernetes.io/managed-by": "endpoint-controller"}},
		"subsets": []object{{"addresses": []object{{"ip": podAddress(3)}, {"ip": podAddress(4)}}, "ports": []object{{"port": 8080}}}}})

	done := s.plugin("inject", "-f", s.file(radio)).wants(t, 0, "until the first leader is elected")
	s.apply(done.out)
	if all := s.addresses(); len(all) != 1 || all[0] != podAddress(3) && all[0] != podAddress(4) {
		t.Fatalf("the Service leads to %q", all)
	}
	var svc struct {
		Spec struct{ Selector map[string]string }
	}
	if err := json.Unmarshal(s.must(http.MethodGet, s.core("/services/music"), nil), &svc); err != nil || len(svc.Spec.Selector) > 0 {
		t.Errorf("the Service selects %v (%v)", svc.Spec.Selector, err)
	}
	if ends := s.must(http.MethodGet, s.core("/endpoints/music"), nil); bytes.Contains(ends, []byte(podAddress(3))) || !bytes.Contains(ends, []byte(`"endpointslice.kubernetes.io/skip-mirror":"true"`)) {
		t.Errorf("the Endpoints are %s", ends)
	}
	if again := s.plugin("inject", "-f", s.file(radio)).wants(t, 0); strings.Contains(again.out, "kind: EndpointSlice") || strings.Contains(again.out, "kind: Endpoints") {
		t.Errorf("once it is moved, it is moved again:\n%s", again.out)
	}
	// A controller that lagged behind fills it again, and the same command mends it.
	s.must(http.MethodPatch, s.core("/endpoints/music"), object{"metadata": object{"labels": object{"endpoints.kubernetes.io/managed-by": "endpoint-controller", "endpointslice.kubernetes.io/skip-mirror": nil}},
		"subsets": []object{{"addresses": []object{{"ip": podAddress(3)}, {"ip": podAddress(4)}}}}})
	s.must(http.MethodPost, s.slices(""), object{"metadata": object{"name": "music-late", "labels": object{"kubernetes.io/service-name": "music", "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io"}},
		"addressType": "IPv4", "endpoints": ends})
	s.apply(s.plugin("inject", "-f", s.file(radio)).wants(t, 0, "what that leaves behind is emptied").out)
	if all := s.addresses(); len(all) != 1 {
		t.Errorf("mended, the Service leads to %q", all)
	}
	a := s.sidecar(1, "a", "--route=endpointslice", "--service=music")
	eventually(t, "the leader's address, and no other", func() bool { all := s.addresses(); return len(all) == 1 && all[0] == a.address })
}

func TestWhatTheServerRefusesIsNotPrinted(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	if done := s.plugin("inject", "--dry-run=server", "-f", s.file(radio)).wants(t, 0, "deployments.apps/music: taken", "services/music: taken", "roles.rbac.authorization.k8s.io/leader-elector-music-endpointslice: taken"); !strings.Contains(done.out, "--election=music") {
		t.Errorf("it is not printed: %v", done)
	}
	bad := strings.Replace(radio, "containerPort: 8080", "containerPort: 80800", 1)
	if done := s.plugin("inject", "--dry-run=server", "-f", s.file(bad)).wants(t, 1, "deployments.apps/music: refused", "80800", "services/music: "); done.out != "" {
		t.Errorf("it is printed: %v", done)
	}
	odd := strings.Replace(radio, "replicas: 2", "replicants: 2", 1)
	s.plugin("inject", "--dry-run=server", "-f", s.file(odd)).wants(t, 1, "replicants")
}

func TestAClusterThatDoesNotAnswerIsANoteAndNoFault(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	done := run(t, s.file(`{"apiVersion":"v1","kind":"Config","current-context":"x","contexts":[{"name":"x","context":{"cluster":"x","namespace":"tv"}}],"clusters":[{"name":"x","cluster":{"server":"https://127.0.0.1:1"}}]}`), "inject", "-f", s.file(radio)).
		wants(t, 0, "the cluster was not looked at", "kubectl -n tv delete endpoints music")
	if local := run(t, "/nowhere", "inject", "--local", "--namespace=tv", "-f", s.file(radio)).wants(t, 0); local.out != done.out || strings.Contains(local.err, "looked at") {
		t.Errorf("--local: %v", local)
	}
	run(t, "/nowhere", "inject", "--local").wants(t, 2, "-f FILE is missing")
	run(t, "/nowhere", "inject", "--local", "-f", "/nowhere").wants(t, 1, "/nowhere")
	run(t, "/nowhere", "inject", "--local", "-f", s.file(radio), "--route=dns").wants(t, 2, `--route="dns"`)
}

// TestAServiceWhoseAddressesAreStillBeingWrittenIsWaitedFor: a controller that has
// something to write would write it after the selector is gone.
func TestAServiceWhoseAddressesAreStillBeingWrittenIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.object(3, "old-a")
	s.object(4, "old-b")
	s.must(http.MethodPost, s.core("/services"), object{"metadata": object{"name": "music"}, "spec": object{"selector": object{"app": "music"}, "ports": []object{{"port": 80, "targetPort": 8080}}}})
	address := func(i int, name string) object {
		return object{"addresses": []string{podAddress(i)}, "conditions": object{"ready": true}, "targetRef": object{"kind": "Pod", "namespace": s.ns, "name": name}}
	}
	slice := object{"metadata": object{"name": "music-x7k2p", "labels": object{"kubernetes.io/service-name": "music", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
		"addressType": "IPv4", "endpoints": []object{address(3, "old-a")}, "ports": []object{{"port": 8080}}}
	s.must(http.MethodPost, s.slices(""), slice)

	cmd := exec.Command(program("kubectl-leader"), "inject", "-f", s.file(radio), "--namespace="+s.ns)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.plane.Kubeconfig, "HOME="+t.TempDir())
	var out bytes.Buffer
	cmd.Stdout = &out
	errs, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(errs)
	if !lines.Scan() || !strings.Contains(lines.Text(), "old-b is not ready") || strings.Contains(lines.Text(), "old-a") {
		t.Fatalf("it says %q first", lines.Text())
	}
	slice["endpoints"] = []object{address(3, "old-a"), address(4, "old-b")}
	s.must(http.MethodPatch, s.slices("/music-x7k2p"), slice)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "still") {
			t.Error(lines.Text())
		}
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "music-x7k2p") {
		t.Errorf("%v: it prints\n%s", err, out.String())
	}
}
