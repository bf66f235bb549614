package inject

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// set gives a mapping a key that it does not have, or has with nothing in it.
// before names the key that it shall stand above; else it stands last.
func (p place) set(key string, value any, before string) error {
	here := p.at(key)
	if p.node != nil && p.node.Kind == yaml.AliasNode && p.at(key).node == nil {
		return p.setInAlias(key, value)
	}
	if err := here.own(); err != nil {
		return err
	}
	switch {
	case !p.is():
		// The mapping itself is missing or empty: it is made with the key in it.
		if len(p.path) == len(p.o.path) {
			return p.errorf("the object is empty")
		}
		up := place{p.o, p.o.root().at(p.path[len(p.o.path) : len(p.path)-1]...).node, p.path[:len(p.path)-1]}
		name, _ := p.path[len(p.path)-1].(string)
		return up.set(name, fields{{key, value}}, "")
	case p.node.Kind != yaml.MappingNode:
		return p.errorf("%s is no mapping", p.label())
	}
	var err error
	switch {
	case here.node != nil:
		err = here.fill(value)
	case flow(p.node) && len(p.node.Content) == 0 && len(p.path) > len(p.o.path):
		err = p.fill(fields{{key, value}})
	case flow(p.node):
		err = p.setInFlow(key, value)
	default:
		err = p.setInBlock(key, value, before)
	}
	if err != nil {
		return err
	}
	here.mean(value)
	return nil
}

// setInAlias makes of a mapping that is an alias one that merges it in.
func (p place) setInAlias(key string, value any) error {
	up := place{p.o, p.node, p.path[:len(p.path)-1]}
	if err := up.own(); err != nil {
		return err
	}
	t := p.o.t
	at := t.at(p.node)
	end := t.end(p.node, true)
	t.replace(at, end-at, "{<<: "+string(t.data[at:end])+", "+scalar(key)+": "+inline(value)+"}")
	m := fields{}
	for k, v := range p.mapping() {
		m = append(m, field{k, v})
	}
	p.mean(append(m, field{key, value}))
	return nil
}

func (p place) setInFlow(key string, value any) error {
	t := p.o.t
	at := t.content(p.node) + 1
	put := inline(key) + ": " + inline(value)
	if len(p.node.Content) > 0 {
		put += ","
		if at < len(t.data) && !strings.ContainsRune(" \r\n", rune(t.data[at])) {
			put += " "
		}
	}
	t.replace(at, 0, put)
	return nil
}

func (p place) setInBlock(key string, value any, before string) error {
	t, n := p.o.t, p.node
	column := n.Content[0].Column - 1
	block := p.style().block(fields{{key, value}}, column)
	if i := keyIndex(n, before); i >= 0 && t.first(n.Content[i]) && n.Content[i].Column-1 == column {
		lowest := 0
		if i > 0 {
			lowest = t.entryEnd(n.Content[i-1], column)
		} else {
			lowest = n.Content[i].Line - 1
			for lowest > 0 && comment(t.line(lowest-1)) {
				lowest--
			}
		}
		t.insertLines(t.above(n.Content[i].Line-1, lowest), block, below(column))
		return nil
	}
	t.insertLines(t.entryEnd(n.Content[len(n.Content)-1], column), block, below(column))
	return nil
}

// fill gives a value to a key that has none: nothing, null, {} or [].
func (p place) fill(value any) error {
	t := p.o.t
	up := p.o.root().at(p.path[len(p.o.path) : len(p.path)-1]...)
	at := t.content(p.node)
	if flow(up.node) {
		put := inline(value)
		if t.end(p.node, true) == at {
			put = " " + put
		}
		t.replace(at, t.end(p.node, true)-at, put)
		return nil
	}
	i := keyIndex(up.node, p.label())
	key := up.node.Content[i]
	column := up.node.Content[0].Column - 1
	var lines string
	switch v := value.(type) {
	case fields:
		lines = p.style().block(v, column+p.style().step)
	case []any:
		var b strings.Builder
		p.style().sequence(&b, v, column+p.style().dash)
		lines = b.String()
	default:
		t.replace(at, t.end(p.node, false)-at, " "+scalar(v))
		return nil
	}
	if n := t.end(p.node, false) - at; n > 0 {
		for at > 0 && t.data[at-1] == ' ' {
			at, n = at-1, n+1
		}
		t.replace(at, n, "")
	}
	t.insertLines(max(t.lineOf(t.at(key)), t.lineOf(at))+1, lines, below(column)+1)
	return nil
}

