package images

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/leader-elector/leader-elector/image"
)

//go:embed nginx.conf
var nginxConf string

const release = "bookworm"

// prepare ends the making of the file system. Without sources apt-get update
// succeeds where there is no network, and apt-get install finds curl
// installed: the reference's postStart hook is content.
const prepare = `set -e
rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale
rm -f "$1"/etc/apt/sources.list "$1"/etc/resolv.conf "$1"/etc/hostname
tar -C "$1" --sort=name --numeric-owner -cf "$2.part" --exclude=./dev --exclude=./proc --exclude=./sys .
mv "$2.part" "$2"`

// nginx makes nginx with curl on Debian, once: from packages, by debootstrap.
func nginx(ctx context.Context, dir string, progress io.Writer) error {
	base, err := shared()
	if err != nil {
		return err
	}
	rootfs := filepath.Join(base, "nginx-"+key(release, prepare)+".tar")
	if _, err := os.Stat(rootfs); err != nil {
		if err := bootstrap(ctx, base, rootfs, progress); err != nil {
			return fmt.Errorf("making the file system of the nginx image: %w", err)
		}
	}
	done := filepath.Join(dir, "nginx-"+key(rootfs, nginxConf, Nginx, Unprivileged)+".done")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	system, err := tarball.LayerFromFile(rootfs, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return err
	}
	conf, err := image.Layer(image.File{Path: "/etc/nginx/nginx.conf", Mode: 0o644, Data: []byte(nginxConf)},
		image.File{Path: "/usr/share/doc/README", Mode: 0o644, Data: []byte("nginx and curl, for the tests of leader-elector\n")})
	if err != nil {
		return err
	}
	img, err := image.New(v1.Config{
		Cmd: []string{"nginx"}, Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	}, image.Native(), time.Unix(0, 0), system, conf)
	if err != nil {
		return err
	}
	for _, name := range []string{Nginx, Unprivileged} {
		if err := image.Store(dir, name, img); err != nil {
			return err
		}
	}
	return os.WriteFile(done, nil, 0o644)
}

func bootstrap(ctx context.Context, dir, rootfs string, progress io.Writer) error {
	scratch, err := os.MkdirTemp(dir, "bootstrap-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	fmt.Fprintln(progress, "installing Debian with nginx and curl for the tests' pods (once)")
	for _, line := range [][]string{
		{"debootstrap", "--variant=minbase", "--include=nginx-light,curl", release, scratch},
		{"sh", "-c", prepare, "sh", scratch, rootfs},
	} {
		if said, err := exec.CommandContext(ctx, line[0], line[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: …%s", line[0], err, said[max(0, len(said)-1000):])
		}
	}
	return nil
}
