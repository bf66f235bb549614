package elector_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// candidate is an Elector that runs until the test stops it.
type candidate struct {
	*elector.Elector
	stop  context.CancelFunc
	ended chan error
}

type logWriter struct{ tb testing.TB }

func (w logWriter) Write(line []byte) (int, error) {
	w.tb.Log(strings.TrimSpace(string(line)))
	return len(line), nil
}

// start runs a candidate with the rights that we ship.
func start(t *testing.T, p *testplane.Plane, c testplane.Candidate, change func(*elector.Config)) *candidate {
	t.Helper()
	creds := p.Join(t, c)
	access, err := kube.FromKubeconfig(creds.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	cfg := elector.Config{
		Election: c.Election, Namespace: c.Namespace, ID: c.Pod, PodUID: creds.PodUID, Lock: c.Lock, TTL: 4 * time.Second,
		NewLock: "immediate", Server: access.Server, NewClient: access.NewClient,
		Logger: slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	e, err := elector.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	k := &candidate{Elector: e, stop: stop, ended: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.ended <- e.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-done })
	return k
}

// until waits for a status, as changes bring it.
func (k *candidate) until(t *testing.T, what string, ok func(elector.Status) bool) elector.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	for s := range k.Changes(ctx) {
		if ok(s) {
			return s
		}
	}
	s := k.Status()
	t.Fatalf("never saw %s; the last status: %+v", what, s)
	return s
}

func leads(s elector.Status) bool { return s.IsLeader }

func TestOneLeadsAndAReleaseMovesTheLead(t *testing.T) {
	t.Parallel()
	for _, lock := range []string{"leases", "endpoints", "endpoints+leases"} {
		t.Run(lock, func(t *testing.T) {
			t.Parallel()
			p := testplane.Get(t)
			ns := p.Namespace(t)
			a := start(t, p, testplane.Candidate{Namespace: ns, Pod: "a", Election: "music", Lock: lock}, nil)
			first := a.until(t, "a leading", leads)
			b := start(t, p, testplane.Candidate{Namespace: ns, Pod: "b", Election: "music", Lock: lock}, nil)
			seen := b.until(t, "b knowing a", func(s elector.Status) bool { return s.Leader == "a" && s.Ready && s.Watching })
			if seen.Term != first.Term || seen.IsLeader || !seen.CanTakeOver {
				t.Errorf("b sees term %v, leads %v, could take over %v; want %v, false, true", seen.Term, seen.IsLeader, seen.CanTakeOver, first.Term)
			}
			begun := time.Now()
			a.stop()
			second := b.until(t, "b leading", leads)
			t.Logf("the hand-over took %v", time.Since(begun))
			if second.Term <= first.Term {
				t.Errorf("the term went from %v to %v; it must rise", first.Term, second.Term)
			}
			if err := <-a.ended; err != nil {
				t.Errorf("a ended with %v", err)
			}
			if _, ok := a.Leads(); ok {
				t.Error("a still leads after Run returned")
			}
		})
	}
}

func TestStepDownNeedsACandidateThatAccepts(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	a := start(t, p, testplane.Candidate{Namespace: ns, Pod: "a", Election: "music"}, nil)
	a.until(t, "a leading", leads)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := a.StepDown(ctx, "nobody"); !errors.Is(err, elector.ErrRefused) {
		t.Errorf("handing over to a candidate that does not exist: %v, want a refusal", err)
	}
	if _, ok := a.Leads(); !ok {
		t.Error("a refused hand-over cost the lead")
	}
	b := start(t, p, testplane.Candidate{Namespace: ns, Pod: "b", Election: "music"}, nil)
	b.until(t, "b knowing a", func(s elector.Status) bool { return s.Leader == "a" })
	if err := a.StepDown(ctx, "b"); err != nil {
		t.Errorf("handing over to b: %v", err)
	}
	b.until(t, "b leading", leads)
}

