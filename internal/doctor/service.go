package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/leader-elector/leader-elector/internal/kube"
)

// roleLabel is what label routing sets on pods, and its Service selects.
const roleLabel = "leader-elector.io/role"

// theService is what is used of a Service.
type theService struct {
	Spec struct {
		Type           string
		ClusterIP      string
		Selector       map[string]string
		IPFamilies     []string `json:"ipFamilies"`
		IPFamilyPolicy string   `json:"ipFamilyPolicy"`
		Ports          []struct {
			Name       string
			Port       int
			TargetPort json.RawMessage
		}
	}
}

// service looks whether the Service can be routed as the settings say.
func service(ctx context.Context, p *patient) {
	switch {
	case p.cfg.Route == "none":
		p.ok("--route=none: the app's readinessProbe on /leader decides where traffic goes, or nothing does")
		return
	case p.cfg.Service == "" && p.cfg.Route == "label":
		p.ok("no Service was looked at, as none is named: its selector must have %s=leader", roleLabel)
		return
	case p.cfg.Service == "":
		p.fail(finding{text: "--route=endpointslice without a Service", mend: "give --service=NAME"})
		return
	}
	body, err := p.api.Get(ctx, kube.Ref{APIVersion: "v1", Resource: "services", Namespace: p.podNamespace(), Name: p.cfg.Service})
	var s theService
	switch {
	case errors.Is(err, kube.ErrNotFound):
		p.fail(finding{text: fmt.Sprintf("there is no Service %s/%s", p.podNamespace(), p.cfg.Service), mend: "correct --service, or make it; 80 and 8080 stand for your ports:",
			commands: []string{p.kubectlHere("create service clusterip %s --tcp=80:8080", p.cfg.Service), p.dropSelector()}})
		return
	case errors.Is(err, kube.ErrForbidden) && p.cfg.Route == "label":
		p.ok("the Service was not looked at: this account may not read it, and label routing does not need to")
		return
	case err == nil:
		err = json.Unmarshal(body, &s)
	}
	if err != nil {
		p.fail(finding{text: fmt.Sprintf("the Service cannot be read: %v", err), mend: "see the rights in this report"})
		return
	}
	if s.Spec.Type == "ExternalName" {
		p.fail(finding{text: fmt.Sprintf("the Service %s is an ExternalName: it is a name in DNS, and has no endpoints", p.cfg.Service), mend: "make it a ClusterIP Service: set spec.type, remove spec.externalName"})
		return
	}
	before := len(p.findings)
	if p.cfg.Route == "label" {
		p.labelled(&s)
	} else {
		p.unselected(&s)
		p.ports(&s)
		p.families(&s)
	}
	if len(p.findings) == before {
		p.ok("the Service %s/%s fits --route=%s", p.podNamespace(), p.cfg.Service, p.cfg.Route)
	}
}

// labelled wants the Service to select the leader alone.
func (p *patient) labelled(s *theService) {
	if s.Spec.Selector[roleLabel] == "leader" {
		return
	}
	p.fail(finding{text: fmt.Sprintf("the Service %s does not select %s=leader, so the standbys get traffic too", p.cfg.Service, roleLabel), mend: "add it to the selector:",
		commands: []string{p.kubectlHere(`patch service %s -p '{"spec":{"selector":{"%s":"leader"}}}'`, p.cfg.Service, roleLabel)}})
}

// unselected wants the Service to have no selector.
func (p *patient) unselected(s *theService) {
	if len(s.Spec.Selector) == 0 {
		return
	}
	p.fail(finding{text: fmt.Sprintf("the Service %s has a selector, so Kubernetes adds every ready pod to it", p.cfg.Service),
		mend:     "remove the selector, then what it left behind (docs/moving-to-endpointslice.md does it with no failed request):",
		commands: []string{p.dropSelector(), p.dropEndpoints(), p.dropSlices()}})
}

// ports wants numbers: a name stands for a port of each pod, and the sidecar
// may not read pods.
func (p *patient) ports(s *theService) {
	for i, port := range s.Spec.Ports {
		var name string
		if json.Unmarshal(port.TargetPort, &name) != nil || name == "" {
			continue
		}
		p.fail(finding{text: fmt.Sprintf("the Service's port %d has the targetPort %q by name, which nobody resolves without a selector", port.Port, name),
			mend: fmt.Sprintf("write the number of the container's port; %d stands for it:", port.Port),
			commands: []string{p.kubectlHere(`patch service %s --type=json -p '[{"op":"replace","path":"/spec/ports/%d/targetPort","value":%d}]'`,
				p.cfg.Service, i, port.Port)}})
	}
}

// families wants an address of this pod for each family of the Service.
func (p *patient) families(s *theService) {
	if len(p.cfg.PodIPs) == 0 {
		p.warn(finding{text: "this pod's address is not known, so it cannot be put into a slice", mend: "run doctor in the pod, or give --pod-ip"})
		return
	}
	have := p.podFamilies()
	var lack []string
	for _, f := range s.Spec.IPFamilies {
		if !slices.Contains(have, f) {
			lack = append(lack, f)
		}
	}
	// What the Service only prefers, or a headless one has by default, may lack.
	optional := s.Spec.IPFamilyPolicy == "PreferDualStack" || s.Spec.ClusterIP == "None"
	if len(lack) == 0 || optional && len(lack) < len(s.Spec.IPFamilies) {
		return
	}
	p.fail(finding{text: fmt.Sprintf("the Service is %s, this pod's address is %s: it has none for %s",
		strings.Join(s.Spec.IPFamilies, " and "), strings.Join(p.cfg.PodIPs, ", "), strings.Join(lack, " and ")),
		mend: "set the Service's spec.ipFamilies to what the pods have, or give all addresses with --pod-ip"})
}

// podFamilies are those of this pod's addresses.
func (p *patient) podFamilies() (have []string) {
	for _, text := range p.cfg.PodIPs {
		if ip, err := netip.ParseAddr(strings.TrimSpace(text)); err == nil {
			have = append(have, map[bool]string{true: "IPv4", false: "IPv6"}[ip.Unmap().Is4()])
		}
	}
	return have
}

// kubectlHere is a command on the pod's namespace.
func (p *patient) kubectlHere(format string, args ...any) string {
	return "kubectl -n " + p.podNamespace() + " " + fmt.Sprintf(format, args...)
}

func (p *patient) dropSelector() string {
	return p.kubectlHere(`patch service %s --type=json -p '[{"op":"remove","path":"/spec/selector"}]'`, p.cfg.Service)
}

func (p *patient) dropEndpoints() string {
	return p.kubectlHere("delete endpoints %s --ignore-not-found", p.cfg.Service)
}

// dropSlices removes the slices that do not carry our mark; one that an operator
// makes by hand with it, while moving over, stays.
func (p *patient) dropSlices() string {
	return p.kubectlHere("delete endpointslices -l %s=%s,%s!=%s", serviceLabel, p.cfg.Service, managedLabel, managedByUs)
}
