package controlplane

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Role is one of rbac.authorization.k8s.io/v1, as far as the shipped ones go.
type Role struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Rules []Rule `json:"rules"`
}

// Rule is one rule of a Role.
type Rule struct {
	APIGroups     []string `json:"apiGroups"`
	Resources     []string `json:"resources"`
	ResourceNames []string `json:"resourceNames,omitempty"`
	Verbs         []string `json:"verbs"`
}

// placeholder is the election, or the Service, that the shipped Roles name.
const placeholder = "example"

// shippedRole reads the Role that users get, so that a test's rights cannot
// drift from it, and puts the election where the placeholder is.
func shippedRole(o CandidateOptions) (*Role, error) {
	file := "role.yaml"
	switch o.Lock {
	case "", "leases":
	case "endpoints":
		file = "role-endpoints.yaml"
	case "endpoints+leases":
		file = "role-endpoints-leases.yaml"
	default:
		return nil, fmt.Errorf("no Role is shipped for the lock %q; there are leases, endpoints and endpoints+leases", o.Lock)
	}
	role, err := readRole(o, "base/"+file, o.Election)
	if err != nil {
		return nil, err
	}
	for file, wanted := range map[string]bool{"endpointslice": o.Service != "", "label": o.Labels, "events": o.Events} {
		if !wanted {
			continue
		}
		more, err := readRole(o, "components/"+file+"/role.yaml", o.Service)
		if err != nil {
			return nil, err
		}
		role.Rules = append(role.Rules, more.Rules...)
	}
	return role, nil
}

// readRole reads one of the files in deploy, puts name where its placeholder is,
// and leaves out the verbs that are to be missing.
func readRole(o CandidateOptions, file, name string) (*Role, error) {
	data, err := os.ReadFile(filepath.Join(here(), "..", "..", "deploy", filepath.FromSlash(file)))
	if err != nil {
		return nil, err
	}
	role := &Role{}
	// Strict: a field that this type lacks would be missing from the test's Role.
	if err := yaml.UnmarshalStrict(data, role); err != nil {
		return nil, fmt.Errorf("deploy/%s: %w", file, err)
	}
	rules := []Rule{} // none is [] in JSON, as null it would be refused
	for _, rule := range role.Rules {
		for i, given := range rule.ResourceNames {
			rest, ok := strings.CutPrefix(given, placeholder)
			if !ok {
				return nil, fmt.Errorf("deploy/%s names %q, where %q is to be put for %q", file, given, name, placeholder)
			}
			rule.ResourceNames[i] = name + rest
		}
		rule.Verbs = slices.DeleteFunc(rule.Verbs, func(v string) bool { return slices.Contains(o.Without, v) })
		if len(rule.Verbs) > 0 {
			rules = append(rules, rule)
		}
	}
	role.Rules = rules
	return role, nil
}
