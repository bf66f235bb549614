package doctor_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/doctor"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/status"
)

// alone is a configuration without an API server.
func alone() doctor.Config {
	return doctor.Config{Source: "the test", Election: "music", Namespace: "radio", ID: "a", Lock: "leases", TTL: 10 * time.Second, Version: "v1", Timeout: 5 * time.Second}
}

// says wants one finding of a level with these words, and a mend with that word.
func says(t *testing.T, cfg doctor.Config, level doctor.Level, words, mend string) doctor.Finding {
	t.Helper()
	r := doctor.Run(t.Context(), cfg)
	f, ok := find(r, level, words)
	if !ok || !strings.Contains(f.Mend, mend) {
		t.Errorf("no %s with %q and the mend %q:\n%s", level, words, mend, text(t, r))
	}
	return f
}

// jwt is a token of these claims; nobody here asks for its signature.
func jwt(claims any) string {
	data, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return "e30." + base64.RawURLEncoding.EncodeToString(data) + ".c2VjcmV0LXNpZ25hdHVyZQ"
}

func TestATokenIsJudgedByItsClaimsAndNeverPrinted(t *testing.T) {
	t.Parallel()
	pod := map[string]any{"namespace": "radio", "pod": map[string]string{"name": "a", "uid": "u"}, "node": map[string]string{"name": "n1"}}
	now := time.Now()
	for name, c := range map[string]struct {
		token, words, mend string
		level              doctor.Level
	}{
		"good":        {jwt(map[string]any{"exp": now.Add(time.Hour).Unix(), "aud": []string{"https://cluster"}, "kubernetes.io": pod}), "for the audience https://cluster", "", doctor.OK},
		"one aud":     {jwt(map[string]any{"exp": now.Add(time.Hour).Unix(), "aud": "one", "kubernetes.io": pod}), "for the audience one", "", doctor.OK},
		"node":        {jwt(map[string]any{"exp": now.Add(time.Hour).Unix(), "kubernetes.io": pod}), "pod radio/a's, on node n1", "", doctor.OK},
		"expired":     {jwt(map[string]any{"exp": now.Add(-time.Hour).Unix(), "kubernetes.io": pod}), "the token expired 1h0m", "subPath", doctor.Fail},
		"not rotated": {jwt(map[string]any{"exp": now.Add(time.Minute).Unix(), "kubernetes.io": pod}), "has not been rotated", "subPath", doctor.Warn},
		"legacy":      {jwt(map[string]any{"sub": "system:serviceaccount:radio:x"}), "never expires", "Secret", doctor.Warn},
		"no pod":      {jwt(map[string]any{"exp": now.Add(time.Hour).Unix()}), "not bound to a pod", "automountServiceAccountToken", doctor.Warn},
		"odd":         {"opaque-c2VjcmV0LXNpZ25hdHVyZQ", "no JSON Web Token", "--id", doctor.Warn},
		"broken":      {"e30.!!!.c2VjcmV0LXNpZ25hdHVyZQ", "not base64", "--id", doctor.Warn},
		"no claims":   {"e30.W10.c2VjcmV0LXNpZ25hdHVyZQ", "not the JSON of claims", "--id", doctor.Warn},
	} {
		cfg := alone()
		cfg.Access.TokenFile = filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(cfg.Access.TokenFile, []byte(c.token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		says(t, cfg, c.level, c.words, c.mend)
		r := doctor.Run(t.Context(), cfg)
		var j strings.Builder
		if err := r.PrintJSON(&j); err != nil {
			t.Fatal(err)
		}
		if all := text(t, r) + j.String(); strings.Contains(all, "c2VjcmV0") || strings.Contains(all, strings.SplitN(c.token, ".", 3)[0]+".") {
			t.Errorf("%s: the report shows the token:\n%s", name, all)
		}
	}
	cfg := alone()
	cfg.Access.TokenFile = filepath.Join(t.TempDir(), "none")
	says(t, cfg, doctor.Fail, "cannot be read", "fsGroup")
	cfg.Access.TokenFile, cfg.Mounted = "", true
	says(t, cfg, doctor.Warn, "name another way", "--kubeconfig")
}

func TestTheIdIsThePodsName(t *testing.T) {
	t.Parallel()
	cfg := alone()
	cfg.Access.TokenFile = filepath.Join(t.TempDir(), "token")
	token := jwt(map[string]any{"kubernetes.io": map[string]any{"namespace": "radio", "pod": map[string]string{"name": "a", "uid": "u"}}})
	if err := os.WriteFile(cfg.Access.TokenFile, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, cfg, doctor.OK, `the id is "a", the pod's name`, "")
	cfg.ID = "other"
	says(t, cfg, doctor.Warn, `the id "other" is not the pod's name, "a"`, "--id")
	cfg.ID = "a/b"
	says(t, cfg, doctor.Fail, "contains a slash", "--id")
	cfg.ID = ""
	says(t, cfg, doctor.Fail, "has no id", "--id")
	cfg.Lock = "endpoints"
	if cfg.ID, _ = os.Hostname(); cfg.ID != "" {
		says(t, cfg, doctor.OK, "the hostname", "")
	}
}

func TestTimingsAreHeldAgainstEachOther(t *testing.T) {
	t.Parallel()
	cfg := alone()
	says(t, cfg, doctor.OK, "terminationGracePeriodSeconds should be above 7", "")
	cfg.RenewEvery = 6 * time.Second
	says(t, cfg, doctor.Fail, "leaves no time for a second try", "--renew-every")
	cfg = alone()
	cfg.Health = []doctor.Check{{Name: "tcp://127.0.0.1:80", Run: func(context.Context) error { return nil }}}
	cfg.HealthInterval, cfg.HealthTimeout, cfg.HealthFall = 5*time.Second, time.Second, 2
	says(t, cfg, doctor.Warn, "noticed after 11s, later than a lost node", "--health-interval")
	cfg.HealthFall = 1
	says(t, cfg, doctor.OK, "noticed within 6s", "")
}

func TestWhyTheServerDoesNotAnswerIsNamed(t *testing.T) {
	t.Parallel()
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = log.New(io.Discard, "", 0) // it is told of our bad handshakes
	tls.StartTLS()
	t.Cleanup(tls.Close)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(plain.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) // it listens and never answers
	nobody := httptest.NewServer(nil)
	nobody.Close()
	for _, c := range []struct{ server, words, mend string }{
		{"", "no way to an API server", "automountServiceAccountToken"},
		{"ftp://x", "not the URL of an API server", "--server"},
		{tls.URL, "unknown authority", "ca.crt"},
		{"https://" + plain.Listener.Addr().String(), "server gave HTTP response to HTTPS client", "http://"},
		{"http://" + tls.Listener.Addr().String(), "400", "https://"},
		{plain.URL, "401", "--kubeconfig"},
		{nobody.URL, "refused", "NetworkPolicy"},
		{"http://" + l.Addr().String(), "deadline exceeded", "NetworkPolicy"},
	} {
		cfg := alone()
		if cfg.Timeout = 20 * time.Second; strings.HasPrefix(c.words, "deadline") {
			cfg.Timeout = 200 * time.Millisecond
		}
		if cfg.Access = (kube.Access{Server: c.server}); c.server != "" {
			if a, err := kube.FromServer(c.server); err == nil {
				cfg.Access, cfg.Access.CredentialHint = a, ""
			}
		}
		says(t, cfg, doctor.Fail, c.words, c.mend)
		if _, ok := find(doctor.Run(t.Context(), cfg), doctor.Fail, "the rights"); ok {
			t.Errorf("%s: the rights are looked at without a server", c.server)
		}
	}
}

func TestAWallClockThatIsOffIsAWarning(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Duration(ahead.Load())).UTC().Format(http.TimeFormat))
		if r.URL.Path != "/version" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		io.WriteString(w, `{"gitVersion":"v1.37.2"}`)
	}))
	t.Cleanup(s.Close)
	cfg := alone()
	cfg.Access = kube.Access{Server: s.URL}
	says(t, cfg, doctor.OK, "within 2s of the API server's", "")
	ahead.Store(int64(time.Minute))
	says(t, cfg, doctor.Warn, "behind the API server's", "NTP")
	ahead.Store(-int64(time.Minute))
	says(t, cfg, doctor.Warn, "ahead of the API server's", "NTP")
}

