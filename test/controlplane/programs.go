package controlplane

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Programs that can be built, by name, with the package that each comes from.
var packages = map[string]string{
	"etcd":                    "go.etcd.io/etcd/server/v3",
	"kube-apiserver":          "k8s.io/kubernetes/cmd/kube-apiserver",
	"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
	"kube-scheduler":          "k8s.io/kubernetes/cmd/kube-scheduler",
	"kubelet":                 "k8s.io/kubernetes/cmd/kubelet",
	"kube-proxy":              "k8s.io/kubernetes/cmd/kube-proxy",
	"kubectl":                 "k8s.io/kubernetes/cmd/kubectl",
}

// Version is that of Kubernetes, as programs/go.mod requires it.
const Version = "v1.37.2"

// A kubelet that calls itself v0.0.0 misbehaves, so the version is linked in as
// the project's own release does it.
const ldflags = "-s -w" +
	" -X k8s.io/component-base/version.gitVersion=" + Version +
	" -X k8s.io/component-base/version.gitMajor=1" +
	" -X k8s.io/component-base/version.gitMinor=37" +
	" -X k8s.io/component-base/version.gitTreeState=clean"

// Build builds the named programs into a cache outside the tree, unless they
// are there, and returns the folder that holds them. What takes long is told to
// progress. Two builds at once wait for each other.
func Build(ctx context.Context, progress io.Writer, names ...string) (dir string, err error) {
	src := filepath.Join(here(), "programs")
	dir, err = cacheDir(src)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		pkg, ok := packages[name]
		if !ok {
			return "", fmt.Errorf("no program is called %q", name)
		}
		if err := cached(ctx, progress, dir, name, func(out string) *exec.Cmd {
			cmd := exec.CommandContext(ctx, "go", "build", "-C", src, "-trimpath", "-ldflags", ldflags, "-o", out, pkg)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off",
				"GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
			// Interrupted, go waits for its compilers and linkers; killed, it leaves them running.
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
			cmd.WaitDelay = 10 * time.Second
			return cmd
		}); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// here is the folder of this source file: the module is never vendored or
// built with -trimpath, since it only serves this repository.
func here() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// cacheDir is keyed by everything that changes the programs.
func cacheDir(src string) (string, error) {
	root := os.Getenv("LEADER_ELECTOR_CACHE")
	if root == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no folder for the built programs; set LEADER_ELECTOR_CACHE: %w", err)
		}
		root = filepath.Join(user, "leader-elector")
	}
	if !filepath.IsAbs(root) {
		// The build runs in another folder, which would read the path as its own.
		return "", fmt.Errorf("LEADER_ELECTOR_CACHE=%s is relative; give an absolute path", root)
	}
	key := sha256.New()
	fmt.Fprintln(key, runtime.Version(), runtime.GOOS, runtime.GOARCH, ldflags)
	for _, f := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(src, f))
		if err != nil {
			return "", fmt.Errorf("the programs' module is not beside this package (was it built with -trimpath?): %w", err)
		}
		key.Write(data)
	}
	dir := filepath.Join(root, "programs", Version+"-"+hex.EncodeToString(key.Sum(nil))[:12])
	return dir, os.MkdirAll(dir, 0o755)
}

// cached runs the build of one program under a lock, and renames its result in
// place, so that a build that was cut short leaves nothing behind.
func cached(ctx context.Context, progress io.Writer, dir, name string, build func(out string) *exec.Cmd) error {
	out := filepath.Join(dir, name)
	if _, err := os.Stat(out); err == nil {
		return nil
	}
	lock, err := lockFile(ctx, progress, out+".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := os.Stat(out); err == nil {
		return nil // another build made it while this one waited
	}
	// The work folder is the lock owner's, so it also clears what a build that was
	// killed left there: go removes its own work folder only when all went well.
	work := out + ".work"
	if err := errors.Join(os.RemoveAll(work), os.Mkdir(work, 0o755)); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	begun := time.Now()
	fmt.Fprintf(progress, "building %s (once; into %s)\n", name, dir)
	part := filepath.Join(work, name)
	cmd := build(part)
	cmd.Env = append(cmd.Environ(), "GOTMPDIR="+work)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	// The build inherits the lock: when this process is killed, the orphan goes
	// on writing, and the next build has to wait for its end.
	cmd.ExtraFiles = []*os.File{lock}
	stop := heartbeat(progress, name, begun)
	err = cmd.Run()
	stop()
	if ctx.Err() != nil {
		return fmt.Errorf("building %s: %w", name, context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("building %s: %w\n%s", name, err, tail(log.String(), 30))
	}
	fmt.Fprintf(progress, "built %s in %v\n", name, time.Since(begun).Round(time.Second))
	return os.Rename(part, out)
}

// heartbeat tells every 20 s that a build goes on.
func heartbeat(progress io.Writer, name string, begun time.Time) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(progress, "  still building %s, %v\n", name, time.Since(begun).Round(time.Second))
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// lockFile waits for an exclusive lock, which the kernel frees when the last
// process that holds the file open has closed it or died.
func lockFile(ctx context.Context, progress io.Writer, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	told := false
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !told {
			told = true
			fmt.Fprintf(progress, "waiting for another build of %s\n", strings.TrimSuffix(filepath.Base(path), ".lock"))
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
}

// tail is the last n lines of text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Names lists the programs that can be built.
func Names() []string {
	names := make([]string, 0, len(packages))
	for name := range packages {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
