package sbom

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// CycloneDX is the SBOM in CycloneDX 1.6, JSON.
func (s Subject) CycloneDX() ([]byte, error) {
	own, others, err := s.contents()
	if err != nil {
		return nil, err
	}
	bom := cdx.NewBOM()
	bom.SerialNumber = serial(s.hash() + s.Name)
	bom.Metadata = &cdx.Metadata{
		Timestamp: s.Created.UTC().Format(time.RFC3339),
		Component: &cdx.Component{
			BOMRef: own.purl, Type: cdx.ComponentTypeApplication, Name: own.path, Version: own.version, PackageURL: own.purl,
			Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
			Hashes:   &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: s.hash()}},
		},
	}
	components, refs := []cdx.Component{}, []string{}
	for _, m := range others {
		c := cdx.Component{
			BOMRef: m.purl, Type: cdx.ComponentTypeLibrary, Name: m.path, Version: m.version, PackageURL: m.purl, CPE: m.cpe,
			Scope: cdx.ScopeRequired,
		}
		if m.sum != "" {
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: m.sum}}
		}
		components, refs = append(components, c), append(refs, m.purl)
	}
	bom.Components = &components
	// The linker tells what is in the program, not which module asked for it.
	bom.Dependencies = &[]cdx.Dependency{{Ref: own.purl, Dependencies: &refs}}
	var b bytes.Buffer
	err = cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6)
	return b.Bytes(), err
}

// serial is a UUID of a name (RFC 9562, version 8), so that it is the same again.
func serial(name string) string {
	b := sha256.Sum256([]byte(name))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
