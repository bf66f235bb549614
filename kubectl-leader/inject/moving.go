package inject

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Live is what a cluster holds of a Service.
type Live struct {
	Selector bool // it has one now
	Families []string
	Slices   []LiveSlice
	// Endpoints says whether the Service's Endpoints object holds an address.
	Endpoints bool
	// ByController says whether Kubernetes wrote that object for a selector.
	ByController bool
	// Ready are the pods that get its traffic now.
	Ready []LivePod
}

// LiveSlice is one EndpointSlice of the Service.
type LiveSlice struct {
	Name, AddressType, Manager string
	Filled                     bool // it holds an endpoint
}

// LivePod is a pod behind the Service.
type LivePod struct {
	Name, UID, Node string
	IPs             []string
	ReadySince      time.Time
	Created         time.Time
	Restarts        int
	Cost            int // its controller.kubernetes.io/pod-deletion-cost
}

// managers are the controllers that write slices for a Service with a selector,
// or of an Endpoints object. Theirs are left behind; others' are somebody's.
var managers = []string{"endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"}

func sliceName(service, family string) string {
	return service + "-leader-" + strings.ToLower(family)
}

// move makes a Service that lives with a selector, or with what one left behind,
// one whose addresses only the leader writes. Objects can be written here and
// not deleted, so what is left behind is emptied; and one of the present
// addresses is written where the leader will write its own, so that nobody is
// without an answer until the first leader is elected.
func (p *product) move(e *election) error {
	if e.route != EndpointSlice || e.o.Look == nil || e.svc == nil {
		return nil
	}
	live, err := e.o.Look(e.namespace, e.service)
	if err != nil {
		e.notef("%v", err)
		for _, line := range byHand(e.namespace, e.service) {
			e.notef("%s", line)
		}
		return nil
	}
	if live == nil {
		return nil
	}
	var left, others []LiveSlice
	for _, s := range live.Slices {
		switch {
		case s.Name == sliceName(e.service, "IPv4") || s.Name == sliceName(e.service, "IPv6") || !s.Filled:
		case slices.Contains(managers, s.Manager):
			left = append(left, s)
		default:
			others = append(others, s)
		}
	}
	for _, s := range others {
		e.notef("the EndpointSlice %s of the Service %s is somebody's (%s), and nothing is routed beside it: kubectl -n %s delete endpointslice %s",
			s.Name, e.service, or(s.Manager, "no manager"), e.namespace, s.Name)
	}
	if len(left) == 0 && !live.Selector && !(live.Endpoints && live.ByController) {
		return nil
	}
	p.moved = append(p.moved, e.namespace+"/"+e.service)
	wiped := p.wiped(e, live, left)
	if len(wiped) == 0 {
		return nil // an earlier injection put them out
	}
	p.prewrite(e, live)
	// All this is applied before the workload, and so is the Service, which
	// stands further down as well: pods that come and go have the controllers
	// write for the Service again, and one that has not heard yet that the
	// selector is gone would fill what is emptied. For the same reason it is
	// emptied once more at the end.
	svc, _ := ordered(e.svc.root().value()).(fields)
	p.before = append(append(p.before, svc), wiped...)
	p.after = append(p.after, wiped...)
	e.notef("the Service %s has had a selector; what that leaves behind is emptied, and can be removed when the leader serves: %s", e.service, cleanup(e.namespace, e.service))
	return nil
}

