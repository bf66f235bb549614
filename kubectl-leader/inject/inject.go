package inject

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Result is what Inject makes.
type Result struct {
	Output []byte
	Notes  []string // what the user should know, a line each
	// Moved are the Services that live with addresses beside the leader's, for
	// which Output has objects that make those harmless.
	Moved []string
}

// input is all that was given.
type input struct {
	o       *Options
	streams []*stream
	all     []*object
}

// namespace is an object's own, or the one that objects without one go to.
func (in *input) namespace(o *object) string { return or(o.namespace, or(in.o.Namespace, "default")) }

func (in *input) byName(kind, name, namespace string) *object {
	for _, o := range in.all {
		if o.kind == kind && o.name == name && in.namespace(o) == namespace {
			return o
		}
	}
	return nil
}

// Inject makes elections of the workloads in the inputs.
func Inject(inputs []Input, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	in := &input{o: &o}
	for _, i := range inputs {
		streams, err := read(i)
		if err != nil {
			return nil, err
		}
		for _, s := range streams {
			in.streams = append(in.streams, s)
			in.all = append(in.all, s.objects()...)
			if s.json != in.streams[0].json {
				return nil, fmt.Errorf("%s: JSON and YAML cannot be joined; give files of one kind", i.Name)
			}
		}
	}
	if len(in.streams) == 0 {
		return nil, errors.New("there is no input")
	}
	if err := in.checkNamespaces(); err != nil {
		return nil, err
	}
	workloads, notes, err := in.workloads()
	if err != nil {
		return nil, err
	}
	p := &product{in: in, notes: notes}
	var all []*election
	for _, w := range workloads {
		e, err := newElection(w, in, &o)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	if err := distinct(all); err != nil {
		return nil, err
	}
	for _, e := range all {
		if err := p.make(e); err != nil {
			return nil, err
		}
	}
	return p.finish()
}

func (in *input) checkNamespaces() error {
	for _, o := range in.all {
		if in.o.ForceNamespace && o.namespace != "" && o.namespace != in.o.Namespace {
			return o.root().at("metadata", "namespace").errorf("%v is in the namespace %s, and --namespace is %s", o, o.namespace, in.o.Namespace)
		}
	}
	return nil
}

// reasons say why a kind is not injected.
var reasons = map[string]string{
	"DaemonSet":  "a DaemonSet has one pod on each node, and a roll ends a pod before its successor starts; make it a Deployment",
	"Job":        "a Job's pods end when they are done; let its command run under `leader-elector run` (deploy/examples/job)",
	"CronJob":    "a CronJob's pods end when they are done; let its command run under `leader-elector run` (deploy/examples/job)",
	"Pod":        "a Pod alone has no standby; make it a Deployment of two replicas",
	"ReplicaSet": "a ReplicaSet does not roll its pods; make it a Deployment",
}

// workloads are those to inject.
func (in *input) workloads() (found []*object, notes []string, err error) {
	var refused []error
	for _, o := range in.all {
		if want := in.o.Workload; want != "" && want != o.name && !strings.EqualFold(want, o.kind+"/"+o.name) {
			continue
		}
		switch {
		case (o.kind == "Deployment" || o.kind == "StatefulSet") && strings.HasPrefix(o.apiVersion, "apps/"):
			if o.name == "" {
				return nil, nil, o.root().errorf("a %s has no metadata.name", o.kind)
			}
			found = append(found, o)
		case reasons[o.kind] != "":
			refused = append(refused, o.root().errorf("%v is not injected: %s", o, reasons[o.kind]))
		}
	}
	if len(found) == 0 {
		what := "there is no Deployment and no StatefulSet in the input"
		if in.o.Workload != "" {
			what = fmt.Sprintf("there is no Deployment and no StatefulSet called %s in the input", in.o.Workload)
		}
		return nil, nil, errors.Join(append(refused, errors.New(what))...)
	}
	for _, r := range refused {
		notes = append(notes, r.Error())
	}
	if o := in.o; len(found) > 1 && (o.Election != "" || o.Service != "" || len(o.HealthChecks) > 0) {
		return nil, nil, fmt.Errorf("there are %d workloads in the input, and --election, --service and --health-check can be of one only; choose it by --workload=NAME", len(found))
	}
	return found, notes, nil
}

// distinct refuses two elections of one name or of one Service.
func distinct(all []*election) error {
	for i, e := range all {
		for _, f := range all[:i] {
			switch {
			case e.name == f.name && e.lockNamespace == f.lockNamespace:
				return e.w.root().errorf("%v and %v would be one election, %s; inject them by themselves (--workload), with another --election", f.w, e.w, e.name)
			case e.service != "" && e.service == f.service && e.namespace == f.namespace:
				return e.w.root().errorf("%v and %v would both have the traffic of the Service %s; choose one by --workload", f.w, e.w, e.service)
			}
		}
	}
	return nil
}

// product collects what goes out.
type product struct {
	in     *input
	before []fields // objects that come first
	after  []fields // and last
	notes  []string
	moved  []string
}

func (p *product) make(e *election) error {
	if e.lock != "leases" && e.service == e.name && e.lockNamespace == e.namespace {
		return e.w.root().errorf("the lock would be the Endpoints object of the Service %s itself; write another --election", e.service)
	}
	if err := e.change(); err != nil {
		return err
	}
	if err := e.changeService(); err != nil {
		return err
	}
	for _, o := range e.rights() {
		if err := p.keep(o); err != nil {
			return err
		}
	}
	if e.route == Label && e.svc != nil && e.there == nil {
		e.notef("from now on the Service %s has no endpoint until the first leader is elected, which takes --ttl (%v); --route=endpointslice has no such gap", e.service, e.ttl)
	}
	if err := p.move(e); err != nil {
		return err
	}
	p.notes = append(p.notes, e.notes...)
	return nil
}

// keep puts an object out, or into the one that an earlier injection put out.
func (p *product) keep(o fields) error {
	kind, m := o.get("kind").(string), o.get("metadata").(fields)
	there := p.in.byName(kind, m.get("name").(string), m.get("namespace").(string))
	if there == nil {
		p.before = append(p.before, o)
		return nil
	}
	for _, f := range o {
		if f.key != "rules" && f.key != "roleRef" && f.key != "subjects" {
			continue
		}
		is := there.root().at(f.key)
		var err error
		switch {
		case same(f.value, is.value()):
		case is.is():
			err = is.become(f.value)
		default:
			err = there.root().set(f.key, f.value, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// part is a piece of the output.
type part struct {
	text string
	glue bool // it stands right behind the one before
}

// finish makes the text of all, and sees that it means what it should.
func (p *product) finish() (*Result, error) {
	first := p.in.streams[0]
	var want []any
	var parts []part
	add := func(objects []fields) {
		for _, o := range objects {
			want = append(want, plain(o))
			text := style{step: 2, dash: 0, nl: first.nl}.block(o, 0)
			if first.json {
				text = inline(o) + first.nl
			}
			parts = append(parts, part{text: text})
		}
	}
	add(p.before)
	for _, s := range p.in.streams {
		out, err := s.apply()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{string(out), s.glue})
		for _, d := range s.docs {
			if d.want != nil {
				want = append(want, d.want)
			}
		}
	}
	add(p.after)
	out := join(parts, first.nl, first.json)
	if err := verify([]byte(out), want); err != nil {
		return nil, fmt.Errorf("this input is written in a way that this program does not change rightly (%w), so nothing is put out; write the workload in block style", err)
	}
	return &Result{Output: []byte(out), Notes: slices.Compact(p.notes), Moved: p.moved}, nil
}

// join puts documents behind each other. A byte order mark stays at the beginning.
func join(parts []part, nl string, asJSON bool) string {
	var b strings.Builder
	for _, p := range parts {
		if strings.HasPrefix(p.text, mark) {
			b.WriteString(mark)
			break
		}
	}
	open := false // something stands there already
	for _, p := range parts {
		text := strings.TrimPrefix(p.text, mark)
		if open && !p.glue {
			if last := b.String(); !strings.HasSuffix(last, "\n") && !strings.HasSuffix(last, "\r") {
				b.WriteString(nl)
			}
			if !asJSON && !strings.HasPrefix(text, "---") {
				b.WriteString("---" + nl)
			}
		}
		b.WriteString(text)
		open = true
	}
	return b.String()
}

// mark is the byte order mark, with which some editors begin a file.
const mark = "\ufeff"
