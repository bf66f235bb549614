package interop_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/testplane"
	"github.com/leader-elector/leader-elector/test/interop"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const election = "music"

// member is a candidate of either kind.
type member struct {
	name string
	acts func() bool // may it act now?
	end  func()      // hands over, and waits until it has ended
}

func config(t *testing.T, p *testplane.Plane, c testplane.Candidate) *rest.Config {
	t.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", p.Join(t, c).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// ours runs one of our candidates, by client-go's configuration.
func ours(t *testing.T, p *testplane.Plane, ns, name, lock string) *member {
	t.Helper()
	server, newClient, err := interop.RESTConfig(config(t, p, testplane.Candidate{Namespace: ns, Pod: name, Election: election, Lock: lock}))
	if err != nil {
		t.Fatal(err)
	}
	e, err := elector.New(elector.Config{
		Election: election, Namespace: ns, ID: name, Lock: lock, TTL: 4 * time.Second, NewLock: "immediate", Server: server, NewClient: newClient,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := e.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	end := func() { cancel(); <-done }
	t.Cleanup(end)
	return &member{name: name, end: end, acts: func() bool { _, ok := e.Leads(); return ok }}
}

// clientGo runs client-go's leaderelection with the same lease. Its callbacks
// say when its app acts, which is what its users see.
func clientGo(t *testing.T, p *testplane.Plane, ns, name string, release bool) *member {
	t.Helper()
	return runClientGo(t, config(t, p, testplane.Candidate{Namespace: ns, Pod: name, Election: election}), ns, name, release)
}

func runClientGo(t *testing.T, cfg *rest.Config, ns, name string, release bool) *member {
	t.Helper()
	var acting atomic.Bool
	le, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Name: election, Namespace: ns},
			Client:     kubernetes.NewForConfigOrDie(cfg).CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: name},
		},
		LeaseDuration: 4 * time.Second, RenewDeadline: 3 * time.Second, RetryPeriod: 500 * time.Millisecond, ReleaseOnCancel: release,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { acting.Store(true); <-ctx.Done(); acting.Store(false) },
			OnStoppedLeading: func() { acting.Store(false) },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		le.Run(ctx)
	}()
	end := func() { cancel(); <-done }
	t.Cleanup(end)
	return &member{name: name, acts: acting.Load, end: end}
}

// wait asks every few milliseconds, with an end.
func wait(t *testing.T, what string, yes func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never came: %s", what)
		}
	}
	return time.Since(begun)
}

// judge looks every millisecond for two that act at once, until the test ends.
func judge(t *testing.T, members func() []*member) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			var acting []string
			for _, m := range members() {
				if m.acts() {
					acting = append(acting, m.name)
				}
			}
			if len(acting) > 1 && again(members(), acting) {
				t.Errorf("%v act at once", acting)
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}

// again asks the same members once more, the first of them last too: a lead
// that moved between two questions is no overlap.
func again(members []*member, acting []string) bool {
	for _, name := range append(acting, acting[0]) {
		for _, m := range members {
			if m.name == name && !m.acts() {
				return false
			}
		}
	}
	return true
}
