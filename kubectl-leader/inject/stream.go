package inject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Input is one file.
type Input struct {
	Name string // for errors
	Data []byte
}

// stream is one input, parsed. Of JSON values that stand behind each other each
// is one.
type stream struct {
	*text
	json bool
	glue bool // it stands right behind the one before
	docs []*document
}

// read makes the streams of an input.
func read(in Input) ([]*stream, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(in.Data, " \t\r\n"), []byte("{")) || !values(in.Data) {
		s, err := parse(in)
		return []*stream{s}, err
	}
	var all []*stream
	dec := json.NewDecoder(bytes.NewReader(in.Data))
	for from := 0; dec.More(); {
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("%s: %w", in.Name, err)
		}
		to := int(dec.InputOffset())
		if !dec.More() {
			to = len(in.Data)
		}
		s, err := parse(Input{in.Name, in.Data[from:to]})
		if err != nil {
			return nil, err
		}
		s.json, s.glue = true, len(all) > 0
		s.base = bytes.Count(in.Data[:from], []byte("\n"))
		all, from = append(all, s), to
	}
	return all, nil
}

// values says whether data is JSON values, one or more, and nothing else.
func values(data []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

func parse(in Input) (*stream, error) {
	t, err := newText(in.Name, in.Data)
	if err != nil {
		return nil, err
	}
	s := &stream{text: t}
	for i := range t.lines() {
		if strings.HasPrefix(t.line(i), "%") && len(s.docs) == 0 {
			return nil, fmt.Errorf("%s: line %d: a YAML directive (%s) cannot be kept; remove it", in.Name, i+1, t.line(i))
		}
		if !blank(t.line(i)) && !comment(t.line(i)) {
			break
		}
	}
	dec := yaml.NewDecoder(bytes.NewReader(in.Data))
	for {
		var root yaml.Node
		switch err := dec.Decode(&root); {
		case errors.Is(err, io.EOF):
			return s, nil
		case err != nil:
			return nil, fmt.Errorf("%s: it is no YAML: %w", in.Name, err)
		}
		d := &document{t: t}
		if len(root.Content) > 0 {
			d.root = root.Content[0]
		}
		if err := root.Decode(&d.want); err != nil {
			return nil, fmt.Errorf("%s: %w", in.Name, err)
		}
		s.docs = append(s.docs, d)
	}
}

// objects are all of the stream, those of Lists too.
func (s *stream) objects() (all []*object) {
	for _, d := range s.docs {
		m, ok := d.want.(map[string]any)
		if !ok {
			continue
		}
		whole := newObject(d, d.root, nil, m)
		items, list := m["items"].([]any)
		if !list || !strings.HasSuffix(whole.kind, "List") {
			all = append(all, whole)
			continue
		}
		for i, item := range items {
			if m, ok := item.(map[string]any); ok {
				p := whole.root().at("items", i)
				all = append(all, newObject(d, p.node, p.path, m))
			}
		}
	}
	return all
}

func newObject(d *document, node *yaml.Node, path []any, m map[string]any) *object {
	o := &object{t: d.t, node: node, doc: d, path: path}
	o.apiVersion, _ = m["apiVersion"].(string)
	o.kind, _ = m["kind"].(string)
	meta, _ := m["metadata"].(map[string]any)
	o.name, _ = meta["name"].(string)
	o.namespace, _ = meta["namespace"].(string)
	return o
}

func (o *object) String() string { return o.kind + "/" + o.name }

// verify parses an output and compares what it means with what it should.
func verify(out []byte, want []any) error {
	streams, err := read(Input{Name: "the output", Data: out})
	if err != nil {
		return err
	}
	var is []any
	for _, s := range streams {
		for _, d := range s.docs {
			if d.want != nil {
				is = append(is, d.want)
			}
		}
	}
	if len(is) != len(want) {
		return fmt.Errorf("it has %d documents, and should have %d", len(is), len(want))
	}
	for i := range is {
		if !reflect.DeepEqual(is[i], want[i]) {
			return fmt.Errorf("its document %d means something else than it should", i+1)
		}
	}
	return nil
}
