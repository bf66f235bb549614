package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/leader-elector/leader-elector/image"
	"github.com/leader-elector/leader-elector/release/sbom"
)

// product is a program that users install.
type product struct {
	name      string
	module    string // its folder; one that is not there is left out
	pkg       string
	platforms []v1.Platform
	completes bool // it prints scripts that complete its command line
}

func on(os string, architectures ...string) (all []v1.Platform) {
	for _, a := range architectures {
		all = append(all, v1.Platform{OS: os, Architecture: a})
	}
	return all
}

var products = []product{
	// The sidecar outside Linux is for trying it beside `kubectl proxy`.
	{"leader-elector", ".", "./cmd/leader-elector", append(on("linux", "amd64", "arm64"), on("darwin", "amd64", "arm64")...), true},
	{plugin, plugin, ".", append(append(on("linux", "amd64", "arm64"), on("darwin", "amd64", "arm64")...), on("windows", "amd64", "arm64")...), false},
}

// programs are the archives of all programs, their SBOMs, and the plugin's
// manifest for krew.
func (r Release) programs(ctx context.Context) (map[string][]byte, error) {
	license, err := os.ReadFile(filepath.Join(r.Source, "LICENSE"))
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for _, p := range products {
		p.platforms = r.wanted(p.platforms)
		if _, err := os.Stat(filepath.Join(r.Source, p.module, "go.mod")); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		made := map[string][]byte{}
		files := []file{{"LICENSE", 0o644, license}}
		if p.completes {
			scripts, err := r.completions(ctx, p)
			if err != nil {
				return nil, err
			}
			files = append(files, scripts...)
		}
		for _, platform := range p.platforms {
			if err := r.program(ctx, p, platform, files, made); err != nil {
				return nil, err
			}
		}
		if p.name == plugin {
			made[krewFile] = r.krew(p, made)
		}
		maps.Copy(all, made)
	}
	return all, nil
}

// program adds the archive and the SBOMs of one program for one platform.
func (r Release) program(ctx context.Context, p product, platform v1.Platform, files []file, made map[string][]byte) error {
	data, err := image.Program(ctx, filepath.Join(r.Source, p.module), p.pkg, r.Version, platform)
	if err != nil {
		return err
	}
	binary := file{executable(p, platform), 0o755, data}
	archive := tarball
	if platform.OS == "windows" {
		archive = zipped
	}
	packed, err := archive(r.Created, append([]file{binary}, files...)...)
	if err != nil {
		return err
	}
	made[r.archiveName(p, platform)] = packed
	about := r.name(p.name, "_"+platform.OS+"_"+platform.Architecture)
	return describe(sbom.Subject{Name: about, Version: r.Version, Created: r.Created, Program: data}, made)
}

// describe adds the SBOMs of a program in both formats.
func describe(s sbom.Subject, made map[string][]byte) (err error) {
	if made[s.Name+".spdx.json"], err = s.SPDX(); err != nil {
		return err
	}
	made[s.Name+".cdx.json"], err = s.CycloneDX()
	return err
}

func executable(p product, platform v1.Platform) string {
	if platform.OS == "windows" {
		return p.name + ".exe"
	}
	return p.name
}

func (r Release) archiveName(p product, platform v1.Platform) string {
	ending := ".tar.gz"
	if platform.OS == "windows" {
		ending = ".zip"
	}
	return r.name(p.name, "_"+platform.OS+"_"+platform.Architecture+ending)
}

// completions asks the program, built for this machine, for its scripts.
func (r Release) completions(ctx context.Context, p product) (files []file, err error) {
	data, err := image.Program(ctx, filepath.Join(r.Source, p.module), p.pkg, r.Version, image.Native())
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "completions-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, p.name)
	if err := os.WriteFile(program, data, 0o755); err != nil {
		return nil, err
	}
	for _, s := range []struct{ shell, file string }{{"bash", p.name + ".bash"}, {"zsh", "_" + p.name}, {"fish", p.name + ".fish"}} {
		script, err := exec.CommandContext(ctx, program, "completion", s.shell).Output()
		if err != nil {
			return nil, fmt.Errorf("%s completion %s: %w", p.name, s.shell, err)
		}
		files = append(files, file{"completion/" + s.file, 0o644, script})
	}
	return files, nil
}
