package lock

import (
	"context"
	"errors"
	"fmt"

	"github.com/leader-elector/leader-elector/internal/engine"
	"github.com/leader-elector/leader-elector/internal/kube"
)

// Kind is the kind of object that holds the record.
type Kind string

// The kinds of lock.
const (
	Leases    Kind = "leases"
	Endpoints Kind = "endpoints"
)

// ParseKinds reads what --lock says, or says what to write instead. Two kinds are
// in the order in which they are taken (law 18).
func ParseKinds(name string) ([]Kind, error) {
	switch name {
	case "leases", "endpoints":
		return []Kind{Kind(name)}, nil
	case "endpoints+leases":
		return []Kind{Endpoints, Leases}, nil
	}
	return nil, fmt.Errorf(`there is no lock %q; use "leases", "endpoints" beside leader-elector:0.5, or "endpoints+leases" on the way from that to leases`, name)
}

// Lock is one election's lock object.
type Lock struct {
	client *kube.Client
	ref    kube.Ref
	kind   kind
}

// kind is what differs between a Lease and an Endpoints.
type kind interface {
	// decode fills in the record's own fields; what it cannot read it tells in
	// Malformed.
	decode(doc document, rec *engine.Record)
	// encode writes them into a document that is not shared.
	encode(doc document, rec *engine.Record) error
	// head is apiVersion and kind.
	head() (apiVersion, kind string)
}

// New is the lock of the election of that name. It does not contact the server.
func New(c *kube.Client, k Kind, namespace, name string) (*Lock, error) {
	l := &Lock{client: c, ref: kube.Ref{Namespace: namespace, Name: name}}
	switch k {
	case Leases:
		l.kind = lease{}
		l.ref.Resource = "leases"
	case Endpoints:
		l.kind = endpoints{}
		l.ref.Resource = "endpoints"
	default:
		return nil, fmt.Errorf("there is no lock %q", k)
	}
	l.ref.APIVersion, _ = l.kind.head()
	return l, nil
}

// Read reads the lock consistently. The answer's Op is left to the caller.
func (l *Lock) Read(ctx context.Context) engine.Answer {
	body, err := l.client.Get(ctx, l.ref)
	return l.answer(body, err)
}

// Swap replaces exactly the version that s.On shows.
func (l *Lock) Swap(ctx context.Context, s engine.Swap) engine.Answer {
	old, ok := s.On.Object.(document)
	if !ok {
		return engine.Answer{Outcome: engine.Refused, Err: "the record to be replaced was not read from this lock"}
	}
	doc := old.clone()
	var err error
	if s.Kind == engine.Accept {
		err = doc.setAcceptance(s.Put.Acceptance)
	} else {
		err = l.hold(doc, &s.Put)
	}
	var body []byte
	if err == nil {
		body, err = doc.encode(l.kind.head())
	}
	if err != nil {
		return engine.Answer{Outcome: engine.Refused, Err: "the record cannot be written: " + err.Error()}
	}
	stored, err := l.client.Update(ctx, l.ref, body)
	return l.answer(stored, err)
}

// hold writes all that a holder says.
func (l *Lock) hold(doc document, put *engine.Record) error {
	return errors.Join(
		l.kind.encode(doc, put),
		doc.setSeal(put.Seal),
		doc.setAcceptance(put.Acceptance),
		doc.setRequest(put.Request),
	)
}

// Create makes the lock, as a tombstone.
func (l *Lock) Create(ctx context.Context, c engine.Create) engine.Answer {
	doc := newDocument(l.ref.Namespace, l.ref.Name)
	err := errors.Join(l.kind.encode(doc, &c.Put), doc.setTombstone(c.Put.Tombstone))
	var body []byte
	if err == nil {
		body, err = doc.encode(l.kind.head())
	}
	if err != nil {
		return engine.Answer{Outcome: engine.Refused, Err: "the lock cannot be written: " + err.Error()}
	}
	stored, err := l.client.Create(ctx, l.ref, body)
	return l.answer(stored, err)
}

// answer says what became of a request. Whatever might have been committed is
// unknown (law 1).
func (l *Lock) answer(body []byte, err error) engine.Answer {
	if err == nil {
		rec, err := l.decode(body)
		if err == nil {
			return engine.Answer{Outcome: engine.OK, Record: rec}
		}
		return engine.Answer{Outcome: engine.Unknown, Err: "the answer cannot be read: " + err.Error()}
	}
	a := engine.Answer{Outcome: engine.Unknown, Err: err.Error()}
	var e *kube.Error
	if !errors.As(err, &e) {
		return a
	}
	a.RetryAfter = e.RetryAfter
	switch {
	case errors.Is(err, kube.ErrNotFound):
		a.Outcome = engine.Absent
	case errors.Is(err, kube.ErrConflict):
		a.Outcome = engine.Conflict
	case e.NotSent(), errors.Is(err, kube.ErrForbidden), errors.Is(err, kube.ErrUnauthorized),
		errors.Is(err, kube.ErrThrottled), errors.Is(err, kube.ErrInvalid):
		a.Outcome = engine.Refused
		a.Forbidden = errors.Is(err, kube.ErrForbidden)
	}
	return a
}

func (l *Lock) decode(body []byte) (engine.Record, error) {
	doc, err := parseDocument(body)
	if err == nil {
		err = doc.named(l.ref.Name)
	}
	if err != nil {
		return engine.Record{}, err
	}
	rec, err := doc.record()
	if err != nil {
		return engine.Record{}, err
	}
	l.kind.decode(doc, &rec)
	return rec, nil
}

// Watch tells fn what a watch of the lock brings, until ctx is done. problem is
// told why the watch does not stand, and nil when it stands again.
func (l *Lock) Watch(ctx context.Context, fn func(engine.Event), problem func(error)) {
	l.client.Watch(ctx, l.ref, func(e kube.Event) {
		switch e.Type {
		case kube.Listed, kube.Changed:
			rec, err := l.decode(e.Object)
			if err != nil {
				problem(fmt.Errorf("the watch brought what cannot be read: %w", err))
				fn(engine.Observation{Deleted: true}) // proves nothing, but is a reason to read
				return
			}
			fn(engine.Observation{Record: rec})
		case kube.Missing:
			fn(engine.Observation{Deleted: true})
		case kube.Deleted:
			rec, err := l.decode(e.Object)
			if err != nil {
				rec = engine.Record{} // proves nothing, but is a reason to read
			}
			fn(engine.Observation{Deleted: true, Record: rec})
		case kube.Up:
			problem(nil)
			fn(engine.Watching{OK: true})
		case kube.Failed:
			problem(e.Err)
		case kube.Forbidden:
			problem(e.Err)
			fn(engine.Watching{OK: false})
		}
	})
}

// Rewatch gives up the watch's connection, which may be dead without a sign.
func (l *Lock) Rewatch() { l.client.Rewatch() }
