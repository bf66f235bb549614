package chart

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v4/pkg/strvals"
)

// TestTheChartTakesEveryValueThatTheDocsName: as --set, or as name=value in a
// sentence; what stands in one line is set together.
func TestTheChartTakesEveryValueThatTheDocsName(t *testing.T) {
	named := regexp.MustCompile("(?:--set |`)((?:app|sidecar|networkPolicy|service|hostNetwork|kind|mode|readyWhileLeading|podMonitor|prometheusRule)[A-Za-z.]*=[^` ]+)")
	found := 0
	for _, page := range []string{repository + "/docs/install.md", repository + "/docs/environments.md", Application + "/README.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			values := map[string]any{}
			for _, m := range named.FindAllStringSubmatch(line, -1) {
				found++
				if err := strvals.ParseInto(m[1], values); err != nil {
					t.Errorf("%s: %s: %v", page, m[1], err)
				}
			}
			if len(values) == 0 {
				continue
			}
			given, err := yaml.Marshal(values)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := music(string(given)).Objects(t.Context()); err != nil {
				t.Errorf("%s: %s\n%v", page, strings.TrimSpace(line), err)
			}
		}
	}
	if found < 15 {
		t.Errorf("found %d values", found)
	}
}

// TestTheFencesOfValuesAreTaken: those that begin with "# values.yaml".
func TestTheFencesOfValuesAreTaken(t *testing.T) {
	text, err := os.ReadFile(repository + "/docs/environments.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```yaml\n# values.yaml[^\n]*\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(shown) == 0 {
		t.Fatal("there is none")
	}
	for _, m := range shown {
		spec := pod(t, objects(t, music(m[1])))
		if at(spec, "securityContext", "runAsUser") != nil || at(spec, "securityContext", "runAsNonRoot") != true {
			t.Errorf("the pod's security context is %v", at(spec, "securityContext"))
		}
	}
}
