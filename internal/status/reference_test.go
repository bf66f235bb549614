package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheReferenceHasEveryPathAndStatus provokes each answer that there is, and
// holds them against the table of docs/reference-http.md.
func TestTheReferenceHasEveryPathAndStatus(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference-http.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:GET|POST) [^`]*)` \\| (\\d+) \\|").FindAllStringSubmatch(string(page), -1) {
		told[m[1]+" "+m[2]] = true
	}
	given := provoked(t)
	for _, one := range slices.Sorted(maps.Keys(given)) {
		if !told[one] {
			t.Errorf("%s is given, and docs/reference-http.md does not say so", one)
		}
	}
	for _, one := range slices.Sorted(maps.Keys(told)) {
		if !given[one] {
			t.Errorf("docs/reference-http.md says %s, which nobody is given", one)
		}
	}
}

// provoked asks every path for everything that it can answer.
func provoked(t *testing.T) map[string]bool {
	t.Helper()
	given := map[string]bool{}
	views := []View{{IsLeader: true, Ready: true}, {Ready: true, CanTakeOver: true}, {LastError: "a right is missing"}}
	for i, v := range views {
		s := New(Config{
			View: fixed(v), Log: slog.New(slog.DiscardHandler),
			Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "# none") }),
			Alive:   func(context.Context) error { return []error{nil, nil, errors.New("it does not turn")}[i] },
			StepDown: func(_ context.Context, to string) (string, error) {
				return to, []error{nil, Refusal("this candidate does not lead"), errors.New("the election does not run")}[i]
			},
		})
		if i > 0 {
			s.listeners.Store(maxListeners)
		}
		for _, path := range paths(t, s) {
			// A stream would not end; its head says the same.
			r := answer(s, http.MethodHead, path, "")
			given["GET "+path+" "+fmt.Sprint(r.Code)] = true
			if wrong := answer(s, http.MethodPut, path, ""); wrong.Code != http.StatusMethodNotAllowed || wrong.Header().Get("Allow") == "" {
				t.Errorf("PUT %s is answered with %d, Allow %q", path, wrong.Code, wrong.Header().Get("Allow"))
			}
		}
		for _, body := range []string{"", "nonsense", strings.Repeat(" ", maxStepDownBody+1) + "x"} {
			given["POST /step-down "+fmt.Sprint(answer(s, http.MethodPost, "/step-down", body).Code)] = true
		}
		outside := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/step-down", nil)
		outside.RemoteAddr = "192.0.2.1:4711"
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, outside)
		given["POST /step-down "+fmt.Sprint(w.Code)] = true
	}
	return given
}

// paths are those that the server names to whoever asks for another one, less
// the one that answers POST.
func paths(t *testing.T, s *Server) []string {
	t.Helper()
	_, list, ok := strings.Cut(answer(s, http.MethodGet, "/nowhere", "").Body.String(), "there are ")
	list, _, found := strings.Cut(list, ", and POST /step-down")
	if !ok || !found {
		t.Fatal("an unknown path is not answered with those that there are")
	}
	return strings.Fields(list)
}

func answer(s *Server, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1"+path, bytes.NewBufferString(body))
	r.RemoteAddr = "127.0.0.1:4711"
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, r)
	return w
}
