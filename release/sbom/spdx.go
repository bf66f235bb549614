package sbom

import (
	"bytes"
	"fmt"
	"time"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

const noAssertion = "NOASSERTION"

// SPDX is the SBOM in SPDX 2.3, JSON.
func (s Subject) SPDX() ([]byte, error) {
	own, others, err := s.contents()
	if err != nil {
		return nil, err
	}
	doc := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      s.Name,
		DocumentNamespace: "https://github.com/leader-elector/leader-elector/sbom/" + s.Name + "-" + s.hash(),
		CreationInfo: &spdx.CreationInfo{
			Created:  s.Created.UTC().Format(time.RFC3339),
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "leader-elector-release"}},
		},
	}
	main := pack(own, "program")
	main.PackageLicenseDeclared, main.PackageLicenseConcluded = "Apache-2.0", "Apache-2.0"
	main.PrimaryPackagePurpose = "APPLICATION"
	main.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: s.hash()}}
	doc.Packages = append(doc.Packages, main)
	doc.Relationships = append(doc.Relationships, relation("DOCUMENT", common.TypeRelationshipDescribe, main.PackageSPDXIdentifier))
	for i, m := range others {
		p := pack(m, fmt.Sprintf("module-%d", i+1))
		p.PrimaryPackagePurpose = "LIBRARY"
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, relation(main.PackageSPDXIdentifier, common.TypeRelationshipContains, p.PackageSPDXIdentifier))
	}
	var b bytes.Buffer
	err = json.Write(doc, &b, json.Indent("  "), json.EscapeHTML(false))
	return b.Bytes(), err
}

func pack(m module, id string) *spdx.Package {
	p := &spdx.Package{
		PackageName: m.path, PackageVersion: m.version, PackageSPDXIdentifier: common.ElementID(id),
		PackageDownloadLocation: noAssertion, PackageLicenseConcluded: noAssertion, PackageLicenseDeclared: noAssertion,
		PackageCopyrightText: noAssertion,
		PackageExternalReferences: []*spdx.PackageExternalReference{
			{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: m.purl},
		},
	}
	if m.cpe != "" {
		p.PackageExternalReferences = append(p.PackageExternalReferences,
			&spdx.PackageExternalReference{Category: common.CategorySecurity, RefType: common.TypeSecurityCPE23Type, Locator: m.cpe})
	}
	if m.sum != "" {
		p.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: m.sum}}
	}
	return p
}

func relation(from common.ElementID, kind string, to common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{RefA: common.DocElementID{ElementRefID: from}, RefB: common.DocElementID{ElementRefID: to}, Relationship: kind}
}