func TestARoughClockSourceIsAWarning(t *testing.T) {
	t.Parallel()
	cfg := alone()
	cfg.ClockSource = filepath.Join(t.TempDir(), "source")
	for name, level := range map[string]doctor.Level{"tsc": doctor.OK, "jiffies": doctor.Warn} {
		if err := os.WriteFile(cfg.ClockSource, []byte(name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		f := says(t, cfg, level, name, "")
		if level == doctor.Warn && !strings.Contains(f.Mend, "kvm-clock") {
			t.Errorf("%+v", f)
		}
	}
}

func TestHealthChecksRunOnceAndWithinTheirTime(t *testing.T) {
	t.Parallel()
	runs := 0
	cfg := alone()
	cfg.Timeout = 100 * time.Millisecond
	cfg.Health = []doctor.Check{
		{Name: "http://127.0.0.1/ok", Run: func(context.Context) error { runs++; return nil }},
		{Name: "http://127.0.0.1/sick", Run: func(context.Context) error { return errors.New("503") }},
		{Name: "tcp://127.0.0.1:9", Run: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	}
	says(t, cfg, doctor.OK, "http://127.0.0.1/ok holds", "")
	if runs != 1 {
		t.Errorf("the check ran %d times", runs)
	}
	says(t, cfg, doctor.Fail, "http://127.0.0.1/sick: 503", "--health-check")
	says(t, cfg, doctor.Fail, "tcp://127.0.0.1:9: context deadline exceeded", "--health-timeout")
}

func TestTheSidecarBesideUsIsAsked(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sound := status.View{Version: "v1", Election: "music", Namespace: "radio", Identity: "a", Leader: "a", IsLeader: true, Ready: true, Watching: true, Health: status.Health{Fit: true}}
	var v status.View
	var shown atomic.Pointer[status.View]
	s := status.New(status.Config{View: func() status.View { return *shown.Load() }, Alive: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler)})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() { s.Shutdown(); <-done })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change      func()
		level       doctor.Level
		words, mend string
	}{
		{func() {}, doctor.OK, "leads", ""},
		{func() { v.IsLeader, v.Leader = false, "b" }, doctor.OK, "stands by for b", ""},
		{func() { v.LastError = "update leases radio/music: forbidden" }, doctor.Fail, "the sidecar says: update leases", "log"},
		{func() { v.Routing = map[string]string{"lastError": "has a selector"} }, doctor.Fail, "of its routing: has a selector", "service"},
		{func() { v.Health.Fit = false }, doctor.Warn, "unfit", "app"},
		{func() { v.Watching = false }, doctor.Warn, "polled, not watched", "watch"},
		{func() { v.Ready = false }, doctor.Warn, "not ready", "again"},
		{func() { v.Version = "v0" }, doctor.Warn, "version v0, this program v1", "restart"},
		{func() { v.Identity = "z" }, doctor.Fail, "is z in the election radio/music", "flags"},
	} {
		v = sound
		c.change()
		now := v
		shown.Store(&now)
		cfg := alone()
		cfg.HTTP, cfg.Running = "0.0.0.0:"+port, true
		says(t, cfg, c.level, c.words, c.mend)
	}
	s.Shutdown()
	cfg := alone()
	cfg.HTTP = ":" + port
	says(t, cfg, doctor.Warn, "no sidecar answers", "container")
	cfg.Running = true
	says(t, cfg, doctor.Fail, "no sidecar answers", "--http=:"+port)
}

