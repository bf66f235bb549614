// Package traffic finds the Services that an election decides about, and where
// they point.
package traffic

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/leader-elector/leader-elector/kubectl-leader/candidate"
	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
)

// RoleLabel is the label that label routing writes on the pods.
const RoleLabel = "leader-elector.io/role"

// What marks the slices that leaders write.
const (
	managedBy = "leader-elector.io"
	termNote  = "leader-elector.io/term"
)

// Route is how a Service follows the lead.
type Route string

// The ways.
const (
	EndpointSlice Route = "endpointslice" // the leader writes the Service's only endpoint
	Label         Route = "label"         // the Service selects a label that the leader writes
	Readiness     Route = "readiness"     // only the leader's pod is ready
	Everybody     Route = "none"          // the Service reaches candidates whether they lead or not
)

// Service is one that reaches candidates of an election.
type Service struct {
	Name      string     `json:"name"`
	Route     Route      `json:"route"`
	Missing   bool       `json:"missing,omitempty"` // a candidate names it, and there is none
	Selector  string     `json:"selector"`          // empty: none
	Endpoints []Endpoint `json:"endpoints"`
}

// Endpoint is an address that the Service sends traffic to.
type Endpoint struct {
	Address string `json:"address"`
	Pod     string `json:"pod"`            // empty: the slice does not say
	Ready   bool   `json:"ready"`          // only a ready one gets traffic
	Slice   string `json:"slice"`          // the EndpointSlice that says so
	Term    string `json:"term,omitempty"` // of the leader that wrote it
}

// Find reads the Services that candidates name or that select them, and their
// slices.
func Find(ctx context.Context, c *cluster.Client, namespace string, candidates []*candidate.Candidate) ([]Service, error) {
	all, err := c.Core.Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, cluster.Need{Verb: "list", Resource: "services", Namespace: namespace}.Explain(err)
	}
	found := concerned(all.Items, candidates)
	if len(found) == 0 {
		return nil, nil
	}
	for i := range found {
		list, err := c.Discovery.EndpointSlices(namespace).List(ctx, metav1.ListOptions{
			LabelSelector: labels.Set{discoveryv1.LabelServiceName: found[i].Name}.String(),
		})
		if err != nil {
			return nil, cluster.Need{Verb: "list", Group: "discovery.k8s.io", Resource: "endpointslices", Namespace: namespace}.Explain(err)
		}
		found[i].Endpoints = endpoints(list.Items)
	}
	return found, nil
}

// concerned are the Services that reach candidates, and those that should.
func concerned(all []corev1.Service, candidates []*candidate.Candidate) []Service {
	found := []Service{}
	named := map[string]bool{}
	for _, k := range candidates {
		if k.Settings["route"] == string(EndpointSlice) && k.Settings["service"] != "" {
			named[k.Settings["service"]] = true
		}
	}
	for _, s := range all {
		selector := labels.Set(s.Spec.Selector).String()
		switch {
		case named[s.Name]:
			delete(named, s.Name)
			found = append(found, Service{Name: s.Name, Route: EndpointSlice, Selector: selector})
		case len(s.Spec.Selector) == 0:
		case s.Spec.PublishNotReadyAddresses: // it is for finding peers
		default:
			if route, ok := selects(&s, candidates); ok {
				found = append(found, Service{Name: s.Name, Route: route, Selector: selector})
			}
		}
	}
	for name := range named {
		found = append(found, Service{Name: name, Route: EndpointSlice, Missing: true})
	}
	slices.SortFunc(found, func(a, b Service) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// selects says whether a Service selects candidates, and how it follows the lead.
func selects(s *corev1.Service, candidates []*candidate.Candidate) (Route, bool) {
	want := map[string]string{}
	for k, v := range s.Spec.Selector {
		if k != RoleLabel {
			want[k] = v
		}
	}
	_, byRole := s.Spec.Selector[RoleLabel]
	for _, k := range candidates {
		switch {
		case !labels.SelectorFromSet(want).Matches(labels.Set(k.Pod.Labels)):
		case byRole:
			return Label, true
		case asksWhoLeads(k.Pod):
			return Readiness, true
		default:
			return Everybody, true
		}
	}
	return "", false
}

// asksWhoLeads says whether a readiness probe of the pod asks the sidecar who
// leads, so that only the leader is ready.
func asksWhoLeads(pod *corev1.Pod) bool {
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		switch p := c.ReadinessProbe; {
		case p == nil:
		case p.HTTPGet != nil && p.HTTPGet.Path == "/leader":
			return true
		case p.Exec != nil:
			command := strings.Join(p.Exec.Command, " ")
			if strings.Contains(command, "probe leader") || strings.Contains(command, fmt.Sprintf(":%d", candidate.DefaultPort)) {
				return true
			}
		}
	}
	return false
}

func endpoints(list []discoveryv1.EndpointSlice) []Endpoint {
	found := []Endpoint{}
	for _, s := range list {
		term := ""
		if s.Labels[discoveryv1.LabelManagedBy] == managedBy {
			term = s.Annotations[termNote]
		}
		for _, e := range s.Endpoints {
			pod := ""
			if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
				pod = e.TargetRef.Name
			}
			for _, address := range e.Addresses {
				found = append(found, Endpoint{
					Address: address, Pod: pod, Slice: s.Name, Term: term,
					Ready: e.Conditions.Ready == nil || *e.Conditions.Ready,
				})
			}
		}
	}
	slices.SortFunc(found, func(a, b Endpoint) int { return strings.Compare(a.Address, b.Address) })
	return found
}

// Exclusive says whether the Service is meant to reach the leader alone.
func (s *Service) Exclusive() bool { return s.Route != Everybody }

// Pods are those that get traffic, each once, by name or else by address.
func (s *Service) Pods() []string {
	var names []string
	for _, e := range s.Endpoints {
		name := e.Pod
		if name == "" {
			name = e.Address
		}
		if e.Ready && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
