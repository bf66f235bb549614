package health

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestACheckCanBeAskedOnceAndHidesItsSecret(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "token=secret" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(app.Close)
	name, ask, err := Once(app.URL + "/well?token=secret")
	if err != nil || name != app.URL+"/well" {
		t.Fatalf("%q, %v", name, err)
	}
	if err := ask(t.Context()); err != nil {
		t.Errorf("a fit app: %v", err)
	}
	if _, ask, _ = Once(app.URL); ask(t.Context()) == nil {
		t.Error("an unfit app passes")
	}
	if name, _, err := Once("gopher://127.0.0.1?token=secret"); err == nil || strings.Contains(name+err.Error(), "secret") {
		t.Errorf("%q, %v", name, err)
	}
}
