package inject_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/kubectl-leader/inject"
)

// living is a Service with a selector and two pods, as a cluster has it.
func living() *inject.Live {
	since := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	return &inject.Live{
		Selector: true, Families: []string{"IPv4"}, Endpoints: true, ByController: true,
		Slices: []inject.LiveSlice{{Name: "nginx-x7k2p", AddressType: "IPv4", Manager: "endpointslice-controller.k8s.io", Filled: true}},
		Ready: []inject.LivePod{
			{Name: "nginx-b", UID: "2", Node: "n2", IPs: []string{"10.0.2.2"}, ReadySince: since.Add(time.Minute), Created: since},
			{Name: "nginx-a", UID: "1", Node: "n1", IPs: []string{"10.0.1.2"}, ReadySince: since, Created: since},
		},
	}
}

func looking(live *inject.Live, err error) inject.Options {
	o := options
	o.Look = func(namespace, service string) (*inject.Live, error) {
		if namespace != "radio" || service != "nginx" {
			return nil, errors.New("the wrong Service is looked at")
		}
		return live, err
	}
	return o
}

// order is kinds and names of an output's objects, as kubectl applies them.
func order(r *inject.Result) (all []string) {
	for _, doc := range strings.Split(string(r.Output), "\n---\n") {
		kind, name := "", ""
		for line := range strings.Lines(doc) {
			if k, ok := strings.CutPrefix(line, "kind: "); ok && kind == "" {
				kind = strings.TrimSpace(k)
			}
			if n, ok := strings.CutPrefix(line, "  name: "); ok && name == "" {
				name = strings.Fields(n)[0]
			}
		}
		all = append(all, kind+"/"+name)
	}
	return all
}

// TestALivingServiceIsMovedInTheOrderThatLeavesNoSecondEndpoint: the address
// that stays is there before the selector goes, what the selector leaves is
// emptied after that, and pods come and go later still.
func TestALivingServiceIsMovedInTheOrderThatLeavesNoSecondEndpoint(t *testing.T) {
	r := run(t, nginx, looking(living(), nil))
	all := order(r)
	at := func(what string) int { return slices.Index(all, what) }
	want := []string{"EndpointSlice/nginx-leader-ipv4", "Service/nginx", "Endpoints/nginx", "EndpointSlice/nginx-x7k2p", "Deployment/nginx"}
	for i, what := range want {
		if at(what) < 0 || i > 0 && at(want[i-1]) > at(what) {
			t.Errorf("the order is %q, and should be %q", all, want)
			break
		}
	}
	if end := all[len(all)-3:]; !slices.Equal(end, []string{"Service/nginx", "Endpoints/nginx", "EndpointSlice/nginx-x7k2p"}) {
		t.Errorf("the end is %q", end)
	}
	out := meaning(t, string(r.Output))
	mine := out["EndpointSlice/nginx-leader-ipv4"]
	if ends := value(mine, "endpoints").([]any); len(ends) != 1 || !reflect.DeepEqual(value(ends[0], "addresses"), []any{"10.0.1.2"}) {
		t.Errorf("the slice leads to %v", ends)
	}
	if value(mine, "metadata", "ownerReferences", 0, "uid") != "1" || value(mine, "ports", 0, "port") != 80 {
		t.Errorf("the slice is %v", mine)
	}
	for _, what := range []any{value(out["EndpointSlice/nginx-x7k2p"], "endpoints"), value(out["Endpoints/nginx"], "subsets")} {
		if !reflect.DeepEqual(what, []any{}) {
			t.Errorf("what is left behind holds %v", what)
		}
	}
	if value(out["Endpoints/nginx"], "metadata", "labels", "endpointslice.kubernetes.io/skip-mirror") != "true" {
		t.Error("Kubernetes would make a slice of the Endpoints again")
	}
	if again := run(t, string(r.Output), looking(living(), nil)); string(again.Output) != string(r.Output) {
		t.Error(differ(string(r.Output), string(again.Output)))
	}
}

func TestTheAddressThatStaysIsOfThePodThatARollEndsLast(t *testing.T) {
	for name, change := range map[string]func(*inject.LivePod){
		"nothing":             nil,
		"it is costly to end": func(p *inject.LivePod) { p.Cost = 5 },
		"the other restarted": func(p *inject.LivePod) { p.ReadySince = p.ReadySince.Add(-time.Hour) },
	} {
		live, want := living(), "10.0.1.2"
		if change != nil {
			change(&live.Ready[0])
			want = "10.0.2.2"
		}
		out := meaning(t, string(run(t, nginx, looking(live, nil)).Output))
		if is := value(out["EndpointSlice/nginx-leader-ipv4"], "endpoints", 0, "addresses", 0); is != want {
			t.Errorf("%s: %v", name, is)
		}
	}
	set := edited(t, nginx, "kind: Deployment", "kind: StatefulSet")
	live := living()
	live.Ready[0].Name, live.Ready[1].Name = "nginx-0", "nginx-10"
	out := meaning(t, string(run(t, set, looking(live, nil)).Output))
	if is := value(out["EndpointSlice/nginx-leader-ipv4"], "endpoints", 0, "addresses", 0); is != "10.0.2.2" {
		t.Errorf("of a StatefulSet: %v", is)
	}
}

func TestAServiceThatIsMovedNeedsNothing(t *testing.T) {
	want := string(run(t, nginx, options).Output)
	moved := living()
	moved.Selector, moved.Endpoints = false, false
	moved.Slices = []inject.LiveSlice{{Name: "nginx-leader-ipv4", AddressType: "IPv4", Manager: "leader-elector.io", Filled: true},
		{Name: "nginx-x7k2p", AddressType: "IPv4", Manager: "endpointslice-controller.k8s.io"}}
	for name, live := range map[string]*inject.Live{"no such Service": nil, "moved": moved} {
		if r := run(t, nginx, looking(live, nil)); string(r.Output) != want || len(r.Moved) > 0 {
			t.Errorf("%s: %s", name, differ(want, string(r.Output)))
		}
	}
}

func TestSlicesThatSomebodyWroteAreNotEmptied(t *testing.T) {
	live := living()
	live.Selector, live.Endpoints = false, false
	live.Slices[0].Manager = "me"
	r := run(t, nginx, looking(live, nil))
	says(t, r, "nginx-x7k2p", "kubectl -n radio delete endpointslice nginx-x7k2p")
	if strings.Contains(string(r.Output), "nginx-x7k2p") {
		t.Error("it is changed")
	}
}

func TestAClusterThatIsAwayIsToldWithTheCommands(t *testing.T) {
	r := run(t, nginx, looking(nil, errors.New("the cluster was not looked at")))
	says(t, r, "was not looked at", "kubectl -n radio delete endpoints nginx --ignore-not-found", "kubectl -n radio delete endpointslices -l ")
}
