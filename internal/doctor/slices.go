package doctor

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/leader-elector/leader-elector/internal/engine"
	"github.com/leader-elector/leader-elector/internal/route"
)

// How the sidecar marks its slices.
const (
	serviceLabel = "kubernetes.io/service-name"
	managedLabel = "endpointslice.kubernetes.io/managed-by"
	managedByUs  = "leader-elector.io"
	termNote     = "leader-elector.io/term"
)

// sliceNames are those of a Service's slices, one per address family.
func sliceNames(service string) []string {
	return []string{route.SliceName(service, "IPv4"), route.SliceName(service, "IPv6")}
}

// slice is what is used of an EndpointSlice.
type slice struct {
	Metadata struct {
		Name                string
		Labels, Annotations map[string]string
		OwnerReferences     []struct{ Kind, Name string }
	}
	AddressType string
	Endpoints   []struct {
		Addresses []string
		TargetRef *struct{ Name string }
	}
}

func (s *slice) addresses() (all []string) {
	for _, e := range s.Endpoints {
		all = append(all, e.Addresses...)
	}
	return all
}

// slicesOf looks at all slices of the Service: ours, and those that must not be.
func slicesOf(ctx context.Context, p *patient) {
	if p.cfg.Route != "endpointslice" || p.cfg.Service == "" {
		return
	}
	var list struct{ Items []slice }
	path := fmt.Sprintf("/apis/discovery.k8s.io/v1/namespaces/%s/endpointslices?labelSelector=%s",
		url.PathEscape(p.podNamespace()), url.QueryEscape(serviceLabel+"="+p.cfg.Service))
	if _, err := p.api.fetch(ctx, path, &list); err != nil {
		p.fail(finding{text: fmt.Sprintf("the slices of the Service cannot be listed: %v", err), mend: "see the rights in this report"})
		return
	}
	var ours []slice
	var foreign, makers, empty []string
	for _, s := range list.Items {
		if slices.Contains(sliceNames(p.cfg.Service), s.Metadata.Name) {
			ours = append(ours, s)
			continue
		}
		if len(s.Endpoints) == 0 {
			empty = append(empty, s.Metadata.Name)
			continue
		}
		foreign = append(foreign, s.Metadata.Name)
		makers = append(makers, s.Metadata.Labels[managedLabel])
	}
	p.foreignSlices(foreign, makers)
	p.emptySlices(empty)
	filled := slices.ContainsFunc(ours, func(s slice) bool { return len(s.addresses()) > 0 })
	for i := range ours {
		p.ownSlice(&ours[i], filled)
	}
	if len(foreign) > 0 {
		return // they get the traffic
	}
	if len(ours) == 0 && p.record.held() {
		p.fail(finding{text: fmt.Sprintf("%s leads, but its slice %s is not there: nobody gets traffic", p.record.Holder, strings.Join(sliceNames(p.cfg.Service), " or ")),
			mend: "see the leader's log and its /status (lastError): rights, the selector or foreign slices keep it from writing"})
	} else if len(ours) == 0 {
		p.ok("the Service has no slice of ours yet: the leader makes it")
	}
}

// foreignSlices refuses those that somebody else made.
func (p *patient) foreignSlices(names, makers []string) {
	if len(names) == 0 {
		return
	}
	f := finding{text: fmt.Sprintf("other slices take a share of the traffic, so the leader writes none: %s", quoted(names)), mend: "remove them, and the Endpoints that some are copied from:"}
	if slices.ContainsFunc(makers, func(m string) bool { return strings.HasSuffix(m, "-controller.k8s.io") }) {
		f.commands = []string{p.dropEndpoints()}
	}
	slices.Sort(names)
	f.commands = append(f.commands, p.kubectlHere("delete endpointslice %s", strings.Join(names, " ")))
	p.fail(f)
}

// emptySlices tells of those that add nothing now, and would if somebody filled
// them.
func (p *patient) emptySlices(names []string) {
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	p.warn(finding{text: fmt.Sprintf("other slices of the Service are left over, without an endpoint: %s", quoted(names)),
		mend:     "they get no traffic; remove them, and the Endpoints that some are copied from:",
		commands: []string{p.dropEndpoints(), p.kubectlHere("delete endpointslice %s", strings.Join(names, " "))}})
}

// ownSlice looks whether one of our slices says what the lock says. One of the
// two is empty where the Service or the pod has no addresses of its family.
func (p *patient) ownSlice(s *slice, anyFilled bool) {
	name, addresses := s.Metadata.Name, s.addresses()
	late := "ask again in a moment; if it stays so, see the leader's log and its /status (lastError)"
	term, err := strconv.ParseUint(s.Metadata.Annotations[termNote], 10, 64)
	held := p.record.term()
	byPod := slices.ContainsFunc(s.Metadata.OwnerReferences, func(o struct{ Kind, Name string }) bool { return o.Kind == "Pod" })
	byName := map[bool]string{true: "IPv4", false: "IPv6"}[strings.HasSuffix(name, "-ipv4")]
	switch {
	case s.AddressType != byName:
		p.fail(finding{text: fmt.Sprintf("the slice %s is of addressType %s, which cannot be changed, so the leader does not write it", name, s.AddressType),
			mend: "remove it, the leader makes it anew:", commands: []string{p.kubectlHere("delete endpointslice %s", name)}})
	case len(addresses) > 1:
		p.fail(finding{text: fmt.Sprintf("the slice %s has %d addresses: %s", name, len(addresses), strings.Join(addresses, ", ")),
			mend: "somebody edited it, and the leader should have mended it at once; remove it, the leader makes it anew:", commands: []string{p.kubectlHere("delete endpointslice %s", name)}})
	case len(addresses) == 0 && !anyFilled && p.record.held():
		p.fail(finding{text: fmt.Sprintf("the slice %s is empty although %s leads: nobody gets traffic", name, p.record.Holder), mend: late})
	case err != nil:
		p.warn(finding{text: fmt.Sprintf("the slice %s carries no term: it was made by hand, and the next leader takes it over", name), mend: "nothing, while you are moving over; else " + late})
	case held != 0 && engine.Term(term) < held && p.record.held():
		p.fail(finding{text: fmt.Sprintf("the slice %s is of term %d, the lead of term %v: traffic goes to %s", name, term, held, strings.Join(addresses, ", ")), mend: late})
	case !byPod:
		p.warn(finding{text: fmt.Sprintf("the slice %s is owned by no Pod, so it outlives the leader's", name),
			mend: "it is owned at the next hand-over; use a projected token, which tells the sidecar its pod's uid"})
	default:
		p.ok("the slice %s sends traffic to %s, term %d", name, or(strings.Join(addresses, ", "), "nobody"), term)
	}
}
