// Package sbom says what is in a Go program, from what the linker wrote into it:
// its modules with their sums, and the version of Go. The same program gives the
// same bytes: no time but the commit's, no number drawn.
package sbom

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Subject is what an SBOM is about.
type Subject struct {
	Name    string // leader-elector_v1.2.3_linux_amd64
	Version string
	Created time.Time // of the commit
	Program []byte
	// Beside are modules that are not linked into the program and lie beside it.
	Beside []*debug.Module
}

// module is one thing that the program is made of.
type module struct {
	path, version string
	sum           string // of the module's files, as go.sum has it, in hex; may be empty
	purl          string
	cpe           string // may be empty
}

// contents are the module that the program is of, and those in it, by path.
func (s Subject) contents() (own module, others []module, err error) {
	info, err := buildinfo.Read(bytes.NewReader(s.Program))
	if err != nil {
		return own, nil, fmt.Errorf("what the linker wrote into %s: %w", s.Name, err)
	}
	own = module{path: info.Main.Path, version: s.Version, purl: purl(info.Main.Path, s.Version)}
	for _, m := range append(slices.Clone(info.Deps), s.Beside...) {
		if m.Replace != nil {
			return own, nil, fmt.Errorf("%s is made with %s in place of %s, which nobody else can get", s.Name, m.Replace.Path, m.Path)
		}
		sum, err := hexSum(m.Sum)
		if err != nil {
			return own, nil, fmt.Errorf("the sum of %s: %w", m.Path, err)
		}
		others = append(others, module{path: m.Path, version: m.Version, sum: sum, purl: purl(m.Path, m.Version)})
	}
	version := strings.TrimPrefix(info.GoVersion, "go")
	version, _, _ = strings.Cut(version, " ") // experiments follow
	others = append(others, module{
		path: "stdlib", version: version, purl: purl("stdlib", version), cpe: "cpe:2.3:a:golang:go:" + version + ":*:*:*:*:*:*:*",
	})
	slices.SortFunc(others, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return own, others, nil
}

// hash is that of the program.
func (s Subject) hash() string {
	sum := sha256.Sum256(s.Program)
	return hex.EncodeToString(sum[:])
}

// purl is a module's package URL.
func purl(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// hexSum reads "h1:" and base64: a SHA-256 over the list of the files' hashes.
func hexSum(sum string) (string, error) {
	coded, ok := strings.CutPrefix(sum, "h1:")
	if !ok {
		return "", fmt.Errorf("%q is no h1 sum of a module", sum)
	}
	raw, err := base64.StdEncoding.DecodeString(coded)
	return hex.EncodeToString(raw), err
}
