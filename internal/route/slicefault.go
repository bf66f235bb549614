package route

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/leader-elector/leader-elector/internal/kube"
)

// faultKind says what can be done about a fault.
type faultKind int

const (
	// shared: no other candidate would do better (a right, the Service, its
	// ports), so the lead is kept.
	shared faultKind = iota
	// refused: a selector or other slices would put addresses beside ours, so
	// nothing is written. An operator who removes them waits for us.
	refused
	// alone: the requests do not get through; another candidate's may.
	alone
	// doubtful: the slice may be a successor's, and this lead is not confirmed.
	doubtful
	// raced: somebody wrote since we read.
	raced
)

// fault is why the traffic does not follow the lead.
type fault struct {
	kind faultKind
	err  error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func refusef(format string, args ...any) error {
	return &fault{kind: refused, err: fmt.Errorf(format, args...)}
}

// kindOf sorts a fault; what the API server did not answer, or answered as if
// it were ill, may be this candidate's connection alone.
func kindOf(err error) faultKind {
	var f *fault
	if errors.As(err, &f) {
		return f.kind
	}
	var e *kube.Error
	switch {
	case !errors.As(err, &e):
		return shared
	case e.Status == 0, e.Status >= 500, e.Status == http.StatusTooManyRequests:
		return alone
	case e.Status == http.StatusConflict:
		return raced
	}
	return shared
}

// worst is the fault that decides what is done, of several; its text is all of
// theirs. One that could be this candidate's alone says least about the others.
func worst(errs ...error) error {
	var texts []string
	var all []error
	kind, some := alone, false
	for _, err := range errs {
		if err == nil {
			continue
		}
		if k := kindOf(err); !some || kind == alone || k == refused {
			kind, some = k, true
		}
		if text := err.Error(); !strings.Contains(strings.Join(texts, "; "), text) {
			texts, all = append(texts, text), append(all, err)
		}
	}
	switch {
	case len(all) == 0:
		return nil
	case len(all) == 1 || kind == alone: // of a connection, one says it all
		return all[0]
	}
	return &fault{kind: kind, err: &several{text: strings.Join(texts, "; "), errs: all}}
}

// several are faults told in one line.
type several struct {
	text string
	errs []error
}

func (s *several) Error() string   { return s.text }
func (s *several) Unwrap() []error { return s.errs }

// missing says that the object is not there, which the server itself said.
func missing(err error) bool { return errors.Is(err, kube.ErrNotFound) }

// bad makes a fault out of what keeps this Service from being served, or nil.
func (s *Slices) bad(p *picture) error {
	namespace, name := s.cfg.Pod.Namespace, s.cfg.Service
	where := namespace + "/" + name
	svc := p.service
	if svc.Spec.Type == "ExternalName" {
		return &fault{err: fmt.Errorf("the Service %s is an ExternalName, which has no endpoints; make it a ClusterIP", where)}
	}
	if len(svc.Spec.Selector) > 0 {
		return refusef("the Service %s has a selector, so Kubernetes writes addresses of its own; nothing is written beside them; remove it: "+
			`kubectl -n %s patch service %s --type=json -p '[{"op":"remove","path":"/spec/selector"}]'`, where, namespace, name)
	}
	if len(p.foreign) > 0 {
		return refusef("the Service %s has endpoint slices that the elector did not write, and nothing is written beside them; remove them, and the Endpoints that Kubernetes would make them of again: "+
			"kubectl -n %s delete endpoints %s --ignore-not-found; kubectl -n %s delete endpointslices %s", where, namespace, name, namespace, strings.Join(p.foreign, " "))
	}
	for family, own := range p.own {
		if own == nil {
			continue
		}
		if other := own.claimed(name); other != "" {
			return refusef("the endpoint slice %s/%s belongs to the Service %s, and nothing is written over it; rename or remove it: kubectl -n %s delete endpointslice %s",
				namespace, own.Metadata.Name, other, namespace, own.Metadata.Name)
		}
		if own.AddressType != family {
			return refusef("the endpoint slice %s/%s has the addressType %q, which cannot be changed to %q; remove it: kubectl -n %s delete endpointslice %s",
				namespace, own.Metadata.Name, own.AddressType, family, namespace, own.Metadata.Name)
		}
	}
	if err := svc.resolve(); err != nil {
		return &fault{err: fmt.Errorf("the Service %s: %w", where, err)}
	}
	return nil
}

// unserved is the fault of families that the Service promises and the pod lacks.
// A headless Service without a selector promises both by default, whatever the
// cluster has.
func (s *Slices) unserved(svc *service) error {
	var served, lacking []string
	for _, family := range svc.Spec.IPFamilies {
		if _, ok := s.cfg.Pod.IP(family); ok {
			served = append(served, family)
		} else {
			lacking = append(lacking, family)
		}
	}
	optional := svc.Spec.IPFamilyPolicy == "PreferDualStack" || svc.Spec.ClusterIP == "None"
	if len(lacking) == 0 || len(served) > 0 && optional {
		return nil
	}
	return &fault{err: fmt.Errorf("the Service %s/%s wants %s, and the pod has no such address (it has %v); change the Service's ipFamilies, or give --pod-ip",
		s.cfg.Pod.Namespace, s.cfg.Service, strings.Join(lacking, " and "), s.cfg.Pod.IPs)}
}

// CheckRights says which rules are missing for what a leader does.
func (s *Slices) checkRights(ctx context.Context) error {
	type right struct {
		verb string
		ref  kube.Ref
	}
	rights := []right{{"get", s.service}, {"list", s.slices}, {"create", s.slices}}
	for _, family := range s.podFamilies() {
		for _, verb := range []string{"get", "watch", "update"} {
			rights = append(rights, right{verb, s.ref(family)})
		}
	}
	var rules []string
	for _, r := range rights {
		ok, err := s.cfg.Client.May(ctx, r.verb, r.ref)
		switch {
		case kube.Unaskable(err):
			return nil
		case err != nil:
			return fmt.Errorf("the rights cannot be checked: %w", err)
		case !ok:
			rules = append(rules, r.ref.Rule(r.verb))
		}
	}
	if len(rules) == 0 {
		return nil
	}
	return &fault{err: fmt.Errorf("this account may not write the endpoint slices of the Service %s/%s; add to the Role: %s",
		s.cfg.Pod.Namespace, s.cfg.Service, strings.Join(rules, " and "))}
}
