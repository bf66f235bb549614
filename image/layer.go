// Package image makes container images without a container engine: from files
// alone, and the same bytes from the same commit.
package image

import (
	"archive/tar"
	"bytes"
	"io"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// File is one file of a layer, owned by root.
type File struct {
	Path string // absolute
	Mode int64
	Data []byte
}

// epoch is the time of all files: a layer changes with its content only.
var epoch = time.Unix(0, 0).UTC()

// Layer makes a layer of files, in the order given, with the folders above them.
func Layer(files ...File) (v1.Layer, error) {
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	made := map[string]bool{}
	for _, f := range files {
		name := strings.TrimPrefix(f.Path, "/")
		if err := folders(w, made, path.Dir(name)); err != nil {
			return nil, err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: f.Mode, Size: int64(len(f.Data)), ModTime: epoch}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}

// folders writes the folders down to dir that are not yet written.
func folders(w *tar.Writer, made map[string]bool, dir string) error {
	if dir == "." || made[dir] {
		return nil
	}
	if err := folders(w, made, path.Dir(dir)); err != nil {
		return err
	}
	made[dir] = true
	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: epoch})
}
