package inject

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// object is one Kubernetes object in an input: its node in the text, and what it
// means, in which every change is made too.
type object struct {
	t    *text
	node *yaml.Node
	doc  *document
	path []any // of the object in its document; an item of a List has one

	apiVersion, kind, name, namespace string
}

// document is one of a stream.
type document struct {
	t    *text
	root *yaml.Node
	want any
}

// place is a node with what it means.
type place struct {
	o    *object
	node *yaml.Node
	path []any
}

func (o *object) root() place { return place{o, o.node, o.path} }

// is says whether there is anything at the place.
func (p place) is() bool { return p.node != nil && p.node.Tag != "!!null" }

// value is what the place means now.
func (p place) value() any {
	v := p.o.doc.want
	for _, step := range p.path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			all, _ := v.([]any)
			if step >= len(all) {
				return nil
			}
			v = all[step]
		}
	}
	return v
}

func (p place) text() string { s, _ := p.value().(string); return s }

func (p place) mapping() map[string]any { m, _ := p.value().(map[string]any); return m }

// at goes down by keys and indices. Where there is nothing the place has no node.
func (p place) at(steps ...any) place {
	for _, step := range steps {
		p.path = append(slices.Clone(p.path), step)
		node := p.node
		p.node = nil
		for node != nil && node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		if node == nil {
			continue
		}
		switch step := step.(type) {
		case string:
			if i := keyIndex(node, step); i >= 0 {
				p.node = node.Content[i+1]
			}
		case int:
			if node.Kind == yaml.SequenceNode && step < len(node.Content) {
				p.node = node.Content[step]
			}
		}
	}
	return p
}

// keyIndex is where a key is in a mapping's content, or -1.
func keyIndex(n *yaml.Node, key string) int {
	if n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// items are the places of a sequence's items.
func (p place) items() (all []place) {
	list, _ := p.value().([]any)
	for i := range list {
		all = append(all, p.at(i))
	}
	return all
}

// errorf names the line of the place, or of what is above it.
func (p place) errorf(format string, args ...any) error {
	q := p
	for q.node == nil && len(q.path) > len(p.o.path) {
		q.path = q.path[:len(q.path)-1]
		q.node = p.o.root().at(q.path[len(p.o.path):]...).node
	}
	if q.node == nil {
		q.node = p.o.node
	}
	return p.o.t.errorf(q.node, format, args...)
}

// own refuses a place that is written elsewhere: what is changed there would
// change in all places that refer to it.
func (p place) own() error {
	q := p.o.root()
	for _, step := range p.path[len(p.o.path):] {
		if q.node != nil && q.node.Kind == yaml.AliasNode {
			return q.errorf("%s is an alias (*%s); write it out here, so that it can be changed", q.label(), q.node.Value)
		}
		if q.node != nil && keyIndex(q.node, "<<") >= 0 {
			key, _ := step.(string)
			if _, merged := q.mapping()[key]; merged && keyIndex(q.node, key) < 0 {
				return q.errorf("%s comes from a merge (<<); write it out here, so that it can be changed", key)
			}
		}
		q = q.at(step)
	}
	return nil
}

func (p place) label() string {
	if len(p.path) == 0 {
		return "the document"
	}
	return fmt.Sprint(p.path[len(p.path)-1])
}

// mean makes the change in what the document means.
func (p place) mean(v any) {
	p.o.doc.want = put(p.o.doc.want, p.path, plain(v))
}

// put is root with another value at a path; what it shares with root it copies.
func put(root any, path []any, v any) any {
	if len(path) == 0 {
		return v
	}
	switch step := path[0].(type) {
	case string:
		m, _ := root.(map[string]any)
		m = maps.Clone(m)
		if m == nil {
			m = map[string]any{}
		}
		m[step] = put(m[step], path[1:], v)
		return m
	case int:
		all, _ := root.([]any)
		all = slices.Clone(all)
		if step == len(all) {
			all = append(all, nil)
		}
		all[step] = put(all[step], path[1:], v)
		return all
	}
	return root
}

// styleAt is how lines below a mapping's keys are laid out there, as far as the
// text shows.
func (p place) style() style {
	s := style{step: 2, dash: 2, nl: p.o.t.nl}
	if n := p.o.node; !flow(n) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if v := n.Content[i+1]; v.Kind == yaml.MappingNode && !flow(v) && len(v.Content) > 0 {
				if step := v.Content[0].Column - n.Content[i].Column; step > 0 {
					s.step, s.dash = step, step
					break
				}
			}
		}
	}
	if dash, ok := firstDash(p.o.t, p.o.node); ok {
		s.dash = dash
	}
	return s
}

// firstDash is how far the first block sequence of a node is indented under its key.
func firstDash(t *text, n *yaml.Node) (int, bool) {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if v := n.Content[i+1]; v.Kind == yaml.SequenceNode && !flow(v) && len(v.Content) > 0 {
			return t.dash(v, 0) - (n.Content[i].Column - 1), true
		}
	}
	for _, below := range n.Content {
		if !flow(below) && below.Kind != yaml.AliasNode {
			if dash, ok := firstDash(t, below); ok {
				return dash, true
			}
		}
	}
	return 0, false
}

// dash is the column of the dash of an item.
func (t *text) dash(seq *yaml.Node, item int) int {
	at := t.at(seq.Content[item])
	line := t.lineOf(at)
	for line > 0 && !strings.HasPrefix(strings.TrimLeft(t.line(line), " "), "-") {
		line--
	}
	return indent(t.line(line))
}
