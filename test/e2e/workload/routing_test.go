package workload

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

func slice(kind, name string, ready bool, addresses ...string) controlplane.Change {
	list, _ := json.Marshal(addresses)
	return controlplane.Change{Type: kind, Object: fmt.Appendf(nil,
		`{"metadata":{"name":%q},"endpoints":[{"addresses":%s,"conditions":{"ready":%v}}]}`, name, list, ready)}
}

func TestTwoAddressesAreSeenAtTheirEvent(t *testing.T) {
	for name, c := range map[string]struct {
		events []controlplane.Change
		two    int
		moves  int
	}{
		"one is replaced in one write": {[]controlplane.Change{slice("ADDED", "s", true, "10.0.0.1"), slice("MODIFIED", "s", true, "10.0.0.2")}, 0, 2},
		"two slices, two addresses":    {[]controlplane.Change{slice("ADDED", "s", true, "10.0.0.1"), slice("ADDED", "t", true, "10.0.0.2"), slice("DELETED", "s", true, "10.0.0.1")}, 1, 3},
		"two slices, one address":      {[]controlplane.Change{slice("ADDED", "s", true, "10.0.0.1"), slice("ADDED", "t", true, "10.0.0.1"), slice("DELETED", "s", true)}, 0, 1},
		"a pod that is not ready":      {[]controlplane.Change{slice("ADDED", "s", true, "10.0.0.1"), slice("ADDED", "t", false, "10.0.0.2")}, 0, 1},
		"one of each family":           {[]controlplane.Change{slice("ADDED", "s", true, "10.0.0.1"), slice("ADDED", "t", true, "fd00::1")}, 0, 2},
		"a list is of one instant":     {[]controlplane.Change{slice("ADDED", "s", true, "10.0.0.1"), {Type: "LISTING"}, slice("LISTED", "t", true, "10.0.0.2"), slice("LISTED", "s", false), {Type: "SYNCED"}}, 0, 2},
	} {
		r := &Routing{kind: EndpointSlice, shown: map[string]target{}}
		for _, e := range c.events {
			r.tell(e)
		}
		if two := r.Two(); len(two) != c.two || len(r.Moves()) != c.moves {
			t.Errorf("%s: two at %v, want %d; moves %v, want %d", name, two, c.two, r.Moves(), c.moves)
		}
	}
}

func TestTwoLabelledPodsAreSeen(t *testing.T) {
	pod := func(name, role string) controlplane.Change {
		return controlplane.Change{Type: "MODIFIED", Object: fmt.Appendf(nil, `{"metadata":{"name":%q,"labels":{"leader-elector.io/role":%q}}}`, name, role)}
	}
	r := &Routing{kind: Label, shown: map[string]target{}}
	for _, e := range []controlplane.Change{pod("a", "leader"), pod("a", "standby"), pod("b", "leader")} {
		r.tell(e)
	}
	if len(r.Two()) > 0 {
		t.Error(r.Two())
	}
	r.tell(pod("a", "leader"))
	if len(r.Two()) != 1 {
		t.Errorf("a and b are labelled, and that is seen as %v", r.Two())
	}
}
