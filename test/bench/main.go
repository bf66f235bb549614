// Command bench measures the sidecar and client-go's leaderelection in one run,
// as processes against one kube-apiserver, asked over HTTP from outside.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// ttl of both programs' leases: client-go's default.
const ttl = 15 * time.Second

func main() {
	sidecar := flag.String("sidecar", "", "the leader-elector to measure (make bench builds it)")
	only := flag.String("only", "", "measure only these, of handover,start,waits,outage; separated by commas")
	out := flag.String("out", "", "also write the table to this file")
	trials := flag.Int("trials", 12, "of each figure")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := measure(ctx, *sidecar, *only, *out, *trials)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	plane    *controlplane.Plane
	audit    string
	trials   int
	programs []*program // ours, then the peer
	ours     *program
	report   report
	mu       sync.Mutex
	running  map[*process]bool
}

func measure(ctx context.Context, sidecar, only, out string, trials int) (err error) {
	dir, err := os.MkdirTemp("", "leader-elector-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	peer := filepath.Join(dir, "client-go")
	progress("building the peer (client-go v0.37.2)")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", peer, "./peer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the peer: %w\n%s", err, text)
	}
	policy, audit := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "audit.log")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	plane, err := controlplane.Start(ctx, controlplane.Options{Progress: os.Stderr, APIServerArgs: []string{
		"--audit-policy-file=" + policy, "--audit-log-path=" + audit, "--audit-log-mode=blocking",
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	b := &bench{plane: plane, audit: audit, trials: trials, running: map[*process]bool{}}
	defer b.clear()
	b.ours = &program{name: "leader-elector", path: sidecar, args: ourArgs}
	b.programs = []*program{b.ours, {name: "client-go", path: peer, args: peerArgs}}
	if err := b.run(ctx, only); err != nil {
		return err
	}
	text := b.report.markdown()
	fmt.Println(text)
	if out != "" {
		return os.WriteFile(out, []byte(text), 0o644)
	}
	return nil
}

// run takes the measurements: first those that a busy machine would spoil, then
// those that mostly wait, at once.
func (b *bench) run(ctx context.Context, only string) error {
	sections := []struct {
		name string
		run  func(context.Context) error
	}{
		{"handover", b.handovers}, {"start", b.starts},
		{"waits", func(ctx context.Context) error { return together(ctx, b.idle, b.crashes, b.freezes) }},
		{"outage", b.outages},
	}
	for _, s := range sections {
		if only != "" && !slices.Contains(strings.Split(only, ","), s.name) {
			continue
		}
		begun := time.Now()
		progress("measuring: %s", s.name)
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		progress("measured: %s, in %v", s.name, time.Since(begun).Round(time.Second))
	}
	return nil
}

// together runs all at once and returns the first error.
func together(ctx context.Context, all ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var work sync.WaitGroup
	for _, one := range all {
		work.Go(func() {
			if err := one(ctx); err != nil {
				cancel(err)
			}
		})
	}
	work.Wait()
	return context.Cause(ctx)
}

// each runs f for n indices at once.
func each(ctx context.Context, n int, f func(context.Context, int) error) error {
	var all []func(context.Context) error
	for i := range n {
		all = append(all, func(ctx context.Context) error { return f(ctx, i) })
	}
	return together(ctx, all...)
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
