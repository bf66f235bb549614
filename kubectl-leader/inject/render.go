package inject

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fields is a mapping whose keys have an order. Values are fields, []any,
// string, int, bool and nil.
type fields []field

type field struct {
	key   string
	value any
}

// plain is the value as the YAML decoder would give it.
func plain(v any) any {
	switch v := v.(type) {
	case fields:
		m := map[string]any{}
		for _, f := range v {
			m[f.key] = plain(f.value)
		}
		return m
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = plain(v[i])
		}
		return all
	}
	return v
}

// get is the value of a key, nil if there is none.
func (f fields) get(key string) any {
	for _, e := range f {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// style is how a document is laid out.
type style struct {
	step int // columns from a key to those below it
	dash int // columns from a key to the dashes below it
	nl   string
}

// block lays fields out from a column on.
func (s style) block(f fields, column int) string {
	var b strings.Builder
	s.mapping(&b, f, column, true)
	return b.String()
}

// mapping writes fields; the first key stands behind a dash unless indented.
func (s style) mapping(b *strings.Builder, f fields, column int, indented bool) {
	for i, e := range f {
		if i > 0 || indented {
			b.WriteString(strings.Repeat(" ", column))
		}
		b.WriteString(scalar(e.key) + ":")
		switch v := e.value.(type) {
		case fields:
			if len(v) == 0 {
				b.WriteString(" {}" + s.nl)
				continue
			}
			b.WriteString(s.nl)
			s.mapping(b, v, column+s.step, true)
		case []any:
			if line, ok := short(v); ok && e.key != "args" {
				b.WriteString(" " + line + s.nl)
				continue
			}
			b.WriteString(s.nl)
			s.sequence(b, v, column+s.dash)
		default:
			b.WriteString(" " + scalar(v) + s.nl)
		}
	}
}

func (s style) sequence(b *strings.Builder, all []any, column int) {
	for _, v := range all {
		b.WriteString(strings.Repeat(" ", column) + "- ")
		if f, ok := v.(fields); ok && len(f) > 0 {
			s.mapping(b, f, column+2, false)
			continue
		}
		b.WriteString(scalar(v) + s.nl)
	}
}

// short writes a list of words on one line.
func short(all []any) (string, bool) {
	words := make([]string, len(all))
	for i, v := range all {
		word, ok := v.(string)
		if !ok || len(word) > 60 || strings.ContainsAny(word, "[]{},&*#?|<>=!%@:\\\"'`\n") {
			return "", false
		}
		if words[i] = scalar(word); word == "" {
			words[i] = `""`
		}
	}
	return "[" + strings.Join(words, ", ") + "]", true
}

// scalar writes one on one line, so that both YAML 1.1 and 1.2 read it alike.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		if strings.ContainsAny(v, "\n\r\t") || len(v) > 100 || strings.Contains(v, ": ") {
			return inline(v)
		}
		out, err := yaml.Marshal(v)
		if err != nil {
			return inline(v)
		}
		return strings.TrimRight(string(out), "\n")
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case nil:
		return "null"
	}
	return inline(v)
}

// inline writes a value as JSON, which is YAML too, with its keys in order.
func inline(v any) string {
	switch v := v.(type) {
	case fields:
		var all []string
		for _, f := range v {
			all = append(all, inline(f.key)+": "+inline(f.value))
		}
		return "{" + strings.Join(all, ", ") + "}"
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, inline(e))
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // our own values are always JSON
	}
	return strings.TrimSpace(b.String())
}
