// Package yardstick plays client-go's leaderelection and this project's elector
// in one world, in virtual time: the same API server, the same network, the
// same faults by the same seeds. A referee counts when two act at once, and for
// how long nobody does.
//
// Both are the real code, from their own loop down to the HTTP request: what is
// replaced is the http.RoundTripper beneath them. Time is that of a
// testing/synctest bubble, so all candidates have one clock, and no process is
// frozen or suspended: what needs those is measured elsewhere (test/interop,
// make bench). CLOCK_BOOTTIME does not know bubbles; the tests lay a file over
// the elector's clock_linux.go (go test -overlay), and nothing else.
package yardstick
