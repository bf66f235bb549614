package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"sigs.k8s.io/yaml"

	"github.com/leader-elector/leader-elector/image"
)

// version is a release of this repository, for this machine only.
func version() Release {
	return Release{
		Source: "..", Version: "v1.2.3", Commit: "0123456789", Created: time.Unix(1700000000, 0),
		Image: "registry.example/team/leader-elector", Base: "https://files.example/v1.2.3", Only: []v1.Platform{image.Native()},
	}
}

// madeIn is what is removed in the end.
var madeIn string

// made is the folder of one, which all tests share, as it takes a while.
var made = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "release-test-")
	if err != nil {
		return "", err
	}
	madeIn = dir
	return dir, version().Make(context.Background(), filepath.Join(dir, "one"), func(string, ...any) {})
})

func folder(t *testing.T) string {
	t.Helper()
	dir, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "one")
}

func TestMain(m *testing.M) {
	code := m.Run()
	if madeIn != "" {
		os.RemoveAll(madeIn)
	}
	os.Exit(code)
}

func read(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 5 {
		t.Fatalf("%s has %d files: %v", dir, len(entries), err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestTheSameCommitGivesTheSameFiles: every byte of every file, from a second
// build.
func TestTheSameCommitGivesTheSameFiles(t *testing.T) {
	again := filepath.Join(t.TempDir(), "two")
	if err := version().Make(t.Context(), again, t.Logf); err != nil {
		t.Fatal(err)
	}
	one, two := read(t, folder(t)), read(t, again)
	for name := range two {
		if !bytes.Equal(one[name], two[name]) {
			t.Errorf("%s differs from one build to the next", name)
		}
	}
	if len(one) != len(two) {
		t.Errorf("%d files, then %d", len(one), len(two))
	}
}

// TestEveryFileHasItsChecksum, as sha256sum reads them.
func TestEveryFileHasItsChecksum(t *testing.T) {
	dir := folder(t)
	cmd := exec.Command("sha256sum", "--check", "--strict", checksums)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for name := range read(t, dir) {
		if name != checksums && !strings.Contains(string(said), name+": OK") {
			t.Errorf("%s has no checksum", name)
		}
	}
}

// TestAReleaseHasWhatUsersLookFor.
func TestAReleaseHasWhatUsersLookFor(t *testing.T) {
	files := read(t, folder(t))
	here := "_linux_" + image.Native().Architecture
	for _, name := range []string{
		"leader-elector_v1.2.3" + here + ".tar.gz", "leader-elector_v1.2.3" + here + ".spdx.json", "leader-elector_v1.2.3" + here + ".cdx.json",
		"leader-elector-image_v1.2.3.tar", "leader-elector-image_v1.2.3" + here + ".spdx.json", "leader-elector-image_v1.2.3" + here + ".cdx.json",
		"leader-elector-1.2.3.tgz", "leader-elector-sidecar-1.2.3.tgz",
		"endpointslice_v1.2.3.yaml", "leader-elector-deploy_v1.2.3.tar.gz",
	} {
		if len(files[name]) == 0 {
			t.Errorf("there is no %s", name)
		}
	}
	inside := unpacked(t, files["leader-elector_v1.2.3"+here+".tar.gz"])
	for _, name := range []string{"leader-elector", "LICENSE", "completion/leader-elector.bash", "completion/_leader-elector", "completion/leader-elector.fish"} {
		if len(inside[name]) == 0 {
			t.Errorf("the archive of the program has no %s", name)
		}
	}
	if sbom := string(files["leader-elector-image_v1.2.3"+here+".spdx.json"]); !strings.Contains(sbom, "x509roots") ||
		!strings.Contains(sbom, fmt.Sprintf("%x", sha256.Sum256(inside["leader-elector"]))) {
		t.Error("the SBOM of the image is of another program, or lacks the certificates")
	}
}

func unpacked(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	if err := each(z, func(h *tar.Header, r io.Reader) (err error) {
		files[h.Name], err = io.ReadAll(r)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

// TestNothingOfADevelopersBuildIsShipped: charts and manifests name this
// version's image, and each chart this version.
func TestNothingOfADevelopersBuildIsShipped(t *testing.T) {
	files := read(t, folder(t))
	texts := map[string][]byte{"endpointslice_v1.2.3.yaml": files["endpointslice_v1.2.3.yaml"]}
	for _, archive := range []string{"leader-elector-1.2.3.tgz", "leader-elector-sidecar-1.2.3.tgz", "leader-elector-deploy_v1.2.3.tar.gz"} {
		for name, text := range unpacked(t, files[archive]) {
			texts[archive+"/"+name] = text
		}
	}
	named := 0
	for name, text := range texts {
		if strings.HasSuffix(name, ".md") || strings.HasSuffix(name, ".go") || strings.Contains(name, "/examples/readiness-0.5/") {
			continue
		}
		if strings.Contains(string(text), "0.0.0-dev") || strings.Contains(string(text), "leader-elector:dev") {
			t.Errorf("%s names a developer's version", name)
		}
		named += strings.Count(string(text), "registry.example/team/leader-elector")
	}
	if named < 8 {
		t.Errorf("the image is named %d times in all", named)
	}
	var values struct {
		Image struct{ Repository, Tag string }
	}
	data := unpacked(t, files["leader-elector-sidecar-1.2.3.tgz"])["leader-elector-sidecar/values.yaml"]
	if err := yaml.Unmarshal(data, &values); err != nil || values.Image.Repository != version().Image || values.Image.Tag != "v1.2.3" {
		t.Errorf("the chart's image is %+v: %v", values.Image, err)
	}
}

// TestThePluginsManifestNamesItsArchives: with their sums, one for each platform.
func TestThePluginsManifestNamesItsArchives(t *testing.T) {
	p := product{name: plugin, platforms: append(on("linux", "amd64"), on("windows", "arm64")...)}
	r := version()
	files := map[string][]byte{r.archiveName(p, p.platforms[0]): []byte("one"), r.archiveName(p, p.platforms[1]): []byte("two")}
	var manifest struct {
		Metadata struct{ Name string }
		Spec     struct {
			Version   string
			Platforms []struct {
				Selector         struct{ MatchLabels map[string]string }
				URI, Sha256, Bin string
			}
		}
	}
	if err := yaml.Unmarshal(r.krew(p, files), &manifest); err != nil {
		t.Fatal(err)
	}
	windows := manifest.Spec.Platforms[1]
	if windows.URI != "https://files.example/v1.2.3/kubectl-leader_v1.2.3_windows_arm64.zip" || windows.Bin != "kubectl-leader.exe" ||
		windows.Sha256 != fmt.Sprintf("%x", sha256.Sum256([]byte("two"))) || windows.Selector.MatchLabels["os"] != "windows" {
		t.Errorf("Windows is %+v", windows)
	}
}

// TestARegistryHasTheImageItsSBOMsAndTheCharts, over HTTP, from a registry that
// is asked as container engines and Helm ask.
func TestARegistryHasTheImageItsSBOMsAndTheCharts(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	// The files are of the release that all tests share; only the place differs.
	r := version()
	r.Image = host + "/team/leader-elector"
	digest, err := r.Push(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(r.Image + ":v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(tag)
	if err != nil {
		t.Fatal(err)
	}
	if is, _ := index.Digest(); is.String() != digest {
		t.Errorf("the tag is %s, pushed was %s", is, digest)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	referrers, err := remote.Referrers(tag.Digest(manifest.Manifests[0].Digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	hanging, err := referrers.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, m := range hanging.Manifests {
		artifact, err := remote.Image(tag.Digest(m.Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		about, err := artifact.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, about.ArtifactType)
	}
	slices.Sort(kinds)
	if !slices.Equal(kinds, []string{spdxType, cdxType}) {
		t.Errorf("on the image hang %q", kinds)
	}
	chart, err := name.NewTag(host + "/team/charts/leader-elector:1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(chart)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("the chart has %d layers: %v", len(layers), err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(content); err != nil || !bytes.Equal(data, read(t, folder(t))["leader-elector-1.2.3.tgz"]) {
		t.Errorf("the registry's chart is not the file: %v", err)
	}
}