// add puts an item at the end of a sequence, which is made if there is none.
func (p place) add(value any, before string) error {
	if err := p.at(0).own(); err != nil {
		return err
	}
	list, _ := p.value().([]any)
	if len(list) == 0 {
		up := p.o.root().at(p.path[len(p.o.path) : len(p.path)-1]...)
		return up.set(p.label(), []any{value}, before)
	}
	if p.node.Kind != yaml.SequenceNode {
		return p.errorf("%s is no list", p.label())
	}
	t, n := p.o.t, p.node
	if flow(n) {
		at := t.end(n, true) - 1
		put := ", " + inline(value)
		if strings.HasSuffix(strings.TrimRight(string(t.data[:at]), " \t\r\n"), ",") {
			put = inline(value)
		}
		t.replace(at, 0, put)
	} else {
		var b strings.Builder
		column := t.dash(n, len(n.Content)-1)
		p.style().sequence(&b, []any{value}, column)
		t.insertLines(t.entryEnd(n.Content[len(n.Content)-1], column), b.String(), below(column)+1)
	}
	p.at(len(list)).mean(value)
	return nil
}

// become replaces a value by another one. Comments in the old one go with it.
func (p place) become(value any) error {
	if err := p.own(); err != nil {
		return err
	}
	t := p.o.t
	up := p.o.root().at(p.path[len(p.o.path) : len(p.path)-1]...)
	if flow(up.node) || flow(p.node) || p.node.Kind == yaml.ScalarNode && !literal(p.node) || p.node.Kind == yaml.AliasNode {
		if f, ok := value.(fields); ok && !flow(up.node) && up.node.Kind == yaml.MappingNode && p.node.Kind == yaml.AliasNode {
			value = f
		}
		at := t.content(p.node)
		t.replace(at, t.end(p.node, flow(up.node))-at, oneLine(value))
		p.mean(value)
		return nil
	}
	var b strings.Builder
	var from, to int
	switch step := p.path[len(p.path)-1].(type) {
	case int:
		column := t.dash(up.node, step)
		from = t.lineOf(t.at(p.node))
		for !strings.HasPrefix(strings.TrimLeft(t.line(from), " "), "-") {
			from--
		}
		to = t.entryEnd(p.node, column)
		p.style().sequence(&b, []any{value}, column)
	case string:
		key := up.node.Content[keyIndex(up.node, step)]
		if !t.first(key) {
			return p.errorf("%s stands behind a dash; put another key of this item first, so that it can be replaced", step)
		}
		from, to = key.Line-1, t.entryEnd(p.node, key.Column-1)
		b.WriteString(p.style().block(fields{{step, value}}, key.Column-1))
	}
	t.swapLines(from, to, b.String())
	p.mean(value)
	return nil
}

// update changes of a mapping only what differs.
func (p place) update(now fields) error {
	for _, f := range now {
		here := p.at(f.key)
		below, ok := f.value.(fields)
		var err error
		switch {
		case same(f.value, here.value()):
		case here.node == nil:
			err = p.set(f.key, f.value, "")
		case ok && here.is() && here.node.Kind == yaml.MappingNode:
			err = here.update(below)
		default:
			err = here.become(f.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func oneLine(v any) string {
	switch v.(type) {
	case fields, []any:
		return inline(v)
	}
	return scalar(v)
}

// swapLines puts others in the place of some lines.
func (t *text) swapLines(from, to int, block string) {
	if end := t.start(to); end == len(t.data) && !strings.HasSuffix(string(t.data), "\n") && !strings.HasSuffix(string(t.data), "\r") {
		block = strings.TrimSuffix(block, t.nl) // the last line stays without its break
	}
	t.replace(t.start(from), t.start(to)-t.start(from), block)
}

// silence makes a key's value null. In block style what was there stays as a
// comment, so that it can be brought back.
func (p place) silence(why string) error {
	if err := p.own(); err != nil {
		return err
	}
	t := p.o.t
	up := p.o.root().at(p.path[len(p.o.path) : len(p.path)-1]...)
	key := up.node.Content[keyIndex(up.node, p.label())]
	defer p.mean(nil)
	if flow(up.node) || !t.first(key) {
		at := t.content(p.node)
		end := t.end(p.node, flow(up.node))
		if !flow(up.node) && !flow(p.node) && p.node.Kind != yaml.AliasNode {
			return p.errorf("%s stands behind a dash; put another key first", p.label())
		}
		t.replace(at, end-at, "null")
		return nil
	}
	column := key.Column - 1
	pad := strings.Repeat(" ", column)
	from, to := key.Line-1, t.entryEnd(p.node, column)
	t.insertLines(from, pad+scalar(p.label())+": null # "+why+t.nl, below(column))
	for i := from; i < to; i++ {
		line := t.line(i)
		t.replace(t.start(i)+min(column, indent(line)), 0, "# ")
	}
	return nil
}
