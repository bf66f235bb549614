package controlplane

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestTwoBuildsAtOnceMakeOneProgram(t *testing.T) {
	src := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module hello\n", "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	var mu sync.Mutex
	builds := 0
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			err := cached(t.Context(), io.Discard, dir, "hello", func(out string) *exec.Cmd {
				mu.Lock()
				builds++
				mu.Unlock()
				return exec.Command("go", "build", "-C", src, "-o", out, ".")
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if builds != 1 {
		t.Errorf("%d builds were made", builds)
	}
	if err := exec.Command(filepath.Join(dir, "hello")).Run(); err != nil {
		t.Errorf("the program does not run: %v", err)
	}
}

func TestABuildThatIsCutShortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	err := cached(t.Context(), io.Discard, dir, "broken", func(out string) *exec.Cmd {
		return exec.Command("sh", "-c", "echo half > "+out+"; echo why >&2; exit 1")
	})
	if err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("a failed build tells %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 || filepath.Base(left[0]) != "broken.lock" {
		t.Errorf("a failed build left %v", left)
	}
}

func TestALockedBuildIsWaitedForUntilTheContextEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	lock, err := lockFile(t.Context(), io.Discard, path)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var told strings.Builder
	if _, err := lockFile(ctx, &told, path); err == nil || !strings.Contains(told.String(), "waiting for another build of x") {
		t.Errorf("error %v, told %q", err, told.String())
	}
}

func TestABuildThatOutlivesItsMakerKeepsTheLock(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	// What the build leaves running stands for the build of a maker that was killed.
	if err := cached(t.Context(), io.Discard, dir, "orphan", func(string) *exec.Cmd {
		return exec.Command("sh", "-c", "cat "+pipe+" >/dev/null 2>&1 & exit 1")
	}); err == nil {
		t.Fatal("a failed build is no error")
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if lock, err := lockFile(short, io.Discard, filepath.Join(dir, "orphan.lock")); err == nil {
		lock.Close()
		t.Error("the lock is free while the build goes on")
	}
	if err := os.WriteFile(pipe, nil, 0); err != nil {
		t.Fatal(err)
	}
	long, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	lock, err := lockFile(long, io.Discard, filepath.Join(dir, "orphan.lock"))
	if err != nil {
		t.Fatalf("the lock stays when the build has ended: %v", err)
	}
	lock.Close()
}

func TestARelativeCacheIsRefused(t *testing.T) {
	t.Setenv("LEADER_ELECTOR_CACHE", "cache")
	if _, err := Build(t.Context(), io.Discard, "etcd"); err == nil || !strings.Contains(err.Error(), "absolute path") {
		t.Errorf("a relative cache: %v", err)
	}
}

func TestAnUnknownProgramIsRefused(t *testing.T) {
	if _, err := Build(t.Context(), io.Discard, "kube-nothing"); err == nil || !strings.Contains(err.Error(), "kube-nothing") {
		t.Errorf("an unknown program: %v", err)
	}
}

func TestABuildClearsWhatAKilledOneLeft(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "hello.work", "go-build1", "b001")
	if err := os.MkdirAll(stale, 0o755); err != nil {
		t.Fatal(err)
	}
	err := cached(t.Context(), io.Discard, dir, "hello", func(out string) *exec.Cmd {
		return exec.Command("sh", "-c", "test ! -e "+stale+" && cp /bin/true "+out+" && touch $GOTMPDIR/go-build2")
	})
	if err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 {
		t.Errorf("besides the program and its lock there is something: %v", left)
	}
}
