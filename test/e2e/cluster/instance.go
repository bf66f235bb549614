package cluster

import (
	"fmt"
	"os"
	"regexp"
)

// instanceVariable names one of several clusters on a machine. Empty is the
// one that stands when nobody says anything.
const instanceVariable = "LEADER_ELECTOR_E2E_INSTANCE"

// Instance is the name of this process's cluster. All that a cluster puts
// outside its network namespaces is named after it, so that several stand side
// by side and each takes only itself down; what is inside (addresses, ports,
// bridges) needs no names, since namespaces keep it apart.
func Instance() string { return os.Getenv(instanceVariable) }

// CheckInstance refuses a name that would not be a part of one path, or make
// the sockets' paths too long.
func CheckInstance() error {
	if name := Instance(); !regexp.MustCompile(`^[a-z0-9]{0,8}$`).MatchString(name) {
		return fmt.Errorf("%s=%q: it is at most eight small letters and digits", instanceVariable, name)
	}
	return nil
}

// named is a name of the instance's own.
func named(name string) string {
	if Instance() == "" {
		return name
	}
	return name + "-" + Instance()
}

// Dir is the cluster's folder: everything but the programs and images is below
// it. Sockets' paths are short, so it cannot be just anywhere.
func Dir() string {
	if dir := os.Getenv("LEADER_ELECTOR_E2E_DIR"); dir != "" {
		return named(dir)
	}
	return named("/var/lib/leader-elector-e2e")
}

// spaceOf is the name of the network namespace of a node, or of the control
// plane (""). An instance's come before the product's name: versions that knew
// one cluster only remove every namespace that begins with it.
func spaceOf(node string) string {
	name := "leader-elector"
	if Instance() != "" {
		name = "e2e-" + Instance() + "-" + name
	}
	if node != "" {
		name += "-" + node
	}
	return name
}

// spaces are the files of the instance's network namespaces that are there.
func spaces() []string {
	var there []string
	for _, node := range append([]string{""}, nodeNames...) {
		if _, err := os.Lstat(netns(spaceOf(node))); err == nil {
			there = append(there, netns(spaceOf(node)))
		}
	}
	return there
}
