package cluster

import (
	"strings"
	"testing"
)

func TestInstancesShareNothingOutsideTheirNamespaces(t *testing.T) {
	seen := map[string]string{}
	for _, instance := range []string{"", "2", "ci"} {
		t.Setenv(instanceVariable, instance)
		if err := CheckInstance(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{Dir() + "/", claimPath(), netns(spaceOf("")), netns(spaceOf("a")), netns(spaceOf("b"))} {
			if other, taken := seen[name]; taken {
				t.Errorf("%q and %q share %s", other, instance, name)
			}
			seen[name] = instance
			// What one instance sweeps, it finds by its folder's name as a prefix.
			for s, other := range seen {
				if other != instance && strings.HasPrefix(name, s) {
					t.Errorf("%s of %q begins with %s of %q", name, instance, s, other)
				}
			}
		}
	}
	for s, instance := range seen {
		if instance != "" && strings.HasPrefix(s, netns("leader-elector")) {
			t.Errorf("a version that knew one cluster only removes %s", s)
		}
	}
}

func TestAnInstanceIsAPartOfAPath(t *testing.T) {
	for _, bad := range []string{"../x", "a b", "A", "much-too-long", "-"} {
		t.Setenv(instanceVariable, bad)
		if CheckInstance() == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
