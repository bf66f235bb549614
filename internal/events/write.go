package events

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leader-elector/leader-elector/internal/kube"
)

const (
	// window is how long what repeats is counted in one Event, as client-go's
	// recorder does; maxFresh is how many of one reason are Events of their own
	// within it, so that an election which flaps does not fill the cluster's etcd.
	window   = 10 * time.Minute
	maxFresh = 10

	maxMessage = 1024 // bytes, as the API allows
	component  = "leader-elector"
)

// seriesKey is what one Event is about.
type seriesKey struct{ kind, reason string }

// series is the last Event of a reason on an object.
type series struct {
	ref     kube.Ref
	message string
	last    time.Time
	count   int
	fresh   int       // Events made since began
	began   time.Time // of the window
}

// repeats says whether an entry is counted in the series' last Event: a warning
// is one thing that is wrong, whatever numbers are in its words; other changes
// are told one by one until there are too many.
func (s *series) repeats(e *entry) bool {
	if e.at.Sub(s.last) > window {
		return false
	}
	return e.kind == warning || e.message == s.message || s.fresh >= maxFresh && e.at.Sub(s.began) <= window
}

// write makes an Event of an entry, or counts it in the last one.
func (r *Recorder) write(ctx context.Context, e *entry) error {
	key := seriesKey{e.object.Kind, e.reason}
	s := r.series[key]
	if s == nil {
		s = &series{}
		r.series[key] = s
	}
	if s.count > 0 && s.repeats(e) {
		err := r.repeat(ctx, s, e)
		if !errors.Is(err, kube.ErrNotFound) {
			return err
		} // Events live for an hour, and can be deleted
	}
	return r.create(ctx, s, e)
}

type object = map[string]any

func (r *Recorder) repeat(ctx context.Context, s *series, e *entry) error {
	body, err := json.Marshal(object{"count": s.count + 1, "lastTimestamp": stamp(e.at), "message": cut(e.message)})
	if err != nil {
		return err
	}
	if err := r.cfg.Client.Merge(ctx, s.ref, body); err != nil {
		return err
	}
	s.count, s.last, s.message = s.count+1, e.at, e.message
	return nil
}

func (r *Recorder) create(ctx context.Context, s *series, e *entry) error {
	o := e.object
	ref := kube.Ref{APIVersion: "v1", Resource: "events", Namespace: o.Namespace, Name: fmt.Sprintf("%.200s.%x", o.Name, e.at.UnixNano())}
	body, err := json.Marshal(object{
		"apiVersion": "v1", "kind": "Event",
		"metadata":       object{"name": ref.Name, "namespace": ref.Namespace},
		"involvedObject": object{"apiVersion": o.APIVersion, "kind": o.Kind, "namespace": o.Namespace, "name": o.Name, "uid": r.uid(ctx, o)},
		"type":           e.kind, "reason": e.reason, "message": cut(e.message),
		"source":         object{"component": component, "host": r.cfg.Node},
		"firstTimestamp": stamp(e.at), "lastTimestamp": stamp(e.at), "count": 1,
		"reportingComponent": component, "reportingInstance": r.cfg.ID,
	})
	if err != nil {
		return err
	}
	// A conflict is an earlier attempt of ours whose answer was lost.
	if _, err := r.cfg.Client.Create(ctx, ref, body); err != nil && !errors.Is(err, kube.ErrConflict) {
		return err
	}
	if e.at.Sub(s.began) > window {
		s.began, s.fresh = e.at, 0
	}
	s.ref, s.message, s.last, s.count = ref, e.message, e.at, 1
	s.fresh++
	return nil
}

// uid is that of the object now. An Event without it is in `kubectl get events`
// all the same.
func (r *Recorder) uid(ctx context.Context, o *Object) string {
	if o.UID != "" {
		return o.UID
	}
	var now struct{ Metadata kube.Metadata }
	if body, err := r.cfg.Client.Get(ctx, o.Ref); err != nil || json.Unmarshal(body, &now) != nil {
		return ""
	}
	return now.Metadata.UID
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// cut keeps a message within what the API takes.
func cut(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	message = message[:maxMessage-len("…")]
	for !utf8.ValidString(message) {
		message = message[:len(message)-1]
	}
	return message + "…"
}

// camel makes a reason of the words of a concern.
func camel(words string) string {
	var b strings.Builder
	for _, word := range strings.Fields(words) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return cmp.Or(b.String(), "Problem")
}
