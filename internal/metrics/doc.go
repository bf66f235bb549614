// Package metrics counts what a candidate does and writes it in Prometheus'
// text format (version 0.0.4). It is a few lines of our own because every pod
// pays for the sidecar's memory, and the reference client costs more than the
// whole election.
package metrics
