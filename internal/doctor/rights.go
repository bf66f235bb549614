package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/leader-elector/leader-elector/internal/kube"
)

// need is what a part of the sidecar must be allowed to do with one resource.
type need struct {
	part      string // for people
	version   string // with its API group
	resource  string
	namespace string
	names     []string // empty: of all names
	verbs     []string
	without   Level  // how bad it is if verbs are missing
	effect    string // what does not work then
}

// needs is all that this configuration must be allowed to do: the shipped Roles,
// no more.
func (p *patient) needs() []need {
	c := p.cfg
	var all []need
	for _, kind := range p.locks() {
		all = append(all,
			need{"the lock", version(kind), kind, c.Namespace, []string{c.Election}, []string{"get", "update"}, Fail, "it cannot take part"},
			need{"the lock", version(kind), kind, c.Namespace, nil, []string{"create"}, Fail, "it is not ready, and cannot make a missing lock"},
			need{"the lock", version(kind), kind, c.Namespace, []string{c.Election}, []string{"list", "watch"}, Warn, "it polls, and sees a hand-over later"})
	}
	ns := p.podNamespace()
	switch c.Route {
	case "endpointslice":
		names := p.ownNames()
		all = append(all,
			need{"the slices", "discovery.k8s.io/v1", "endpointslices", ns, names, []string{"get", "update"}, Fail, "traffic does not follow the lead"},
			need{"the slices", "discovery.k8s.io/v1", "endpointslices", ns, nil, []string{"create"}, Fail, "traffic does not follow the first lead"},
			need{"the slices", "discovery.k8s.io/v1", "endpointslices", ns, nil, []string{"list"}, Fail, "it cannot tell whether other slices take a share of the traffic"},
			need{"the slices", "discovery.k8s.io/v1", "endpointslices", ns, names, []string{"watch"}, Warn, "it does not see at once that somebody changed its slice"},
			need{"the Service", "v1", "services", ns, []string{c.Service}, []string{"get"}, Fail, "its ports are not known, so traffic does not follow the lead"})
	case "label":
		all = append(all, need{"the pods", "v1", "pods", ns, nil, []string{"list", "watch", "patch"}, Fail, "traffic does not follow the lead"})
	}
	if c.Events {
		for _, ns := range slices.Compact([]string{c.Namespace, ns}) {
			all = append(all, need{"the events", "v1", "events", ns, nil, []string{"create", "patch"}, Warn, "kubectl describe does not show what happens to the lead"})
		}
	}
	return all
}

// version is that of a lock's kind.
func version(resource string) string {
	if resource == "leases" {
		return "coordination.k8s.io/v1"
	}
	return "v1"
}

// ref is one object of a need, or all of them without a name.
func (n need) ref(name string) kube.Ref {
	return kube.Ref{APIVersion: n.version, Resource: n.resource, Namespace: n.namespace, Name: name}
}

// rights asks for each right, and names the rules that are missing.
func rights(ctx context.Context, p *patient) {
	asked := 0
	for _, n := range p.needs() {
		var missing []string
		for _, verb := range n.verbs {
			ok, err := p.hasAll(ctx, n, verb)
			if kube.Unaskable(err) {
				p.warn(finding{text: "this server does not answer SelfSubjectAccessReviews, so the rights were not looked at", mend: "bind the ClusterRole system:basic-user, which every cluster has, to this account again"})
				return
			} else if err != nil {
				p.fail(finding{text: fmt.Sprintf("the rights cannot be asked for: %v", err), mend: "run doctor again"})
				return
			}
			if asked++; !ok {
				missing = append(missing, verb)
			}
		}
		if len(missing) == 0 {
			continue
		}
		p.add(n.without, finding{
			text:  fmt.Sprintf("%s: this account may not %s %s; %s", n.part, strings.Join(missing, ", "), n.object(), n.effect),
			mend:  "add to the account's Role in the namespace " + n.namespace + ":",
			rules: []string{n.rule(missing)},
		})
		asked -= len(missing)
	}
	if asked > 0 {
		p.ok("%d of the rights that these settings need are granted", asked)
	}
	p.tooMany(ctx)
}

// tooMany hints at a Role that gives away all elections of the namespace. A
// person with a kubeconfig is expected to have more rights.
func (p *patient) tooMany(ctx context.Context) {
	if p.cfg.Access.TokenFile == "" {
		return
	}
	for _, kind := range p.locks() {
		p.tooManyOf(ctx, kind)
	}
}

func (p *patient) tooManyOf(ctx context.Context, kind string) {
	c := p.cfg
	if ok, err := p.api.May(ctx, "update", need{version: version(kind), resource: kind, namespace: c.Namespace}.ref("")); err != nil || !ok {
		return
	}
	named := need{version: version(kind), resource: kind, names: []string{c.Election}}
	p.warn(finding{
		text:  fmt.Sprintf("this account may update all %s in %s: whoever takes over this pod can end every election there", kind, c.Namespace),
		mend:  "limit the rule to this lock; only create must stay without a name:",
		rules: []string{named.rule([]string{"get", "list", "watch", "update"})},
	})
}

// locks are the kinds of the objects that decide.
func (p *patient) locks() []string { return strings.Split(p.cfg.Lock, "+") }

func (n need) object() string {
	if len(n.names) == 0 {
		return n.resource + " in " + n.namespace
	}
	return n.resource + " " + n.namespace + "/" + strings.Join(n.names, ", ")
}

// rule is the RBAC rule that grants verbs of this need, as one line of YAML.
func (n need) rule(verbs []string) string {
	return n.ref(strings.Join(n.names, ", ")).Rule(verbs...)
}

// hasAll says whether a verb is granted for every name of a need.
func (p *patient) hasAll(ctx context.Context, n need, verb string) (bool, error) {
	names := n.names
	if len(names) == 0 {
		names = []string{""}
	}
	for _, name := range names {
		if ok, err := p.api.May(ctx, verb, n.ref(name)); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// ownNames are those of the slices that this pod writes: of the families that it
// has addresses of, or of both if those are not known.
func (p *patient) ownNames() []string {
	have := p.podFamilies()
	return slices.DeleteFunc(sliceNames(p.cfg.Service), func(name string) bool {
		family := "IPv" + name[len(name)-1:]
		return len(have) > 0 && !slices.Contains(have, family)
	})
}

// podNamespace is where the pod, its Service and its slices are.
func (p *patient) podNamespace() string {
	return or(p.token.Kubernetes.Namespace, p.cfg.Access.Namespace, p.cfg.Namespace)
}

// quoted joins names for a sentence.
func quoted(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return strings.Join(names, ", ")
}
