// Package release makes what a version consists of, and puts the image and the
// charts into a registry. The same commit and version give the same bytes.
package release

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Release is one version.
type Release struct {
	Source  string    // the repository's folder
	Version string    // v1.2.3, the tag; something else in a build that is no release
	Commit  string    // its hash
	Created time.Time // of the commit
	Image   string    // where users find the image, without its tag
	Base    string    // the URL below which users find the files
	// Only are the platforms to make; empty: all that the products have.
	Only []v1.Platform
}

// wanted are those of a product's platforms that are made.
func (r Release) wanted(all []v1.Platform) []v1.Platform {
	if len(r.Only) == 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(p v1.Platform) bool {
		return !slices.ContainsFunc(r.Only, p.Equals)
	})
}

// semver is a tag that a chart's version can be made of.
var semver = regexp.MustCompile(`^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$`)

// chartVersion is the version as Helm wants it.
func (r Release) chartVersion() string {
	if m := semver.FindStringSubmatch(r.Version); m != nil {
		return m[1]
	}
	return "0.0.0-" + regexp.MustCompile(`[^0-9A-Za-z-]+`).ReplaceAllString("g"+r.Version, "-")
}

// Make writes all files into a folder, which it empties.
func (r Release) Make(ctx context.Context, dir string, say func(format string, args ...any)) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		make func(context.Context) (map[string][]byte, error)
	}{
		{"programs", r.programs}, {"image", r.image}, {"charts", r.charts}, {"manifests", r.manifests},
	} {
		begun := time.Now()
		files, err := part.make(ctx)
		if err != nil {
			return fmt.Errorf("making the %s: %w", part.name, err)
		}
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				return err
			}
		}
		say("%d files of the %s, %.0f s", len(files), part.name, time.Since(begun).Seconds())
	}
	return sums(dir)
}

// name is a file's name with the version in it.
func (r Release) name(what, rest string) string {
	return what + "_" + strings.ReplaceAll(r.Version, "/", "-") + rest
}
