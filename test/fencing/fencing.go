package fencing

import "errors"

// ErrFenced says that a leader with a higher term has written.
var ErrFenced = errors.New("a newer leader has written")
