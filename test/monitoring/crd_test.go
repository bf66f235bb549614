package monitoring

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

var update = flag.Bool("update", false, "write deploy/monitoring/prometheusrule.yaml anew")

const monitoring = "../../deploy/monitoring"

// prometheusRule is rules.yaml as an object of the Prometheus operator.
func prometheusRule(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var spec map[string]any
	if err := yaml.Unmarshal(data, &spec); err != nil {
		t.Fatal(err)
	}
	made, err := yaml.Marshal(map[string]any{
		"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
		"metadata": map[string]any{"name": "leader-elector"}, "spec": spec,
	})
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte("# Made of rules.yaml by `go test . -run TestTheOperators -update` in test/monitoring; do not edit.\n"), made...)
}

func TestTheOperatorsRulesAreTheSame(t *testing.T) {
	path := filepath.Join(monitoring, "prometheusrule.yaml")
	if *update {
		if err := os.WriteFile(path, prometheusRule(t), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	is, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(is, prometheusRule(t)) {
		t.Error("prometheusrule.yaml is not what rules.yaml says; write it with -update")
	}
}

// The operator's own definitions of its kinds take what we ship, with unknown
// fields refused.
func TestTheOperatorTakesWhatWeShip(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	definitions := filepath.Join(operatorModule(t), "example", "prometheus-operator-crd")
	for plural, file := range map[string]string{"prometheusrules": "prometheusrule.yaml", "podmonitors": "podmonitor.yaml"} {
		post(t, p, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", filepath.Join(definitions, "monitoring.coreos.com_"+plural+".yaml"), http.StatusCreated, http.StatusConflict)
		await(t, aMinute, plural+" being served", func() bool {
			code, _ := p.Do(t, http.MethodGet, "/apis/monitoring.coreos.com/v1/namespaces/"+ns+"/"+plural, nil)
			return code == http.StatusOK
		})
		post(t, p, "/apis/monitoring.coreos.com/v1/namespaces/"+ns+"/"+plural+"?fieldValidation=Strict", filepath.Join(monitoring, file), http.StatusCreated)
	}
}

// operator is the module whose files are read. It is no requirement of this
// module, as nothing of it is compiled.
const operator = "github.com/prometheus-operator/prometheus-operator@v0.85.0"

// operatorModule is the folder of its files.
func operatorModule(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", operator).Output()
	var module struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &module); err != nil || jsonErr != nil || module.Dir == "" {
		t.Fatalf("%s cannot be had: %v %s", operator, err, module.Error)
	}
	return module.Dir
}

// post sends a manifest, and demands one of the answers.
func post(t *testing.T, p *testplane.Plane, path, file string, want ...int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	body, err := yaml.YAMLToJSON(data)
	if err != nil || !json.Valid(body) {
		t.Fatalf("%s: %v", file, err)
	}
	code, answer := p.Do(t, http.MethodPost, path, body)
	for _, w := range want {
		if code == w {
			return
		}
	}
	t.Errorf("%s: %d %s", file, code, answer)
}
