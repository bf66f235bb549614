package elector_test

import (
	"context"
	"errors"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

func TestChangesComeInOrderAndEndWithTheirContext(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	a := start(t, p, testplane.Candidate{Namespace: ns, Pod: "a", Election: "music"}, nil)
	a.until(t, "a leading", leads)
	b := start(t, p, testplane.Candidate{Namespace: ns, Pod: "b", Election: "music"}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	var seen []string
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s := range b.Changes(ctx) {
			if n := len(seen); n == 0 || seen[n-1] != s.Leader {
				seen = append(seen, s.Leader)
			}
			if s.IsLeader {
				cancel()
			}
		}
	}()
	b.until(t, "b knowing a", func(s elector.Status) bool { return s.Leader == "a" })
	a.stop()
	<-ended
	if len(seen) < 2 || seen[len(seen)-1] != "b" {
		t.Errorf("b saw the leaders %q", seen)
	}
	for i, name := range seen {
		if name == "a" && i > 0 && seen[i-1] == "b" {
			t.Errorf("an older leader after a newer: %q", seen)
		}
	}
}

func TestOnlyARunningElectorIsAliveAndAnswers(t *testing.T) {
	t.Parallel()
	e, err := elector.New(elector.Config{Election: "x", Namespace: "y", ID: "z", Server: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.StepDown(t.Context(), ""); !errors.Is(err, elector.ErrNotRunning) {
		t.Errorf("StepDown before Run: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	alive, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := e.Alive(alive); err != nil {
		t.Errorf("a loop that runs is not alive: %v", err)
	}
	if err := e.Run(ctx); !errors.Is(err, elector.ErrRunning) {
		t.Errorf("a second Run: %v", err)
	}
	// Nothing that the API server does ends Run, and nothing holds it either.
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run ended with %v", err)
	}
	if err := e.Alive(alive); !errors.Is(err, elector.ErrNotRunning) {
		t.Errorf("alive after Run: %v", err)
	}
}

func TestEveryFaultOfAConfigurationIsToldAtOnce(t *testing.T) {
	cfg := elector.Config{ID: "a/b", NewLock: "now", TTL: 4500 * time.Millisecond, RenewEvery: 4 * time.Second, HandoverTimeout: -1}
	var faults interface{ Unwrap() []error }
	if err := cfg.Validate(); !errors.As(err, &faults) || len(faults.Unwrap()) != 8 {
		t.Errorf("told:\n%v", err)
	}
}
