package lock

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// said is what both kinds of lock say of a holder, in the words of the API.
type said struct {
	HolderIdentity       *string `json:"holderIdentity"`
	LeaseDurationSeconds *int64  `json:"leaseDurationSeconds"`
	AcquireTime          *string `json:"acquireTime"`
	RenewTime            *string `json:"renewTime"`
	LeaderTransitions    *int64  `json:"leaderTransitions"`
	LeaseTransitions     *int64  `json:"leaseTransitions"`
}

// maxDuration bounds what a broken record can make us wait for.
const maxDuration = 1<<31 - 1

func (s *said) into(rec *engine.Record) error {
	if s.HolderIdentity != nil {
		rec.Holder = *s.HolderIdentity
	}
	if n := s.LeaseDurationSeconds; n != nil {
		rec.Duration = time.Duration(min(max(*n, 0), maxDuration)) * time.Second
	}
	for _, n := range []*int64{s.LeaderTransitions, s.LeaseTransitions} {
		if n != nil {
			rec.Transitions = int(min(max(*n, 0), maxDuration))
		}
	}
	var err1, err2 error
	if s.AcquireTime != nil {
		rec.Acquired, err1 = parseTime(*s.AcquireTime)
	}
	if s.RenewTime != nil {
		rec.Renewed, err2 = parseTime(*s.RenewTime)
	}
	return errors.Join(err1, err2)
}

// malformed makes rec one that nobody can read.
func malformed(rec *engine.Record, why string) {
	*rec = engine.Record{
		UID: rec.UID, Version: rec.Version, Object: rec.Object, Duration: rec.Duration,
		Seal: rec.Seal, Paused: rec.Paused, Malformed: why,
	}
}

// lease keeps the record in the spec of a coordination.k8s.io/v1 Lease.
type lease struct{}

// microTime is how the API writes a Lease's times.
const microTime = "2006-01-02T15:04:05.000000Z07:00"

func (lease) head() (string, string) { return "coordination.k8s.io/v1", "Lease" }

func (lease) decode(doc document, rec *engine.Record) {
	var s said
	err := get(doc.root, "spec", &s)
	if err == nil {
		err = s.into(rec)
	}
	if err != nil {
		malformed(rec, "the Lease's spec: "+err.Error())
	}
}

func (lease) encode(doc document, rec *engine.Record) error {
	spec := map[string]json.RawMessage{}
	if get(doc.root, "spec", &spec) != nil || spec == nil {
		spec = map[string]json.RawMessage{} // it cannot be read, so nothing in it is kept
	}
	spec["holderIdentity"] = text(rec.Holder)
	spec["leaseDurationSeconds"] = fmt.Appendf(nil, "%d", rec.Duration/time.Second)
	spec["leaseTransitions"] = fmt.Appendf(nil, "%d", rec.Transitions)
	setTime(spec, "acquireTime", rec.Acquired, microTime)
	setTime(spec, "renewTime", rec.Renewed, microTime)
	raw, err := json.Marshal(spec)
	doc.root["spec"] = raw
	return err
}

func setTime(fields map[string]json.RawMessage, name string, t time.Time, layout string) {
	if t.IsZero() {
		delete(fields, name)
		return
	}
	fields[name] = text(t.UTC().Format(layout))
}

// endpoints keeps the record in the annotation that leader-elector:0.5 used.
type endpoints struct{}

const leaderNote = "control-plane.alpha.kubernetes.io/leader"

func (endpoints) head() (string, string) { return "v1", "Endpoints" }

func (endpoints) decode(doc document, rec *engine.Record) {
	note, ok := doc.notes[leaderNote]
	if !ok || note == "" {
		return // 0.5 creates the object empty, and a Service's has none
	}
	var s said
	err := json.Unmarshal([]byte(note), &s)
	if err == nil {
		err = s.into(rec)
	}
	if err != nil {
		malformed(rec, "the annotation "+leaderNote+": "+err.Error())
	}
}

// endpointsRecord has the order and the spelling of 0.5, whose times are in
// whole seconds.
type endpointsRecord struct {
	HolderIdentity       string `json:"holderIdentity"`
	LeaseDurationSeconds int64  `json:"leaseDurationSeconds"`
	AcquireTime          string `json:"acquireTime"`
	RenewTime            string `json:"renewTime"`
	LeaderTransitions    int    `json:"leaderTransitions"`
}

func (endpoints) encode(doc document, rec *engine.Record) error {
	note, err := json.Marshal(endpointsRecord{
		HolderIdentity: rec.Holder, LeaseDurationSeconds: int64(rec.Duration / time.Second),
		AcquireTime: rec.Acquired.UTC().Format(time.RFC3339), RenewTime: rec.Renewed.UTC().Format(time.RFC3339),
		LeaderTransitions: rec.Transitions,
	})
	if err != nil {
		return err
	}
	merged, err := withUnknown(doc.notes[leaderNote], note)
	doc.notes[leaderNote] = string(merged)
	return err
}

// withUnknown adds the fields of an older note that the newer does not have.
func withUnknown(older string, newer []byte) ([]byte, error) {
	var old, fields map[string]json.RawMessage
	if json.Unmarshal([]byte(older), &old) != nil {
		return newer, nil
	}
	if err := json.Unmarshal(newer, &fields); err != nil {
		return nil, err
	}
	known := len(fields)
	for name := range fields {
		delete(old, name)
	}
	maps.Copy(fields, old)
	if len(fields) == known {
		return newer, nil
	}
	return json.Marshal(fields)
}
