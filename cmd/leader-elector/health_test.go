package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// app is what a sidecar stands beside.
func app(t *testing.T) (s *httptest.Server, well *atomic.Bool) {
	well = new(atomic.Bool)
	well.Store(true)
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !well.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.Close)
	return s, well
}

func TestOnlyAPodWithAFitAppLeads(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	join := func(pod, url string) *process {
		return launch(t, p, testplane.Candidate{Namespace: ns, Pod: pod, Election: "music"}, "--new-lock=immediate", "--health-check="+url, "--health-interval=50ms")
	}
	appA, _ := app(t)
	appB, wellB := app(t)
	wellB.Store(false)
	b := join("b", appB.URL)
	eventually(t, "b saying why it does not campaign", func() bool {
		_, body := b.get("/status")
		return strings.Contains(body, `"state":"starting"`) && strings.Contains(b.status(t).Waiting, "503")
	})
	if code, _ := b.get("/standby"); code != http.StatusServiceUnavailable {
		t.Errorf("b, whose app is starting, answers %d on /standby", code)
	}
	a := join("a", appA.URL)
	eventually(t, "a leading", a.leads)
	wellB.Store(true)
	eventually(t, "b standing by", func() bool { code, _ := b.get("/standby"); return code == http.StatusOK })
	appA.Close()
	eventually(t, "b leading, as a's app died", b.leads)
	if a.leads() {
		t.Error("a leads still")
	}
	wellB.Store(false)
	eventually(t, "nobody leading, as no app is fit", func() bool { return !a.leads() && !b.leads() })
	wellB.Store(true)
	eventually(t, "b, the first to recover, leading", b.leads)
}
