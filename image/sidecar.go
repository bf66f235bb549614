package image

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Platforms are those that the sidecar's image is made for.
var Platforms = []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}

// Sidecar describes the image of the program cmd/leader-elector.
type Sidecar struct {
	Source    string // the repository's folder
	Version   string // linked into the program
	Revision  string // the commit
	Created   time.Time
	Platforms []v1.Platform // default: Platforms
}

// home is where the project lives.
const home = "https://github.com/leader-elector/leader-elector"

// user is nobody in particular. It is a number, so that a kubelet can see that
// it is not root.
const user = "65532:65532"

// Build builds the program for each platform and puts each into an image: the
// program, the CA certificates, nothing else.
func (s Sidecar) Build(ctx context.Context) (v1.ImageIndex, error) {
	if len(s.Platforms) == 0 {
		s.Platforms = Platforms
	}
	roots, err := Layer(File{Path: "/etc/ssl/certs/ca-certificates.crt", Mode: 0o644, Data: certificates()})
	if err != nil {
		return nil, err
	}
	images := map[string]v1.Image{}
	for _, p := range s.Platforms {
		program, err := Program(ctx, s.Source, "./cmd/leader-elector", s.Version, p)
		if err != nil {
			return nil, err
		}
		layer, err := Layer(File{Path: "/leader-elector", Mode: 0o755, Data: program})
		if err != nil {
			return nil, err
		}
		if images[p.String()], err = New(s.config(), p, s.Created, roots, layer); err != nil {
			return nil, err
		}
	}
	index := Index(images, s.Platforms)
	// Registries show the annotations of what a tag names, which is the index.
	return mutate.Annotations(index, s.labels()).(v1.ImageIndex), nil
}

func (s Sidecar) config() v1.Config {
	return v1.Config{
		Entrypoint: []string{"/leader-elector"}, User: user, WorkingDir: "/",
		Labels: s.labels(),
	}
}

// labels are those of the OCI's list of annotations.
func (s Sidecar) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":         "leader-elector",
		"org.opencontainers.image.description":   "A sidecar that keeps exactly one replica of a Kubernetes workload active",
		"org.opencontainers.image.url":           home,
		"org.opencontainers.image.source":        home,
		"org.opencontainers.image.documentation": home + "/tree/main/docs",
		"org.opencontainers.image.version":       s.Version,
		"org.opencontainers.image.revision":      s.Revision,
		"org.opencontainers.image.created":       s.Created.UTC().Format(time.RFC3339),
		"org.opencontainers.image.licenses":      "Apache-2.0",
	}
}

// Program builds the static program of a package for one platform. Neither the
// folder nor the state of the checkout gets into it.
func Program(ctx context.Context, module, pkg, version string, p v1.Platform) ([]byte, error) {
	dir, err := os.MkdirTemp("", "program-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "program")
	cmd := exec.CommandContext(ctx, "go", "build", "-C", module, "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.linked="+version, "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS="+p.OS, "GOARCH="+p.Architecture, "GOFLAGS=")
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building %s for %s: %w\n%s", pkg, p, err, said)
	}
	return os.ReadFile(out)
}

// certificates are the roots of a pinned module, not those of the machine that
// builds: the image must not depend on it.
func certificates() []byte {
	var all bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil { // a file of certificates cannot say the constraint
			pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return all.Bytes()
}
