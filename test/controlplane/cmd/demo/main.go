// Command demo shows an election on a real API server: who leads, and what
// happens when the leader is stopped, killed and frozen.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// ttl of the demo's election: short, so that nobody waits long for a crash.
const ttl = 5 * time.Second

func main() {
	sidecar := flag.String("sidecar", "", "the leader-elector to show (required)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := show(ctx, *sidecar)
	stop()
	if errors.Is(err, context.Canceled) {
		fmt.Println("\nstopped; everything is taken down")
		os.Exit(130)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func show(ctx context.Context, sidecar string) (err error) {
	if _, err := os.Stat(sidecar); err != nil {
		return fmt.Errorf("the sidecar is not built (make demo builds it): %w", err)
	}
	if sidecar, err = filepath.Abs(sidecar); err != nil { // it is started in the plane's folder
		return err
	}
	heading("A real etcd and kube-apiserver (" + controlplane.Version + ") on loopback, and three candidates under the shipped Role")
	plane, err := controlplane.Start(ctx, controlplane.Options{Progress: os.Stderr})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	s := &stage{plane: plane, sidecar: sidecar}
	defer func() { err = errors.Join(err, s.clear()) }()
	if s.namespace, err = plane.Namespace(ctx); err != nil {
		return err
	}
	for _, name := range []string{"music-a", "music-b", "music-c"} {
		if err := s.enter(ctx, name); err != nil {
			return err
		}
	}
	for _, act := range []func(context.Context) error{s.whoLeads, s.stopLeader, s.killLeader, s.freezeLeader} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	if os.Getenv("DEMO_KEEP") == "" {
		fmt.Println("\nDEMO_KEEP=1 make demo leaves all of this running.")
		return nil
	}
	return s.play(ctx)
}

// whoLeads shows the answer that 0.5 gave, and the lock.
func (s *stage) whoLeads(ctx context.Context) error {
	leader, err := s.leader(ctx)
	if err != nil {
		return err
	}
	for _, c := range s.cast {
		if err := until(ctx, func() bool { return c.body("/") == leader.says() }); err != nil {
			return fmt.Errorf("%s never knew that %s leads: %w", c.name, leader.name, err)
		}
		say("$ curl %s/", c.url)
		say("  %s%s", c.body("/"), mark(c.leads()))
	}
	return nil
}

func (s *stage) stopLeader(ctx context.Context) error {
	heading("The leader is told to stop (SIGTERM, as `kubectl delete pod` does)")
	leader, err := s.leader(ctx)
	if err != nil {
		return err
	}
	return s.fail(ctx, leader, "told to stop", syscall.SIGTERM)
}

func (s *stage) killLeader(ctx context.Context) error {
	heading(fmt.Sprintf("The leader is killed (SIGKILL): the others wait until its lease of %v has run out", ttl))
	leader, err := s.leader(ctx)
	if err != nil {
		return err
	}
	return s.fail(ctx, leader, "killed", syscall.SIGKILL)
}

// fail ends the leader with a signal, times who follows, and lets it return.
func (s *stage) fail(ctx context.Context, leader *candidate, how string, sig syscall.Signal) error {
	begun := time.Now()
	if err := leader.Signal(sig); err != nil {
		return err
	}
	next, err := s.successor(ctx, leader)
	if err != nil {
		return err
	}
	say("%s was %s; %s leads after %s", leader.name, how, next.name, bold(took(begun)))
	leader.Wait()
	return s.enter(ctx, leader.name)
}

func (s *stage) freezeLeader(ctx context.Context) error {
	heading("The leader is frozen (SIGSTOP) past its lease, asked who leads, and woken (SIGCONT)")
	leader, err := s.leader(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := leader.Pause(); err != nil {
		return err
	}
	next, err := s.successor(ctx, leader)
	if err != nil {
		return err
	}
	say("%s was frozen; %s leads after %s", leader.name, next.name, bold(took(begun)))
	answer, err := leader.askAsleep()
	if err != nil {
		return err
	}
	say("woken, %s answers first: %s   %s", leader.name, answer, verdict(answer, leader.name))
	if answer == leader.says() {
		return fmt.Errorf("%s took itself for the leader beside %s", leader.name, next.name)
	}
	return nil
}

// play leaves everything running until Ctrl-C.
func (s *stage) play(ctx context.Context) error {
	heading("All of it runs until Ctrl-C. Try:")
	for _, c := range s.cast {
		say("curl %s/status      # %s, pid %d", c.url, c.name, c.PID())
	}
	say("export KUBECONFIG=%s", s.plane.Kubeconfig())
	say("kubectl get lease %s -n %s -o yaml -w", election, s.namespace)
	say("kubectl annotate lease %s -n %s leader-elector.io/paused=true", election, s.namespace)
	<-ctx.Done()
	return ctx.Err()
}
