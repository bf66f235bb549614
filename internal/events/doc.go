// Package events records what happens to a lead as Kubernetes Events, for
// `kubectl describe` and `kubectl get events`.
//
// They are core/v1 Events, of the API group that `kubectl` asks and to which the
// usual Role of a leader election grants create and patch. What repeats is
// counted in one Event; renewals are none. The election never waits for an Event:
// they queue, and what the API server does not take in time is dropped and
// counted.
package events