func TestTheRoleMissingIsToldWithTheRule(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	all := []string{"get", "list", "watch", "update", "create"}
	a := start(t, p, testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music", Without: all}, nil)
	s := a.until(t, "what is missing", func(s elector.Status) bool { return strings.Contains(s.LastError, "resourceNames: [music]") })
	if s.Ready {
		t.Error("it is ready without any right")
	}
}

func TestWithoutTheWatchItPolls(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	a := start(t, p, testplane.Candidate{Namespace: ns, Pod: "a", Election: "music"}, nil)
	a.until(t, "a leading", leads)
	b := start(t, p, testplane.Candidate{Namespace: ns, Pod: "b", Election: "music", Without: []string{"list", "watch"}}, nil)
	b.until(t, "b knowing a and what it lacks", func(s elector.Status) bool {
		return s.Leader == "a" && !s.Watching && s.Ready && strings.Contains(s.LastError, "watch")
	})
	a.stop()
	b.until(t, "b leading", leads)
}

func TestALockThatIsDeletedOrEditedIsLostAndWonAgain(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	path := "/apis/coordination.k8s.io/v1/namespaces/" + ns + "/leases/music"
	a := start(t, p, testplane.Candidate{Namespace: ns, Pod: "a", Election: "music"}, nil)
	term := a.until(t, "a leading", leads).Term
	for _, fault := range []struct{ name, method, body string }{
		{"emptied", http.MethodPatch, `{"spec":{"holderIdentity":""}}`},
		{"edited", http.MethodPatch, `{"spec":{"renewTime":"2030-01-01T00:00:00.000000Z"}}`},
		{"deleted", http.MethodDelete, ""},
	} {
		if code, body := p.Do(t, fault.method, path, []byte(fault.body)); code != http.StatusOK {
			t.Fatalf("%s: %d %s", fault.name, code, body)
		}
		a.until(t, fault.name+": the lead lost", func(s elector.Status) bool { return !s.IsLeader })
		s := a.until(t, fault.name+": leading again", leads)
		if s.Term <= term {
			t.Errorf("%s: the term went from %v to %v", fault.name, term, s.Term)
		}
		term = s.Term
	}
}

func TestALeaderConfirmsByANewRenewal(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	a := start(t, p, testplane.Candidate{Namespace: ns, Pod: "a", Election: "music"}, func(c *elector.Config) { c.TTL = 30 * time.Second })
	term := a.until(t, "a leading", leads).Term
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	version := func() string {
		_, body := p.Do(t, http.MethodGet, "/apis/coordination.k8s.io/v1/namespaces/"+ns+"/leases/music", nil)
		_, rest, _ := strings.Cut(string(body), `"resourceVersion":"`)
		v, _, _ := strings.Cut(rest, `"`)
		return v
	}
	before := version()
	if err := a.Confirm(ctx, term); err != nil {
		t.Errorf("a leads, yet: %v", err)
	}
	if now := version(); now == before {
		t.Errorf("nothing was written: the lock is still at version %s", now)
	}
	if err := a.Confirm(ctx, term-1); !errors.Is(err, elector.ErrLeadEnded) {
		t.Errorf("an older term is confirmed with %v, want ErrLeadEnded", err)
	}
	a.stop()
	<-a.ended
	if err := a.Confirm(ctx, term); !errors.Is(err, elector.ErrNotRunning) {
		t.Errorf("after the end: %v, want ErrNotRunning", err)
	}
}

func TestOnlyTheFitLead(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	unfit, err := elector.New(elector.Config{Election: "x", Namespace: ns, ID: "x", Server: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	unfit.SetFit(false, "starting")
	if s := unfit.Status(); s.Fit || s.CanTakeOver {
		t.Errorf("before Run it says fit %v, could take over %v", s.Fit, s.CanTakeOver)
	}
	a := start(t, p, testplane.Candidate{Namespace: ns, Pod: "a", Election: "music"}, nil)
	a.until(t, "a leading", leads)
	b := start(t, p, testplane.Candidate{Namespace: ns, Pod: "b", Election: "music"}, nil)
	b.until(t, "b knowing a", func(s elector.Status) bool { return s.Leader == "a" })
	a.SetFit(false, "the app is dead")
	b.until(t, "b leading", leads)
	a.until(t, "why a waits", func(s elector.Status) bool { return !s.Fit && strings.Contains(s.Waiting, "the app is dead") })
	b.SetFit(false, "the app is dead too")
	b.until(t, "b without the lead", func(s elector.Status) bool { return !s.IsLeader })
	a.SetFit(true, "")
	a.until(t, "a, the first to recover, leading", leads)
}
