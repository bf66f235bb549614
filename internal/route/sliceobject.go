package route

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"time"

	elector "github.com/leader-elector/leader-elector"
)

// What marks our slices.
const (
	labelService   = "kubernetes.io/service-name"
	labelManagedBy = "endpointslice.kubernetes.io/managed-by"
	managedBy      = "leader-elector.io"
	noteTerm       = "leader-elector.io/term"   // of the leader that wrote it, decimal
	noteWriter     = "leader-elector.io/writer" // the pod's UID and the process's start
)

// families are all there are, each with a slice of its own, as a slice's
// addresses are of one family.
var families = []string{"IPv4", "IPv6"}

// SliceName is the name of the slice for a Service's addresses of a family,
// "IPv4" or "IPv6": foreseeable, so that a Role can name it.
func SliceName(service, family string) string {
	return service + "-leader-" + strings.ToLower(family)
}

// slice is an EndpointSlice, as far as we read and write it.
type slice struct {
	APIVersion  string          `json:"apiVersion"`
	Kind        string          `json:"kind"`
	Metadata    sliceMeta       `json:"metadata"`
	AddressType string          `json:"addressType"`
	Endpoints   json.RawMessage `json:"endpoints"`
	Ports       json.RawMessage `json:"ports"`
}

type sliceMeta struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace"`
	UID             string            `json:"uid,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
	OwnerReferences json.RawMessage   `json:"ownerReferences,omitempty"`
	Finalizers      []string          `json:"finalizers,omitempty"`
}

type endpoint struct {
	Addresses  []string   `json:"addresses"`
	Conditions conditions `json:"conditions"`
	TargetRef  reference  `json:"targetRef"`
	NodeName   string     `json:"nodeName,omitempty"`
}

type conditions struct {
	Ready       bool `json:"ready"`
	Serving     bool `json:"serving"`
	Terminating bool `json:"terminating"`
}

type reference struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
}

type owner struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
}

func parseSlice(body []byte) (*slice, error) {
	s := &slice{}
	if err := json.Unmarshal(body, s); err != nil {
		return nil, err
	}
	if s.Metadata.UID == "" || s.Metadata.ResourceVersion == "" {
		return nil, errors.New("the slice has no uid or no resourceVersion")
	}
	return s, nil
}

// version is the slice's resourceVersion as a number (KEP-5504); zero if it is
// none.
func (s *slice) version() uint64 {
	if s == nil {
		return 0
	}
	v, _ := strconv.ParseUint(s.Metadata.ResourceVersion, 10, 64)
	return v
}

// term is what the slice says of the term that it was written in.
func (s *slice) term() (elector.Term, error) {
	text, ok := s.Metadata.Annotations[noteTerm]
	if !ok {
		return 0, errors.New("it has no term")
	}
	term, err := strconv.ParseUint(text, 10, 64)
	if err != nil || term == 0 {
		return 0, fmt.Errorf("its term %q is not one", text)
	}
	return elector.Term(term), nil
}

// claimed says whether a slice of our name is marked as somebody else's.
func (s *slice) claimed(service string) string {
	if other := s.Metadata.Labels[labelService]; other != "" && other != service && s.Metadata.Labels[labelManagedBy] != managedBy {
		return other
	}
	return ""
}

// addresses are all that the slice holds, for people.
func (s *slice) addresses() []string {
	var endpoints []endpoint
	addresses := []string{}
	if json.Unmarshal(s.Endpoints, &endpoints) == nil {
		for _, e := range endpoints {
			addresses = append(addresses, e.Addresses...)
		}
	}
	return addresses
}

// draw makes what the slice of a family must say in a term: what the Service
// takes of it, or no address at all. What else old holds in labels, annotations
// and finalizers is kept, as it is others'.
func (s *Slices) draw(old *slice, family string, svc *service, term elector.Term) *slice {
	put := &slice{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice", AddressType: family}
	put.Metadata = sliceMeta{Name: SliceName(s.cfg.Service, family), Namespace: s.cfg.Pod.Namespace}
	labels, notes := map[string]string{}, map[string]string{}
	if old != nil {
		put.Metadata.UID, put.Metadata.ResourceVersion = old.Metadata.UID, old.Metadata.ResourceVersion
		put.Metadata.Finalizers = old.Metadata.Finalizers
		maps.Copy(labels, old.Metadata.Labels)
		maps.Copy(notes, old.Metadata.Annotations)
	}
	labels[labelService], labels[labelManagedBy] = s.cfg.Service, managedBy
	notes[noteTerm], notes[noteWriter] = term.String(), s.writer
	put.Metadata.Labels, put.Metadata.Annotations = labels, notes
	pod := s.cfg.Pod
	put.Metadata.OwnerReferences = encode([]owner{{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}})
	endpoints := []endpoint{}
	if ip, ok := pod.IP(family); ok && svc.wants(family) {
		endpoints = append(endpoints, endpoint{
			Addresses:  []string{ip.String()},
			Conditions: conditions{Ready: true, Serving: true},
			TargetRef:  reference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
			NodeName:   pod.Node,
		})
	}
	put.Endpoints, put.Ports = encode(endpoints), encode(svc.ports)
	return put
}

// says tells whether s already is what put would make of it.
func (s *slice) says(put *slice) bool {
	return maps.Equal(s.Metadata.Labels, put.Metadata.Labels) && maps.Equal(s.Metadata.Annotations, put.Metadata.Annotations) &&
		same(s.Metadata.OwnerReferences, put.Metadata.OwnerReferences) &&
		same(s.Endpoints, put.Endpoints) && same(s.Ports, put.Ports)
}

// emptied is the slice without an address, for the one write after a release.
func (s *slice) emptied() *slice {
	put := *s
	put.APIVersion, put.Kind = "discovery.k8s.io/v1", "EndpointSlice"
	put.Endpoints = json.RawMessage("[]")
	return &put
}

// same compares two lists as JSON, whatever the order of their fields. A list
// that is null or left out is an empty one.
func same(a, b json.RawMessage) bool {
	var x, y []any
	return (len(a) == 0 || json.Unmarshal(a, &x) == nil) && (len(b) == 0 || json.Unmarshal(b, &y) == nil) &&
		(len(x) == 0 && len(y) == 0 || reflect.DeepEqual(x, y))
}

func encode(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types are always JSON
	}
	return data
}

// state is one slice as this process last knew it in the server's own words.
type state struct {
	slice *slice
	mine  bool      // its content is what this process wrote
	since time.Time // that its content has been ours in this term
}
