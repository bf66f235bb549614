package cluster

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

const mirrorAddress = Address + ":5000"

// mirror is a registry to pull from: one OCI layout, whose index names its
// images as repository:tag.
type mirror struct {
	dir    string
	server *http.Server
}

func serveImages(dir string) (*mirror, error) {
	l, err := net.Listen("tcp", mirrorAddress)
	if err != nil {
		return nil, err
	}
	m := &mirror{dir: dir}
	m.server = &http.Server{Handler: m}
	go m.server.Serve(l)
	return m, nil
}

func (m *mirror) close() error { return m.server.Close() }

// ServeHTTP answers what a pull asks: /v2/, manifests by tag or digest, blobs.
func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	if path == "" {
		return
	}
	kind := "/manifests/"
	name, reference, ok := strings.Cut(path, kind)
	if !ok {
		kind = "/blobs/"
		if name, reference, ok = strings.Cut(path, kind); !ok {
			http.NotFound(w, r)
			return
		}
	}
	digest := reference
	if !strings.HasPrefix(reference, "sha256:") {
		digest = m.digest(name + ":" + reference)
	}
	blob := filepath.Join(m.dir, "blobs", "sha256", filepath.Base(strings.TrimPrefix(digest, "sha256:")))
	if kind == "/manifests/" {
		w.Header().Set("Content-Type", mediaType(blob))
	} else {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	w.Header().Set("Docker-Content-Digest", digest)
	http.ServeFile(w, r, blob)
}

// digest looks a name up; an unknown one leads to no file. An image of a
// registry without a path of its own is below "library".
func (m *mirror) digest(name string) string {
	var index struct {
		Manifests []struct {
			Digest      string
			Annotations map[string]string
		}
	}
	data, err := os.ReadFile(filepath.Join(m.dir, "index.json"))
	if err != nil || json.Unmarshal(data, &index) != nil {
		return "unknown"
	}
	for _, d := range index.Manifests {
		if d.Annotations["org.opencontainers.image.ref.name"] == strings.TrimPrefix(name, "library/") {
			return d.Digest
		}
	}
	return "unknown"
}

func mediaType(manifest string) string {
	var m struct{ MediaType string }
	if data, err := os.ReadFile(manifest); err != nil || json.Unmarshal(data, &m) != nil {
		return "text/plain"
	}
	return m.MediaType
}
