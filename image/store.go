package image

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
)

// refName is the annotation under which an OCI layout names its images.
const refName = "org.opencontainers.image.ref.name"

// Store puts an image or an index into the OCI layout in dir under a name,
// in place of what had that name.
func Store(dir, name string, what any) error {
	path, err := layout.FromPath(dir)
	if errors.Is(err, fs.ErrNotExist) {
		path, err = layout.Write(dir, empty.Index)
	}
	if err != nil {
		return err
	}
	named := layout.WithAnnotations(map[string]string{refName: name})
	switch what := what.(type) {
	case v1.ImageIndex:
		return path.ReplaceIndex(what, match.Name(name), named)
	case v1.Image:
		return path.ReplaceImage(what, match.Name(name), named)
	}
	return errors.New("neither an image nor an index")
}

// Archive writes an image or index as an OCI archive: a layout in one file,
// which container engines and registries' tools load.
func Archive(file, name string, what any) (err error) {
	dir, err := os.MkdirTemp("", "archive-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := Store(dir, name, what); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := tar.NewWriter(out)
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return pack(w, dir, path)
	}); err != nil {
		return err
	}
	return w.Close()
}

// pack adds one file, with nothing of this machine about it.
func pack(w *tar.Writer, dir, path string) error {
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: filepath.ToSlash(name), Mode: 0o644, Size: info.Size(), ModTime: epoch}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}
