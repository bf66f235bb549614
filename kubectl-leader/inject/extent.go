package inject

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The parser tells where a node begins and not where it ends. What follows finds
// the end from the text, with the nodes below as guides.

// content is where a node's content begins, behind its anchor and its tag.
func (t *text) content(n *yaml.Node) int {
	i := t.at(n)
	if n.Kind == yaml.AliasNode {
		return i
	}
	for i < len(t.data) && (t.data[i] == '&' || t.data[i] == '!') {
		for i < len(t.data) && !bytes.ContainsRune([]byte(" \t\r\n"), rune(t.data[i])) {
			i++
		}
		for i < len(t.data) && (t.data[i] == ' ' || t.data[i] == '\t') {
			i++
		}
	}
	return i
}

// flow says whether a node is written with brackets.
func flow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

func quoted(n *yaml.Node) bool { return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 }

func literal(n *yaml.Node) bool { return n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 }

// end is the offset behind a node that is a flow collection, an alias, or a
// scalar that is no block scalar. inFlow says whether it stands in brackets.
func (t *text) end(n *yaml.Node, inFlow bool) int {
	i := t.content(n)
	switch {
	case n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode:
		i++ // the bracket
		if len(n.Content) > 0 {
			i = t.end(n.Content[len(n.Content)-1], true)
		}
		return t.closing(i) + 1
	case n.Kind == yaml.AliasNode:
		for i < len(t.data) && !bytes.ContainsRune([]byte(" \t\r\n,]}"), rune(t.data[i])) {
			i++
		}
		return i
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i++; i < len(t.data) && t.data[i] != '"'; i++ {
			if t.data[i] == '\\' {
				i++
			}
		}
		return min(i+1, len(t.data))
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i++; i < len(t.data); i++ {
			if t.data[i] == '\'' {
				if i+1 < len(t.data) && t.data[i+1] == '\'' {
					i++
					continue
				}
				break
			}
		}
		return min(i+1, len(t.data))
	case n.Value == "" && n.Tag == "!!null":
		return i
	}
	return t.plainEnd(i, inFlow)
}

// plainEnd is the end of a plain scalar, in brackets also of one on several lines.
func (t *text) plainEnd(i int, inFlow bool) int {
	last := i
	for i < len(t.data) {
		c := t.data[i]
		switch {
		case c == '\n' || c == '\r':
			if !inFlow {
				return last
			}
			rest := bytes.TrimLeft(t.data[i:], " \t\r\n")
			if len(rest) == 0 || bytes.ContainsRune([]byte(",]}#:"), rune(rest[0])) {
				return last
			}
			i = len(t.data) - len(rest)
			continue
		case c == ' ' || c == '\t':
			i++
			continue
		case c == '#' && i > last:
			return last
		case inFlow && bytes.ContainsRune([]byte(",]}"), rune(c)):
			return last
		case c == ':' && (i+1 == len(t.data) || bytes.ContainsRune([]byte(" \t\r\n,]}"), rune(t.data[i+1]))):
			return last
		}
		i++
		last = i
	}
	return last
}

// closing is the offset of the bracket that closes a flow collection, from
// behind its last node.
func (t *text) closing(i int) int {
	for i < len(t.data) && t.data[i] != ']' && t.data[i] != '}' {
		if t.data[i] == '#' {
			for i < len(t.data) && t.data[i] != '\n' && t.data[i] != '\r' {
				i++
			}
			continue
		}
		i++
	}
	return i
}

// entryEnd is the line behind an entry of a block mapping or sequence at a
// column. n is the entry's value. Comments and blank lines after it are not its
// own, except in a block scalar.
func (t *text) entryEnd(n *yaml.Node, column int) int {
	last, leaf := t.lastLine(n, false)
	inner, keep := 0, false
	if leaf != nil && literal(leaf) {
		header := string(t.data[t.content(leaf):t.start(last+1)])
		keep = strings.Contains(strings.SplitN(header, "#", 2)[0], "+")
		for i := last + 1; i < t.lines(); i++ {
			if line := t.line(i); !blank(line) {
				inner = indent(line)
				break
			}
		}
	}
	end := last + 1
	for i := end; i < t.lines(); i++ {
		line := t.line(i)
		switch {
		case blank(line):
			if keep && i == end {
				end = i + 1
			}
		case comment(line) && (inner <= column || indent(line) < inner):
		case indent(line) > column:
			end = i + 1
		default:
			return end
		}
	}
	return end
}

// lastLine is the last line of which the nodes below n tell, and the last leaf.
func (t *text) lastLine(n *yaml.Node, inFlow bool) (line int, leaf *yaml.Node) {
	switch {
	case flow(n) || quoted(n) || n.Kind == yaml.AliasNode:
		return t.lineOf(max(t.end(n, inFlow)-1, 0)), n
	case len(n.Content) == 0:
		return n.Line - 1, n
	}
	return t.lastLine(n.Content[len(n.Content)-1], false)
}

// first says whether nothing but blanks is before a node on its line, which then
// can have lines put before it.
func (t *text) first(n *yaml.Node) bool {
	at := t.at(n)
	return blank(string(t.data[t.start(t.lineOf(at)):at]))
}

// above is the line from which on the comments above a key are its own. lowest
// is the line behind what is before.
func (t *text) above(line, lowest int) int {
	for line > lowest && comment(t.line(line-1)) {
		line--
	}
	return line
}
