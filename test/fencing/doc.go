// Package fencing shows how stores refuse a leader whose time is over, by the
// term of its lead: a PostgreSQL table, a Kubernetes object and an HTTP store.
// docs/fencing.md quotes this code.
package fencing
