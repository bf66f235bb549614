package release

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

const (
	plugin   = "kubectl-leader"
	krewFile = "leader.yaml"
)

// krew is the manifest by which `kubectl krew install` finds the plugin.
func (r Release) krew(p product, made map[string][]byte) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: leader
spec:
  version: %s
  homepage: https://github.com/leader-elector/leader-elector
  shortDescription: See and move the leaders of elections
  description: |
    Lists elections and who leads them, tells what is wrong with one, moves a
    lead to another pod, pauses an election, and puts the leader-elector sidecar
    into a workload.
  platforms:
`, r.Version)
	for _, platform := range p.platforms {
		name := r.archiveName(p, platform)
		fmt.Fprintf(&b, `    - selector:
        matchLabels: { os: %s, arch: %s }
      uri: %s/%s
      sha256: %x
      bin: %s
`, platform.OS, platform.Architecture, r.Base, name, sha256.Sum256(made[name]), executable(p, platform))
	}
	return []byte(b.String())
}
