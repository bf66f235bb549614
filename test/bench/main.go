// Command bench measures the sidecar and client-go's leaderelection in one run,
// as processes against one kube-apiserver, asked over HTTP from outside.
package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// ttl of both programs' leases: client-go's default.
const ttl = 15 * time.Second

func main() {
	sidecar := flag.String("sidecar", "", "the leader-elector to measure (make bench builds it)")
	only := flag.String("only", "", "measure only these, of handover,start,idle,crash,freeze,outage; separated by commas")
	out := flag.String("out", "", "also write the table to this file, as a page for the docs")
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

	network   int          // 127.network.0.0/16 is this run's
	addresses atomic.Int32 // that were given out
}

func measure(ctx context.Context, sidecar, only, out string, trials int) (err error) {
	if _, err := os.Stat(sidecar); err != nil {
		return fmt.Errorf("-sidecar names no program (make bench builds it): %w", err)
	}
	if trials < 1 {
		return errors.New("-trials must be at least 1")
	}
	b := &bench{trials: trials, running: map[*process]bool{}, network: 1 + rand.IntN(254)}
	chosen, err := b.choose(only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "leader-elector-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	peer, version, err := buildPeer(ctx, dir)
	if err != nil {
		return err
	}
	if err := b.startPlane(ctx, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.plane.Stop()) }()
	defer b.clear()
	b.report.peerVersion = version
	b.ours = &program{name: ourName, path: sidecar, args: ourArgs}
	b.programs = []*program{b.ours, {name: peerName, path: peer, args: peerArgs}}
	err = b.run(ctx, chosen)
	// What was measured before something failed is worth its minutes.
	fmt.Println(b.report.markdown())
	if err != nil || out == "" {
		return err
	}
	return os.WriteFile(out, []byte(b.report.document()), 0o644)
}

// buildPeer returns the peer's program and the client-go that is in it.
func buildPeer(ctx context.Context, dir string) (path, version string, err error) {
	path = filepath.Join(dir, peerName)
	progress("building the peer")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./peer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("building the peer: %w\n%s", err, text)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	for _, m := range info.Deps {
		if m.Path == "k8s.io/client-go" {
			version = m.Version
		}
	}
	return path, version, nil
}

// startPlane starts a control plane that writes down who asks for leases.
func (b *bench) startPlane(ctx context.Context, dir string) (err error) {
	policy := filepath.Join(dir, "policy.yaml")
	b.audit = filepath.Join(dir, "audit.log")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	b.plane, err = controlplane.Start(ctx, controlplane.Options{Progress: os.Stderr, APIServerArgs: []string{
		"--audit-policy-file=" + policy, "--audit-log-path=" + b.audit, "--audit-log-mode=blocking",
	}})
	return err
}

// section is one measurement.
type section struct {
	name string
	run  func(context.Context) error
}

// choose returns the sections to run, in stages: those of a stage run at once.
// First come those that a busy machine would spoil, then those that mostly
// wait, and last the one that takes the API server away.
func (b *bench) choose(only string) (stages [][]section, err error) {
	stages = [][]section{
		{{"handover", b.handovers}},
		{{"start", b.starts}},
		{{"idle", b.idle}, {"crash", b.crashes}, {"freeze", b.freezes}},
		{{"outage", b.outages}},
	}
	if only == "" {
		return stages, nil
	}
	names := strings.Split(only, ",")
	for i, stage := range stages {
		stages[i] = slices.DeleteFunc(stage, func(s section) bool {
			at := slices.Index(names, s.name)
			if at >= 0 {
				names = slices.Delete(names, at, at+1)
			}
			return at < 0
		})
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("-only: nothing is called %q", names[0])
	}
	return stages, nil
}

func (b *bench) run(ctx context.Context, stages [][]section) error {
	for _, stage := range stages {
		err := each(ctx, len(stage), func(ctx context.Context, i int) error { return stage[i].timed(ctx) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (s section) timed(ctx context.Context) error {
	begun := time.Now()
	progress("measuring: %s", s.name)
	if err := s.run(ctx); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	progress("measured: %s, in %v", s.name, time.Since(begun).Round(time.Second))
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
