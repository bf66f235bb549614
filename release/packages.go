package release

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/leader-elector/leader-elector/image"
	"github.com/leader-elector/leader-elector/release/sbom"
)

// imageFile is the image of all platforms, an OCI archive.
func (r Release) imageFile() string { return r.name("leader-elector-image", ".tar") }

// image is the OCI archive, and what is in the image of each platform: the
// program and the certificates.
func (r Release) image(ctx context.Context) (map[string][]byte, error) {
	index, err := image.Sidecar{
		Source: r.Source, Version: r.Version, Revision: r.Commit, Created: r.Created,
		Platforms: r.wanted(image.Platforms),
	}.Build(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "release-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "image.tar")
	if err := image.Archive(path, r.Image+":"+r.Version, index); err != nil {
		return nil, err
	}
	made := map[string][]byte{}
	if made[r.imageFile()], err = os.ReadFile(path); err != nil {
		return nil, err
	}
	roots, err := r.roots(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range r.wanted(image.Platforms) {
		program, err := image.Program(ctx, r.Source, "./cmd/leader-elector", r.Version, p)
		if err != nil {
			return nil, err
		}
		s := sbom.Subject{Name: r.name("leader-elector-image", "_"+p.OS+"_"+p.Architecture), Version: r.Version, Created: r.Created, Program: program, Beside: []*debug.Module{roots}}
		if err := describe(s, made); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// roots is the module that the image's certificates are of.
func (r Release) roots(ctx context.Context) (*debug.Module, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-C", filepath.Join(r.Source, "image"), "-m", "-json=Path,Version,Sum", "golang.org/x/crypto/x509roots/fallback")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	said, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking for the version of the certificates: %w", err)
	}
	var m debug.Module
	err = json.Unmarshal(said, &m)
	return &m, err
}

// The charts' folders, and what a release writes into them.
const application = "deploy/chart/leader-elector"

var charts = map[string]string{
	"leader-elector":         application,
	"leader-elector-sidecar": application + "/charts/leader-elector-sidecar",
}

// charts are the packages that Helm installs, with the version and the image's
// name in them.
func (r Release) charts(context.Context) (map[string][]byte, error) {
	made := map[string][]byte{}
	for name, dir := range charts {
		files, err := r.tree(dir, name)
		if err != nil {
			return nil, err
		}
		if made[name+"-"+r.chartVersion()+".tgz"], err = tarball(r.Created, files...); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// marks are what stands in the repository's files for the version and the image.
func (r Release) marks() *strings.Replacer {
	return strings.NewReplacer(
		"version: 0.0.0-dev", "version: "+r.chartVersion(),
		"appVersion: dev", fmt.Sprintf("appVersion: %q", r.Version),
		"  repository: leader-elector\n", "  repository: "+r.Image+"\n",
		"  tag: dev\n", fmt.Sprintf("  tag: %q\n", r.Version),
		"image: leader-elector:dev\n", "image: "+r.Image+":"+r.Version+"\n",
		"  - name: leader-elector\n    newTag: dev\n", "  - name: leader-elector\n    newName: "+r.Image+"\n    newTag: "+fmt.Sprintf("%q", r.Version)+"\n",
	)
}

// tree are the files below a folder of the repository, under another name, with
// the marks replaced. What git does not know is left out.
func (r Release) tree(dir, as string) (files []file, err error) {
	said, err := exec.Command("git", "-C", r.Source, "ls-files", "-z", "--", dir).Output()
	if err != nil {
		return nil, fmt.Errorf("asking git for %s: %w", dir, err)
	}
	marks := r.marks()
	for _, path := range strings.Split(strings.TrimSuffix(string(said), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(r.Source, path))
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(filepath.Join(r.Source, path))
		if err != nil {
			return nil, err
		}
		mode := fs.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		files = append(files, file{as + strings.TrimPrefix(path, dir), mode, []byte(marks.Replace(string(data)))})
	}
	return files, nil
}

// manifests are the recommended form in one file, and all of deploy/ for
// kustomize.
func (r Release) manifests(context.Context) (map[string][]byte, error) {
	made := map[string][]byte{}
	data, err := os.ReadFile(filepath.Join(r.Source, "deploy/endpointslice/manifest.yaml"))
	if err != nil {
		return nil, err
	}
	made[r.name("endpointslice", ".yaml")] = []byte(r.marks().Replace(string(data)))
	files, err := r.tree("deploy", "deploy")
	if err != nil {
		return nil, err
	}
	made[r.name("leader-elector-deploy", ".tar.gz")], err = tarball(r.Created, files...)
	return made, err
}
