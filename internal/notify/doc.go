// Package notify tells the app who leads: by a POST that it acknowledges, or by
// a file that it reads.
package notify