// prewrite puts one of the present addresses into the slice that the leader
// will replace. It is owned by its pod, so it does not outlive it.
func (p *product) prewrite(e *election, live *Live) {
	if len(live.Ready) == 0 {
		return
	}
	pod := slices.MaxFunc(live.Ready, func(a, b LivePod) int { return e.stays(a, b, live.Ready) })
	for _, family := range live.Families {
		name := sliceName(e.service, family)
		there := slices.ContainsFunc(live.Slices, func(s LiveSlice) bool { return s.Name == name }) || p.in.byName("EndpointSlice", name, e.namespace) != nil
		i := slices.IndexFunc(pod.IPs, func(ip string) bool { return strings.Contains(ip, ":") == (family == "IPv6") })
		if there || i < 0 {
			continue
		}
		endpoint := fields{
			{"addresses", words(pod.IPs[i])}, {"conditions", fields{{"ready", true}, {"serving", true}, {"terminating", false}}},
			{"targetRef", fields{{"kind", "Pod"}, {"namespace", e.namespace}, {"name", pod.Name}, {"uid", pod.UID}}},
		}
		if pod.Node != "" {
			endpoint = append(endpoint, field{"nodeName", pod.Node})
		}
		m := append(meta(name, e.namespace),
			field{"labels", fields{{"kubernetes.io/service-name", e.service}, {"endpointslice.kubernetes.io/managed-by", "leader-elector.io"}}},
			field{"ownerReferences", []any{fields{{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", pod.Name}, {"uid", pod.UID}}}})
		p.before = append(p.before, fields{{"apiVersion", "discovery.k8s.io/v1"}, {"kind", "EndpointSlice"}, {"metadata", m},
			{"addressType", family}, {"ports", e.slicePorts()}, {"endpoints", []any{endpoint}}})
		e.notef("until the first leader is elected, the Service %s leads to %s (%s)", e.service, pod.Name, pod.IPs[i])
	}
}

// stays says which of two pods a roll ends later: of a StatefulSet the one with
// the lower ordinal; of a ReplicaSet the one that its controller likes to keep.
func (e *election) stays(a, b LivePod, all []LivePod) int {
	if e.w.kind == "StatefulSet" {
		return ordinal(b.Name) - ordinal(a.Name)
	}
	crowd := func(p LivePod) (n int) {
		for _, q := range all {
			if q.Node == p.Node {
				n++
			}
		}
		return n
	}
	for _, n := range []int{a.Cost - b.Cost, crowd(b) - crowd(a), b.ReadySince.Compare(a.ReadySince), b.Restarts - a.Restarts, b.Created.Compare(a.Created)} {
		if n != 0 {
			return n
		}
	}
	return strings.Compare(b.Name, a.Name)
}

func ordinal(name string) (n int) {
	fmt.Sscanf(name[strings.LastIndex(name, "-")+1:], "%d", &n)
	return n
}

// slicePorts are the Service's, as the leader will write them.
func (e *election) slicePorts() (ports []any) {
	for _, s := range list(map[string]any{"ports": e.svc.root().at("spec", "ports").value()}, "ports") {
		number := s["targetPort"]
		if number == nil {
			number = s["port"]
		}
		name, _ := s["name"].(string)
		protocol, _ := s["protocol"].(string)
		port := fields{{"name", name}, {"protocol", or(protocol, "TCP")}, {"port", number}}
		if app, ok := s["appProtocol"].(string); ok {
			port = append(port, field{"appProtocol", app})
		}
		ports = append(ports, port)
	}
	return ports
}

// wiped is what a selector leaves behind, without an endpoint. The label keeps
// Kubernetes from making slices of the Endpoints object again.
func (p *product) wiped(e *election, live *Live, left []LiveSlice) (all []fields) {
	if (live.Endpoints && live.ByController || live.Selector) && p.in.byName("Endpoints", e.service, e.namespace) == nil {
		all = append(all, fields{{"apiVersion", "v1"}, {"kind", "Endpoints"},
			{"metadata", append(meta(e.service, e.namespace), field{"labels", fields{{"endpointslice.kubernetes.io/skip-mirror", "true"}}})},
			{"subsets", []any{}}})
	}
	for _, s := range left {
		if p.in.byName("EndpointSlice", s.Name, e.namespace) != nil {
			continue
		}
		all = append(all, fields{{"apiVersion", "discovery.k8s.io/v1"}, {"kind", "EndpointSlice"}, {"metadata", meta(s.Name, e.namespace)},
			{"addressType", s.AddressType}, {"ports", []any{}}, {"endpoints", []any{}}})
	}
	return all
}

// cleanup removes what a selector left behind.
func cleanup(namespace, service string) string {
	return fmt.Sprintf("kubectl -n %[1]s delete endpoints %[2]s --ignore-not-found; kubectl -n %[1]s delete endpointslices -l 'kubernetes.io/service-name=%[2]s,endpointslice.kubernetes.io/managed-by!=leader-elector.io'", namespace, service)
}

// byHand is what to do where the cluster could not be asked.
func byHand(namespace, service string) []string {
	return []string{"if the Service " + service + " lives there with a selector, apply this and then remove what the selector leaves behind: " + cleanup(namespace, service)}
}
