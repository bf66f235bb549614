package sbom

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/spdx/tools-golang/json"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
	"github.com/spdx/tools-golang/spdxlib"
)

// sidecar is the program of this repository and what describes it.
func sidecar(t *testing.T) Subject {
	t.Helper()
	out := filepath.Join(t.TempDir(), "leader-elector")
	cmd := exec.Command("go", "build", "-C", "../..", "-trimpath", "-buildvcs=false", "-o", out, "./cmd/leader-elector")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	program, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return Subject{Name: "leader-elector", Version: "v1.2.3", Created: time.Unix(1700000000, 0), Program: program}
}

// TestBothNameEveryModuleOfTheProgram: what `go version -m` prints, with its
// sum, and Go itself; nothing is left out of either.
func TestBothNameEveryModuleOfTheProgram(t *testing.T) {
	s := sidecar(t)
	s.Beside = []*debug.Module{{Path: "example.org/roots", Version: "v0.1.0", Sum: "h1:AAAA"}}
	info, err := buildinfo.Read(bytes.NewReader(s.Program))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"pkg:golang/" + info.Main.Path + "@v1.2.3", "pkg:golang/stdlib@" + strings.TrimPrefix(info.GoVersion, "go"), "pkg:golang/example.org/roots@v0.1.0"}
	for _, d := range info.Deps {
		want = append(want, "pkg:golang/"+d.Path+"@"+d.Version)
	}
	if len(info.Deps) < 2 {
		t.Fatalf("the program has the modules %v", info.Deps)
	}
	slices.Sort(want)
	if found := purlsOfCycloneDX(t, s); !slices.Equal(found, want) {
		t.Errorf("CycloneDX has %q, want %q", found, want)
	}
	if found := purlsOfSPDX(t, s); !slices.Equal(found, want) {
		t.Errorf("SPDX has %q, want %q", found, want)
	}
}

func purlsOfCycloneDX(t *testing.T, s Subject) (purls []string) {
	t.Helper()
	data, err := s.CycloneDX()
	if err != nil {
		t.Fatal(err)
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(data), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	purls = append(purls, bom.Metadata.Component.PackageURL)
	for _, c := range *bom.Components {
		purls = append(purls, c.PackageURL)
		if c.Name != "stdlib" && (c.Hashes == nil || (*c.Hashes)[0].Value == "") {
			t.Errorf("CycloneDX has no sum of %s", c.Name)
		}
	}
	if (*bom.Metadata.Component.Hashes)[0].Value != s.hash() {
		t.Error("CycloneDX is about another program")
	}
	slices.Sort(purls)
	return purls
}

func purlsOfSPDX(t *testing.T, s Subject) (purls []string) {
	t.Helper()
	data, err := s.SPDX()
	if err != nil {
		t.Fatal(err)
	}
	var doc spdx.Document
	if err := json.ReadInto(bytes.NewReader(data), &doc); err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(&doc); err != nil {
		t.Errorf("SPDX: %v", err)
	}
	for _, p := range doc.Packages {
		purls = append(purls, p.PackageExternalReferences[0].Locator)
		if p.PackageName != "stdlib" && len(p.PackageChecksums) == 0 {
			t.Errorf("SPDX has no sum of %s", p.PackageName)
		}
	}
	if doc.Packages[0].PackageChecksums[0].Value != s.hash() {
		t.Error("SPDX is about another program")
	}
	slices.Sort(purls)
	return purls
}

func TestTheSameProgramGivesTheSameBytes(t *testing.T) {
	s := sidecar(t)
	for name, make := range map[string]func(Subject) ([]byte, error){"CycloneDX": Subject.CycloneDX, "SPDX": Subject.SPDX} {
		one, err := make(s)
		if err != nil {
			t.Fatal(err)
		}
		if two, err := make(s); err != nil || !bytes.Equal(one, two) {
			t.Errorf("two of %s differ: %v", name, err)
		}
	}
}
