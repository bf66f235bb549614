// Package images makes the images that the tests' pods run, into one OCI
// layout outside the tree.
package images

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
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/leader-elector/leader-elector/image"
)

// Names in the layout, as the manifests write them.
const (
	Pause   = "leader-elector/pause:e2e"
	Sidecar = "leader-elector:dev"
	Nginx   = "nginx:latest"
	// Unprivileged is what the manifests that are shipped name; it is the same
	// image, which serves as root and as nobody.
	Unprivileged = "nginxinc/nginx-unprivileged:stable"

	Stream = "stream-server:dev" // of deploy/examples
	Worker = "worker:dev"
)

// Plugin is the kubectl plugin's program in the layout's folder: what runs it
// puts that folder on the PATH.
const Plugin = "kubectl-leader"

// Dir is the folder of the layout. Each instance of the cluster has its own,
// since what is in it is of the source that the instance was started from.
func Dir(instance string) (string, error) {
	root, err := shared()
	if err == nil && instance != "" {
		root = filepath.Join(root, "of-"+instance)
	}
	return root, err
}

// shared is the folder of what all instances share, and the layout of the one
// without a name.
func shared() (string, error) {
	root := os.Getenv("LEADER_ELECTOR_CACHE")
	if root == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no folder for the images; set LEADER_ELECTOR_CACHE: %w", err)
		}
		root = filepath.Join(user, "leader-elector")
	}
	return filepath.Join(root, "images"), nil
}

// Make makes the images that are missing or old, and the sidecar's of the
// source as it is now. It returns the layout's folder.
func Make(ctx context.Context, instance, source string, progress io.Writer) (string, error) {
	dir, err := Dir(instance)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, make := range []func() error{
		func() error { return program(ctx, dir, Pause, filepath.Join(source, "test", "e2e"), "./pause") },
		func() error { return program(ctx, dir, Stream, source, "./deploy/examples/stream") },
		func() error { return program(ctx, dir, Worker, source, "./deploy/examples/worker") },
		func() error { return nginx(ctx, dir, progress) },
		func() error { return sidecar(ctx, source, dir) },
		func() error { return build(ctx, filepath.Join(dir, Plugin), filepath.Join(source, Plugin), ".") }, // of what other tests have compiled

	} {
		if err := make(); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func sidecar(ctx context.Context, source, dir string) error {
	index, err := image.Sidecar{
		Source: source, Version: "e2e", Created: time.Unix(0, 0), Platforms: []v1.Platform{image.Native()},
	}.Build(ctx)
	if err != nil {
		return err
	}
	return image.Store(dir, Sidecar, index)
}

// program makes an image that has one static program of ours and nothing else.
func program(ctx context.Context, dir, name, module, pkg string) error {
	at := "/" + filepath.Base(pkg)
	out := filepath.Join(dir, filepath.Base(pkg))
	if err := build(ctx, out, module, pkg, "-trimpath"); err != nil {
		return err
	}
	data, err := os.ReadFile(out)
	if err != nil {
		return err
	}
	layer, err := image.Layer(image.File{Path: at, Mode: 0o755, Data: data})
	if err != nil {
		return err
	}
	img, err := image.New(v1.Config{Entrypoint: []string{at}, User: "65535:65535"}, image.Native(), time.Unix(0, 0), layer)
	if err != nil {
		return err
	}
	return errors.Join(image.Store(dir, name, img), os.Remove(out))
}

// build builds a static program of one of our modules.
func build(ctx context.Context, out, module, pkg string, flags ...string) error {
	line := slices.Concat([]string{"build", "-C", module}, flags, []string{"-buildvcs=false", "-ldflags", "-s -w", "-o", out, pkg})
	cmd := exec.CommandContext(ctx, "go", line...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s in %s: %w\n%s", pkg, module, err, said)
	}
	return nil
}

// key names what an image is made of, so that a change makes it anew.
func key(parts ...string) string {
	sum := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(sum, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}
