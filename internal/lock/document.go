package lock

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// document is an API object taken apart only as far as we change it, so that
// everything else goes back as it came. A document in a Record is never changed.
type document struct {
	root  map[string]json.RawMessage // without metadata
	meta  map[string]json.RawMessage // without annotations
	notes map[string]string          // the annotations
}

func newDocument(namespace, name string) document {
	doc := document{root: map[string]json.RawMessage{}, meta: map[string]json.RawMessage{}, notes: map[string]string{}}
	doc.meta["namespace"], doc.meta["name"] = text(namespace), text(name)
	return doc
}

func parseDocument(body []byte) (document, error) {
	doc := document{notes: map[string]string{}}
	if err := json.Unmarshal(body, &doc.root); err != nil {
		return doc, err
	}
	if err := json.Unmarshal(doc.root["metadata"], &doc.meta); err != nil {
		return doc, fmt.Errorf("metadata: %w", err)
	}
	if notes, ok := doc.meta["annotations"]; ok {
		if err := json.Unmarshal(notes, &doc.notes); err != nil {
			return doc, fmt.Errorf("annotations: %w", err)
		}
	}
	delete(doc.root, "metadata")
	delete(doc.meta, "annotations")
	// The server keeps its own account of who wrote which field; a write that
	// leaves it out changes nothing in it, and it is most of the object.
	delete(doc.meta, "managedFields")
	return doc, nil
}

func (d document) clone() document {
	c := document{root: maps.Clone(d.root), meta: maps.Clone(d.meta), notes: maps.Clone(d.notes)}
	if c.notes == nil {
		c.notes = map[string]string{}
	}
	return c
}

// encode writes the whole object. Lists leave out what kind an object is.
func (d document) encode(apiVersion, kind string) ([]byte, error) {
	meta := maps.Clone(d.meta)
	if len(d.notes) > 0 {
		notes, err := json.Marshal(d.notes)
		if err != nil {
			return nil, err
		}
		meta["annotations"] = notes
	}
	root := maps.Clone(d.root)
	var err error
	if root["metadata"], err = json.Marshal(meta); err != nil {
		return nil, err
	}
	root["apiVersion"], root["kind"] = text(apiVersion), text(kind)
	return json.Marshal(root)
}

// named refuses another object than the one that was asked for: what a proxy
// mixed up would be taken for news of the lock.
func (d document) named(name string) error {
	var got string
	if err := get(d.meta, "name", &got); err != nil {
		return err
	}
	if got != "" && got != name {
		return fmt.Errorf("it is of %q and not of %q", got, name)
	}
	return nil
}

// record reads what every kind of lock has: identity and annotations.
func (d document) record() (engine.Record, error) {
	var id struct{ UID, ResourceVersion string }
	if err := errors.Join(get(d.meta, "uid", &id.UID), get(d.meta, "resourceVersion", &id.ResourceVersion)); err != nil {
		return engine.Record{}, err
	}
	version, err := strconv.ParseUint(id.ResourceVersion, 10, 64)
	if err != nil || version == 0 {
		return engine.Record{}, fmt.Errorf("the resourceVersion %q is not a decimal number above 0 (KEP-5504)", id.ResourceVersion)
	}
	if id.UID == "" {
		return engine.Record{}, errors.New("the object has no uid")
	}
	rec := engine.Record{UID: id.UID, Version: engine.Version(version), Object: d}
	d.readNotes(&rec)
	return rec, nil
}

// get reads one field into out, which keeps its zero value if there is none.
func get(fields map[string]json.RawMessage, name string, out any) error {
	raw, ok := fields[name]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func text(s string) json.RawMessage {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string is always JSON
	}
	return raw
}
