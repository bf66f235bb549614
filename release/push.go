package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"sigs.k8s.io/yaml"
)

// Media types of what hangs on an image, and of Helm's charts in a registry.
const (
	spdxType    = "application/spdx+json"
	cdxType     = "application/vnd.cyclonedx+json"
	emptyType   = "application/vnd.oci.empty.v1+json"
	chartConfig = "application/vnd.cncf.helm.config.v1+json"
	chartLayer  = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

// Push puts what Make wrote into the registry: the image under its tag, each
// platform's SBOMs hanging on it (OCI referrers), and the charts beside it, in
// charts/NAME. It returns the image's digest.
func (r Release) Push(dir string, options ...remote.Option) (digest string, err error) {
	tag, err := name.NewTag(r.Image + ":" + r.Version)
	if err != nil {
		return "", err
	}
	index, done, err := archived(filepath.Join(dir, r.imageFile()))
	if err != nil {
		return "", err
	}
	defer done()
	if err := remote.WriteIndex(tag, index, options...); err != nil {
		return "", fmt.Errorf("pushing %s: %w", tag, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	for _, platform := range manifest.Manifests {
		about := r.name("leader-elector-image", "_"+platform.Platform.OS+"_"+platform.Platform.Architecture)
		for ending, kind := range map[string]string{".spdx.json": spdxType, ".cdx.json": cdxType} {
			if err := hang(tag.Repository, platform, filepath.Join(dir, about+ending), kind, options); err != nil {
				return "", err
			}
		}
	}
	for chart := range charts {
		if err := r.pushChart(tag.Repository, chart, dir, options); err != nil {
			return "", err
		}
	}
	hash, err := index.Digest()
	return hash.String(), err
}

// hang pushes a file as an artifact that refers to an image.
func hang(to name.Repository, subject v1.Descriptor, path, kind string, options []remote.Option) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	on := &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}
	made, err := artifactOf(kind, []byte("{}"), emptyType, data, types.MediaType(kind), on,
		map[string]string{"org.opencontainers.image.title": filepath.Base(path)})
	if err != nil {
		return err
	}
	digest, err := made.Digest()
	if err != nil {
		return err
	}
	if err := remote.Write(to.Digest(digest.String()), made, options...); err != nil {
		return fmt.Errorf("pushing %s: %w", filepath.Base(path), err)
	}
	return nil
}

// pushChart puts a chart where `helm pull oci://…/charts/NAME` finds it.
func (r Release) pushChart(image name.Repository, chart, dir string, options []remote.Option) error {
	data, err := os.ReadFile(filepath.Join(dir, chart+"-"+r.chartVersion()+".tgz"))
	if err != nil {
		return err
	}
	about, err := metadata(data, chart)
	if err != nil {
		return fmt.Errorf("the metadata of %s: %w", chart, err)
	}
	made, err := artifactOf("", about, chartConfig, data, chartLayer, nil, map[string]string{
		"org.opencontainers.image.title": chart, "org.opencontainers.image.version": r.chartVersion(),
	})
	if err != nil {
		return err
	}
	tag := image.Registry.Repo(append(parents(image), "charts", chart)...).Tag(r.chartVersion())
	if err := remote.Write(tag, made, options...); err != nil {
		return fmt.Errorf("pushing %s: %w", tag, err)
	}
	return nil
}

// parents are the folders that the image's repository is in.
func parents(image name.Repository) []string {
	dir := filepath.Dir(image.RepositoryStr())
	if dir == "." {
		return nil
	}
	return []string{dir}
}

// metadata is a packed chart's Chart.yaml, as JSON.
func metadata(packed []byte, chart string) ([]byte, error) {
	var found []byte
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	err = each(z, func(h *tar.Header, r io.Reader) (err error) {
		if h.Name == chart+"/Chart.yaml" {
			found, err = io.ReadAll(r)
		}
		return err
	})
	if err == nil && found == nil {
		err = errors.New("it has no Chart.yaml")
	}
	if err != nil {
		return nil, err
	}
	var about map[string]any
	if err := yaml.Unmarshal(found, &about); err != nil {
		return nil, err
	}
	return json.Marshal(about)
}

// archived is the index in an OCI archive, until done is called.
func archived(path string) (index v1.ImageIndex, done func(), err error) {
	dir, err := os.MkdirTemp("", "push-")
	if err != nil {
		return nil, nil, err
	}
	done = func() { os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			done()
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	if err := each(f, func(h *tar.Header, r io.Reader) error {
		if err := root.MkdirAll(filepath.Dir(h.Name), 0o755); err != nil {
			return err
		}
		out, err := root.Create(h.Name)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, r)
		return errors.Join(err, out.Close())
	}); err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", path, err)
	}
	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, nil, err
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(manifest.Manifests, func(d v1.Descriptor) bool { return d.MediaType.IsIndex() })
	if i < 0 {
		return nil, nil, fmt.Errorf("%s has no image of several platforms", path)
	}
	index, err = outer.ImageIndex(manifest.Manifests[i].Digest)
	return index, done, err
}

// each calls do with the files of a tar stream.
func each(r io.Reader, do func(*tar.Header, io.Reader) error) error {
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := do(h, t); err != nil {
			return err
		}
	}
}
