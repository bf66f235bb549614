package inject

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// text is one input, by the lines that the YAML parser counts.
type text struct {
	name string // of the file, for errors
	base int    // lines of the file before this text
	data []byte
	// starts are the offsets of the lines. One past the last is that of the end,
	// if the text ends with a line break.
	starts []int
	nl     string // how the lines end
	edits  []edit
}

// edit replaces what is at an offset.
type edit struct {
	at, drop int
	put      string
	depth    int // of the lines that are put there: deeper ones belong to what is above
}

func newText(name string, data []byte) (*text, error) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) || bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data) {
		return nil, fmt.Errorf("%s: it is not UTF-8 text", name)
	}
	t := &text{name: name, data: data, starts: []int{0}, nl: "\n"}
	for i := 0; i < len(data); {
		n := lineBreak(data[i:])
		if n == 0 {
			i++
			continue
		}
		if len(t.starts) == 1 && n == 2 && data[i] == '\r' {
			t.nl = "\r\n"
		}
		i += n
		t.starts = append(t.starts, i)
	}
	return t, nil
}

// lineBreak is the length of the line break at the beginning of data, or 0. The
// parser counts those of Unicode too.
func lineBreak(data []byte) int {
	switch {
	case bytes.HasPrefix(data, []byte("\r\n")), bytes.HasPrefix(data, []byte("\u0085")):
		return 2
	case data[0] == '\n', data[0] == '\r':
		return 1
	case bytes.HasPrefix(data, []byte("\u2028")), bytes.HasPrefix(data, []byte("\u2029")):
		return 3
	}
	return 0
}

// lines is how many there are; an empty one after the last break is none.
func (t *text) lines() int {
	if t.starts[len(t.starts)-1] == len(t.data) && len(t.starts) > 1 {
		return len(t.starts) - 1
	}
	return len(t.starts)
}

// start is the offset of a line, or of the end of the text.
func (t *text) start(line int) int {
	if line >= len(t.starts) {
		return len(t.data)
	}
	return t.starts[line]
}

// line is a line without its break.
func (t *text) line(i int) string {
	return strings.TrimRight(string(t.data[t.start(i):t.start(i+1)]), "\r\n\u0085\u2028\u2029")
}

// lineOf is the line of an offset.
func (t *text) lineOf(at int) int {
	i, found := slices.BinarySearch(t.starts, at)
	if !found {
		i--
	}
	return i
}

// at is the offset of a node. The parser's columns count characters, and leave
// out a byte order mark.
func (t *text) at(n *yaml.Node) int {
	i := t.start(n.Line - 1)
	if i == 0 && bytes.HasPrefix(t.data, []byte("\ufeff")) {
		i += 3
	}
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(t.data[i:])
		i += size
	}
	return i
}

// indent is the column of the first character of a line that is no blank.
func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func blank(line string) bool   { return strings.TrimSpace(strings.TrimPrefix(line, "\ufeff")) == "" }
func comment(line string) bool { return strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") }

func (t *text) replace(at, drop int, put string) { t.edits = append(t.edits, edit{at, drop, put, 0}) }

// below is the depth of lines that hold keys at a column; one more is that of a
// list's items, which may have the column of the list's own key.
func below(column int) int { return 2*column + 1 }

// insertLines puts whole lines before a line. block ends with a line break.
func (t *text) insertLines(line int, block string, depth int) {
	at := t.start(line)
	if at == len(t.data) && len(t.data) > 0 && line == len(t.starts) {
		block = t.nl + strings.TrimSuffix(block, t.nl) // the last line has no break
	}
	t.edits = append(t.edits, edit{at, 0, block, depth})
}

// errorf is an error that names the node's line.
func (t *text) errorf(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s: line %d: %s", t.name, t.base+n.Line, fmt.Sprintf(format, args...))
}

// apply makes the edits; those at the same offset from the deepest, and else in
// the order of their making.
func (t *text) apply() ([]byte, error) {
	slices.SortStableFunc(t.edits, func(a, b edit) int {
		return cmp.Or(a.at-b.at, b.depth-a.depth, a.drop-b.drop)
	})
	var out bytes.Buffer
	done := 0
	for _, e := range t.edits {
		if e.at < done {
			return nil, fmt.Errorf("%s: line %d: two changes meet here, which this program cannot make in one go", t.name, t.base+t.lineOf(e.at)+1)
		}
		out.Write(t.data[done:e.at])
		out.WriteString(e.put)
		done = e.at + e.drop
	}
	out.Write(t.data[done:])
	return out.Bytes(), nil
}
