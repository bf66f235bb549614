package notify

import (
	"context"
	"errors"
	"os"
)

// What came of telling the app one piece of news, for who counts.
const (
	Accepted    = "accepted"
	Refused     = "refused"     // it answers, and not with 2xx; the file cannot be written
	TimedOut    = "timeout"     // it has not answered in time; it still holds the file's lock
	Unreachable = "unreachable" // no connection, or one that broke
	Replaced    = "replaced"    // something newer came first, or this process ended
)

// answered is an answer of the app that accepts nothing.
type answered struct{ text string }

func (e *answered) Error() string { return e.text }

// resultOf sorts what came of telling.
func resultOf(err error) string {
	var no *answered
	switch {
	case err == nil:
		return Accepted
	case errors.Is(err, errStale), errors.Is(err, context.Canceled):
		return Replaced
	case errors.As(err, &no):
		return Refused
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return TimedOut
	}
	return Unreachable
}

// counter counts what came of telling; nil: nobody counts.
type counter func(event, result string)

func (c counter) count(event, result string) {
	if c != nil {
		c(event, result)
	}
}
