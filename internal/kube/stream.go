package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// frame is one event of a watch as the server sends it.
type frame struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

// frameError is a fault in what a watch brought, as opposed to its connection.
type frameError struct{ err error }

func (e *frameError) Error() string { return "the watch brought what cannot be read: " + e.err.Error() }
func (e *frameError) Unwrap() error { return e.err }

// stream takes the events of a watch until it ends; nil is an end that the
// server meant.
func (w *watcher) stream(p *pulse) error {
	dec := json.NewDecoder(p)
	for {
		var f frame
		p.left = bodyLimit
		err := dec.Decode(&f)
		switch {
		case err == io.EOF:
			return nil
		case err != nil && p.err == nil:
			// The bytes came, but they are no JSON: this place is poisoned.
			w.place = ""
			return &frameError{err}
		case err != nil:
			return p.err
		}
		if err := w.take(f); err != nil {
			return err
		}
	}
}

// take delivers one event, and remembers the place after it.
func (w *watcher) take(f frame) error {
	if f.Type == "ERROR" {
		return w.ended(f.Object)
	}
	var obj object
	err := json.Unmarshal(f.Object, &obj)
	version := obj.Metadata.ResourceVersion
	if err == nil && version == "" {
		err = errors.New("an event without a resourceVersion")
	}
	event := Event{Type: Changed, Object: f.Object}
	switch f.Type {
	case "ADDED", "MODIFIED", "BOOKMARK":
	case "DELETED":
		event.Type = Deleted
	default:
		err = fmt.Errorf("an event of type %q", f.Type)
	}
	if err != nil {
		w.place = ""
		return &frameError{err}
	}
	w.place, w.moved = version, true
	if f.Type == "BOOKMARK" || w.labels == "" && (obj.Metadata.Name != w.ref.Name || version == w.delivered) {
		return nil
	}
	w.delivered = version
	w.fn(event)
	return nil
}

// ended takes the Status with which the server ends a watch early. The place is
// given up whatever it says: it may be the reason.
func (w *watcher) ended(object []byte) error {
	w.place = ""
	var s status
	if err := json.Unmarshal(object, &s); err != nil {
		return &frameError{err}
	}
	if s.Code == http.StatusGone {
		return errExpired
	}
	return w.c.statusError("watch", w.ref, s.Code, &s)
}

// isAnswer says whether a stream ended by what the server said, and not by the
// loss of its connection.
func isAnswer(err error) bool {
	var e *Error
	var f *frameError
	return errors.As(err, &e) || errors.As(err, &f) || errors.Is(err, errExpired)
}

// pulse reads a watch: it tells of each read that brought something, bounds what
// one event may take, and remembers how the reading failed.
type pulse struct {
	r    io.Reader
	beat func()
	left int
	err  error
}

func (p *pulse) Read(b []byte) (int, error) {
	if p.left <= 0 {
		return 0, fmt.Errorf("an event is longer than %d bytes", bodyLimit)
	}
	n, err := p.r.Read(b[:min(len(b), p.left)])
	p.left -= n
	if n > 0 {
		p.beat()
	}
	if err != nil && err != io.EOF {
		p.err = err
	}
	return n, err
}
