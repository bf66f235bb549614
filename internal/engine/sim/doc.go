// Package sim plays elections of several candidates against a model of the API
// server, in simulated time and by a seed, and checks at every step what must
// never happen. It drives the engine's own Machine, the one that runs in
// production; only clocks, network, server and operators are modelled.
//
// A schedule lasts two simulated minutes and is a list of about sixty faults,
// drawn from the seed by [Draw]: requests and answers are lost or late, the
// network is cut in one direction or both, the watch has gaps and is out of
// order, the API server hangs; processes freeze while their app goes on, crash
// with it or without it, and are started anew, two under one name now and then;
// clocks run at rates that differ, wall clocks jump; people edit, empty, delete,
// recreate, roll back and pause the lock; etcd is restored; foreign candidates
// take part. Then all faults end, and somebody has to lead within a bound.
//
// The referee (referee.go) knows the true time and all that every process was
// told, and holds each step against the [Invariant]s. [Shrink] takes away from
// the list of faults what a violation does not need.
package sim
