package inject_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/leader-elector/leader-elector/kubectl-leader/inject"
)

// What is injected is what deploy/ ships; both are read here as they are.
const deploy = "../../deploy"

// shipped reads the objects of a file of deploy/, with other names in it.
func shipped(t *testing.T, file string, names ...string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(deploy, file))
	if err != nil {
		t.Fatal(err)
	}
	return meaning(t, strings.NewReplacer(names...).Replace(string(data)))
}

func TestTheRightsAreThoseThatAreShipped(t *testing.T) {
	for lock, file := range map[string]string{"leases": "role.yaml", "endpoints": "role-endpoints.yaml", "endpoints+leases": "role-endpoints-leases.yaml"} {
		o := options
		o.Lock, o.Election = lock, "music"
		out := meaning(t, string(run(t, nginx, o).Output))
		want := shipped(t, "base/"+file, "example", "music")["Role/leader-elector"]
		if is := out["Role/leader-elector-music"]; !reflect.DeepEqual(value(is, "rules"), value(want, "rules")) {
			t.Errorf("--lock=%s: the rules are\n%v\nand deploy/base/%s has\n%v", lock, value(is, "rules"), file, value(want, "rules"))
		}
	}
	for _, route := range []string{inject.EndpointSlice, inject.Label} {
		o := options
		o.Route = route
		out := meaning(t, string(run(t, nginx, o).Output))
		want := shipped(t, "components/"+route+"/role.yaml", "example", "nginx")["Role/leader-elector-"+route]
		if is := out["Role/leader-elector-nginx-"+route]; want == nil || !reflect.DeepEqual(value(is, "rules"), value(want, "rules")) {
			t.Errorf("--route=%s: the rules are\n%v\nand deploy has\n%v", route, value(is, "rules"), value(want, "rules"))
		}
	}
}

// The recommended manifest says some things for the whole pod, as its app is
// ours; here they are said for the sidecar.
func TestTheSidecarIsThatOfTheRecommendedManifest(t *testing.T) {
	deployment := shipped(t, "endpointslice/manifest.yaml", "music", "nginx")["Deployment/nginx"]
	pod := value(deployment, "spec", "template", "spec")
	want := value(pod, "initContainers", 0)
	own := maps.Clone(value(pod, "securityContext").(map[string]any))
	maps.Copy(own, value(want, "securityContext").(map[string]any))
	want = with(want, own, "securityContext")

	o := options
	o.HealthChecks = []string{"http://127.0.0.1:8080/"}
	is := meaning(t, string(run(t, nginx, o).Output))["Deployment/nginx"]
	if sidecar := value(is, "spec", "template", "spec", "initContainers", 0); !reflect.DeepEqual(sidecar, want) {
		t.Errorf("the sidecar is\n%v\nand deploy/endpointslice has\n%v", sidecar, want)
	}
	hook := []any{"spec", "template", "spec", "containers", 0, "lifecycle", "preStop"}
	if a, b := value(is, hook...), value(deployment, hook...); !reflect.DeepEqual(a, b) {
		t.Errorf("the app's preStop is %v, and deploy has %v", a, b)
	}
}

func TestTheLabelFormIsThatOfTheComponent(t *testing.T) {
	o := options
	o.Route = inject.Label
	out := meaning(t, string(run(t, nginx, o).Output))
	patch := value(shipped(t, "components/label/sidecar.yaml")["Deployment/any"], "spec", "template", "spec", "initContainers", 0)
	is := value(out["Deployment/nginx"], "spec", "template", "spec", "initContainers", 0)
	for _, key := range []string{"env", "lifecycle", "readinessProbe"} {
		if !reflect.DeepEqual(value(is, key), value(patch, key)) {
			t.Errorf("%s is %v, and deploy has %v", key, value(is, key), value(patch, key))
		}
	}
	if s := value(out["Service/nginx"], "spec", "selector"); !reflect.DeepEqual(s, map[string]any{"app": "nginx", "leader-elector.io/role": "leader"}) {
		t.Errorf("the selector is %v", s)
	}
	if n := value(out["Deployment/nginx"], "spec", "template", "spec", "containers", 0, "lifecycle", "preStop", "sleep", "seconds"); n != 2 {
		t.Errorf("the app sleeps %v seconds, and deploy/label says 2", n)
	}
}

func TestTheReadinessFormIsThatOfTheComponent(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(deploy, "components/readiness/probe.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	patches := value(meaning(t, "kind: Patch\nmetadata: {name: x}\npatches:\n"+string(data))["Patch/x"], "patches")
	o := options
	o.Route = inject.Readiness
	once := string(run(t, nginx, o).Output)
	is := meaning(t, once)["Deployment/nginx"]
	if a, b := value(is, "spec", "template", "spec", "containers", 0, "readinessProbe"), value(patches, 0, "value"); !reflect.DeepEqual(a, b) {
		t.Errorf("the probe is %v, and deploy has %v", a, b)
	}
	if a, b := value(is, "spec", "strategy"), value(patches, 1, "value"); !reflect.DeepEqual(a, b) {
		t.Errorf("the strategy is %v, and deploy has %v", a, b)
	}
	if !strings.Contains(once, "--health-check=http://127.0.0.1:80/\n") {
		t.Error("the health check is not what the probe of before asked")
	}
	if again := string(run(t, once, options).Output); again != once {
		t.Error(differ(once, again))
	}
}
