package inject_test

import (
	"testing"

	"github.com/leader-elector/leader-elector/kubectl-leader/inject"
)

// FuzzInject: whatever is fed, it is refused or injected, and what is injected
// is not changed by a second time.
func FuzzInject(f *testing.F) {
	f.Add([]byte(nginx))
	f.Add([]byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"},"spec":{"template":{"spec":{"containers":[{"name":"a"}]}}}}`))
	f.Add([]byte("apiVersion: apps/v1\nkind: StatefulSet\nmetadata: &m {name: a}\nspec:\n  template: {metadata: *m, spec: {<<: {x: 1}, initContainers: [], containers: [{name: a, ports: [{containerPort: 1}]}]}}"))
	f.Add([]byte("apiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata:\n    name: a\n  spec:\n    template:\n      metadata:\n        labels:\n      spec:\n        containers:\n        -\n          name: |+\n            a\n\n"))
	o := options
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, route := range []string{"", inject.None, inject.Readiness} {
			o.Route = route
			r, err := inject.Inject([]inject.Input{{Name: "in", Data: data}}, o)
			if err != nil {
				continue
			}
			again, err := inject.Inject([]inject.Input{{Name: "in", Data: r.Output}}, o)
			if err != nil {
				t.Fatalf("the second time it is refused: %v\n%s", err, r.Output)
			}
			if string(again.Output) != string(r.Output) {
				t.Fatal(differ(string(r.Output), string(again.Output)))
			}
		}
	})
}