func TestOnlyAFailureFails(t *testing.T) {
	t.Parallel()
	r := &doctor.Report{Findings: []doctor.Finding{{Level: doctor.OK}, {Level: doctor.Warn}}}
	if r.Failed() {
		t.Error("a warning fails")
	}
	if r.Findings = append(r.Findings, doctor.Finding{Level: doctor.Fail}); !r.Failed() {
		t.Error("a failure does not")
	}
}

func TestAReportsLineCannotBeForged(t *testing.T) {
	t.Parallel()
	r := &doctor.Report{Source: "the test", Findings: []doctor.Finding{
		{Level: doctor.Fail, Examination: "lock", Text: "held by x\nok    lock  all is well\x1b[2J", Mend: "do this:", Rules: []string{"{verbs: [get]}"}, Commands: []string{"kubectl x"}}}}
	want := "settings from the test\nFAIL  lock        held by x ok    lock  all is well [2J\n      mend: do this:\n        - {verbs: [get]}\n        kubectl x\n0 ok, 0 warn, 1 FAIL\n"
	if got := text(t, r); got != want {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	var b strings.Builder
	if err := r.PrintJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Failed   bool
		Findings []map[string]any
	}
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil || !back.Failed || fmt.Sprint(back.Findings[0]["level"]) != "FAIL" {
		t.Errorf("%v: %s", err, b.String())
	}
}
