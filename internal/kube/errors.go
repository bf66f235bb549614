package kube

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// What callers branch on. Every [*Error] is exactly one of these to errors.Is.
var (
	// ErrNotFound: the server looked and there is no such object. A 404 that
	// somebody else gave (a proxy, a server without this API) is ErrUnavailable:
	// it proves nothing about the object.
	ErrNotFound = errors.New("not found")
	// ErrConflict: a 409. It may be one's own write, repeated by a proxy.
	ErrConflict = errors.New("conflict")
	// ErrForbidden: a 403. The error's message ends with what to grant.
	ErrForbidden = errors.New("forbidden")
	// ErrUnauthorized: a 401.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrThrottled: a 429, before anything was done.
	ErrThrottled = errors.New("throttled")
	// ErrInvalid: the server, or this client, refused the request as it is.
	ErrInvalid = errors.New("invalid")
	// ErrUnavailable: everything else. Unless the error is NotSent, a write may
	// have been carried out, or may be yet.
	ErrUnavailable = errors.New("unavailable")
)

// Error is what became of a request that did not succeed.
type Error struct {
	Verb       string // get, create, update, list or watch
	Ref        Ref
	Status     int           // of HTTP; zero: there was no whole answer
	Reason     string        // of the Status object, such as "AlreadyExists"
	Message    string        // for people, with what mends it
	RetryAfter time.Duration // what the server asked for, uncapped; zero: nothing
	Err        error         // what lies beneath, or nil

	unsent bool // no byte of the request can have reached the server
	absent bool // a 404 that is about this very object
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s %s %s/%s: %s", e.Verb, e.Ref.Resource, e.Ref.Namespace, e.Ref.Name, e.Message)
}

func (e *Error) Unwrap() error { return e.Err }

// Is answers errors.Is for the sentinels of this package.
func (e *Error) Is(target error) bool { return target == e.kind() }

func (e *Error) kind() error {
	switch e.Status {
	case http.StatusNotFound:
		if e.absent {
			return ErrNotFound
		}
	case http.StatusConflict:
		return ErrConflict
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusTooManyRequests:
		return ErrThrottled
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return ErrInvalid
	}
	return ErrUnavailable
}

// NotSent says that the request surely never reached the server: the connection
// was never made, or the request was refused here. It errs on the side of false.
func (e *Error) NotSent() bool { return e.unsent }

// unsentError marks the failure of something that comes before the sending.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }
