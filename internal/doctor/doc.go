// Package doctor looks at one installation from where its sidecar runs, and
// says what is wrong with it and what mends that. It reads; it never writes.
//
// An examination is a function of its own with a time-out of its own. What it
// sees becomes a [Finding]: fine, worth a look, or a failure, the last two with
// their mend: a flag, a rule of RBAC, a command, a field. What needs the API
// server is left out, and said to be, when the server itself is the failure.
package doctor
