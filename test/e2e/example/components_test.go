package example

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/leader-elector/leader-elector/test/e2e/workload"
)

const deploy = "../../../deploy"

// TestEveryComponentIsTried: on real nodes, by a form or by an example. Events do
// nothing to the traffic; that the server takes them, and what they say, is
// tested elsewhere.
func TestEveryComponentIsTried(t *testing.T) {
	var tried []string
	for _, f := range slices.Concat(workload.Forms, []workload.Form{workload.Moving}) {
		tried = append(tried, f.Path)
	}
	for _, e := range All {
		tried = append(tried, "examples/"+e.Name)
	}
	components, err := filepath.Glob(filepath.Join(deploy, "components", "*"))
	if err != nil || len(components) < 3 {
		t.Fatalf("found %v: %v", components, err)
	}
	for _, dir := range components {
		name := filepath.Base(dir)
		used := slices.ContainsFunc(tried, func(path string) bool {
			data, err := os.ReadFile(filepath.Join(deploy, path, "kustomization.yaml"))
			return err == nil && strings.Contains(string(data), "/components/"+name+"]")
		})
		if !used && name != "events" {
			t.Errorf("nothing that is tried on real nodes uses %s", dir)
		}
	}
}
