package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

const worker = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: worker}\nspec: {replicas: 2, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: app}]}}}\n"

// TestAClusterThatHasNoNativeSidecarsIsRefused: an API server of that age is
// none of those that can be built here, so one only says that it is.
func TestAClusterThatHasNoNativeSidecarsIsRefused(t *testing.T) {
	for minor, code := range map[string]int{"29": exitFailed, "29+": exitFailed, "30": exitDone} {
		old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"major":"1","minor":%q,"gitVersion":"v1.%s.0"}`, minor, minor)
		}))
		defer old.Close()
		var out, errs bytes.Buffer
		streams := genericiooptions.IOStreams{In: strings.NewReader(worker), Out: &out, ErrOut: &errs}
		t.Setenv("HOME", t.TempDir())
		t.Setenv("KUBECONFIG", "/nowhere")
		is := run(t.Context(), streams, []string{"inject", "-f", "-", "--route=none", "--server=" + old.URL})
		if is != code || (code == exitFailed) != strings.Contains(errs.String(), "needs 1.30") || (code == exitDone) != strings.Contains(out.String(), "--election=worker") {
			t.Errorf("1.%s: code %d\n%s%s", minor, is, out.String(), errs.String())
		}
	}
}
