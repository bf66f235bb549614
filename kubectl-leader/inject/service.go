package inject

import (
	"slices"
	"strings"
)

const (
	electionLabel = "leader-elector.io/election"
	roleLabel     = "leader-elector.io/role"
)

// decideService finds the Service whose traffic shall follow the lead.
func (e *election) decideService(in *input, was string) error {
	if e.route != EndpointSlice && e.route != Label {
		return nil
	}
	name := or(e.o.Service, was)
	if name != "" {
		e.svc = in.byName("Service", name, e.namespace)
		if e.svc == nil && was == name {
			e.service = name // injected before, and this time without it
			return nil
		}
		if e.svc == nil {
			return e.pod.errorf("there is no Service %s/%s in the input; give its file too", e.namespace, name)
		}
	} else if err := e.chooseService(in); err != nil {
		return err
	}
	e.service = e.svc.name
	if e.svc.root().at("spec", "type").text() == "ExternalName" {
		return e.svc.root().at("spec", "type").errorf("the Service %s is an ExternalName, which has no endpoints; make it a ClusterIP", e.service)
	}
	return nil
}

func (e *election) chooseService(in *input) error {
	var found []*object
	var names []string
	governing := ""
	for _, s := range in.all {
		if s.kind != "Service" || in.namespace(s) != e.namespace || !e.selectedBy(s) {
			continue
		}
		if s.name == e.w.root().at("spec", "serviceName").text() && s.root().at("spec", "clusterIP").text() == "None" {
			governing = s.name // its addresses are the pods' names
			continue
		}
		found, names = append(found, s), append(names, s.name)
	}
	switch {
	case len(found) == 1:
		e.svc = found[0]
		return nil
	case len(found) > 1:
		return e.pod.errorf("%d Services lead to the pods of %v: %s; say which one shall follow the lead: --service=NAME", len(found), e.w, strings.Join(names, ", "))
	case governing != "":
		return e.pod.errorf("the one Service of %v is %s, which gives each pod its name; add another one for the leader, or take --route=none", e.w, governing)
	}
	return e.pod.errorf("no Service in the input leads to the pods of %v; give its file too (-f), or take --route=readiness or --route=none", e.w)
}

// selectedBy says whether a Service selects the workload's pods.
func (e *election) selectedBy(s *object) bool {
	selector := s.root().at("spec", "selector").mapping()
	labels := e.w.root().at("spec", "template", "metadata", "labels").mapping()
	n := 0
	for k, v := range selector {
		if k == roleLabel {
			continue // of an earlier injection
		}
		if labels[k] != v {
			return false
		}
		n++
	}
	return n > 0
}

// changeService makes the Service follow the lead.
func (e *election) changeService() error {
	if e.svc == nil {
		return nil
	}
	spec := e.svc.root().at("spec")
	if e.route == Label {
		if spec.at("selector", roleLabel).text() == "leader" {
			return nil
		}
		return spec.at("selector").set(roleLabel, "leader", "")
	}
	if selector := spec.at("selector"); selector.is() {
		if err := selector.silence("the leader writes the address itself. It was:"); err != nil {
			return err
		}
	}
	for _, p := range spec.at("ports").items() {
		if err := e.numberTarget(p); err != nil {
			return err
		}
	}
	return nil
}

// numberTarget makes a number of a port's name: the sidecar may not ask which
// port of a pod a name is.
func (e *election) numberTarget(p place) error {
	target := p.at("targetPort")
	name := target.text()
	if name == "" {
		return nil
	}
	protocol := or(p.at("protocol").text(), "TCP")
	for _, c := range slices.Concat(e.pod.at("containers").items(), e.pod.at("initContainers").items()) {
		for _, q := range list(c.mapping(), "ports") {
			of, _ := q["protocol"].(string)
			if n, ok := q["containerPort"].(int); ok && q["name"] == name && or(of, "TCP") == protocol {
				return target.become(n)
			}
		}
	}
	return target.errorf("the Service %s has the targetPort %q, and no container of %v has a %s port of that name; write its number", e.service, name, e.w, protocol)
}
