package image

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// sidecar builds the image of this repository, for this machine only.
func sidecar(t *testing.T) v1.ImageIndex {
	t.Helper()
	index, err := Sidecar{
		Source: "..", Version: "v0.0.0-test", Revision: "0123456789", Created: time.Unix(1700000000, 0),
		Platforms: []v1.Platform{Native()},
	}.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func TestTheSameCommitGivesTheSameBytes(t *testing.T) {
	var archives [][]byte
	for range 2 {
		file := filepath.Join(t.TempDir(), "image.tar")
		if err := Archive(file, "leader-elector:test", sidecar(t)); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, data)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two builds differ")
	}
}

func TestTheImageIsTheProgramAndCertificates(t *testing.T) {
	index := sidecar(t)
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/leader-elector"}) {
		t.Errorf("it runs %v as %q", c.Entrypoint, c.User)
	}
	files := contents(t, img)
	want := []string{"etc", "etc/ssl", "etc/ssl/certs", "etc/ssl/certs/ca-certificates.crt", "leader-elector"}
	if found := names(files); !slices.Equal(found, want) {
		t.Errorf("it holds %v, want %v", found, want)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(files["etc/ssl/certs/ca-certificates.crt"]) {
		t.Error("its certificates cannot be read")
	}
}

func contents(t *testing.T, img v1.Image) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	flat := mutate.Extract(img)
	defer flat.Close()
	for r := tar.NewReader(flat); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func names(files map[string][]byte) []string {
	var names []string
	for n := range files {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func TestStoringAnImageReplacesTheOneOfItsName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layout")
	var last v1.Hash
	for _, content := range []string{"one", "two"} {
		layer, err := Layer(File{Path: "/a/b", Mode: 0o644, Data: []byte(content)})
		if err != nil {
			t.Fatal(err)
		}
		img, err := New(v1.Config{}, Native(), time.Unix(0, 0), layer)
		if err != nil {
			t.Fatal(err)
		}
		if err := Store(dir, "some:name", img); err != nil {
			t.Fatal(err)
		}
		if last, err = img.Digest(); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if len(index.Manifests) != 1 || index.Manifests[0].Digest != last {
		t.Errorf("the layout lists %v, want only %v", index.Manifests, last)
	}
}

// TestTheImageSaysWhatItIs: to tools that read an image's labels, and to
// registries that read the index's annotations.
func TestTheImageSaysWhatItIs(t *testing.T) {
	index := sidecar(t)
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"version": "v0.0.0-test", "revision": "0123456789", "created": "2023-11-14T22:13:20Z",
		"licenses": "Apache-2.0", "source": home, "title": "leader-elector",
	} {
		label := "org.opencontainers.image." + name
		if config.Config.Labels[label] != want || manifest.Annotations[label] != want {
			t.Errorf("%s is %q, on the index %q, want %q", label, config.Config.Labels[label], manifest.Annotations[label], want)
		}
	}
}
