// Package monitoring holds what we ship for monitoring against the real things:
// the page of a real sidecar against Prometheus' own linter and docs/metrics.md,
// the alerts of deploy/monitoring against Prometheus' rule engine, and all of it
// against a Prometheus that finds and scrapes real sidecars. It is a module of its
// own, as the sidecar's must not grow by Prometheus.
package monitoring
