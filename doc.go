// Package elector keeps exactly one of several processes active, by a lock on
// a Kubernetes API server. It is the engine of the leader-elector sidecar.
//
// # Use
//
// Make an [Elector] with [New], give it a [Follower] (or a function, with
// [Work]), and let it [Elector.Run] until its context is done. Ask
// [Elector.Leads] before each effect that only a leader may have, and send the
// [Term] along with it.
//
// # Guarantee
//
// At no instant do two candidates of one election find [Elector.Leads] true,
// whatever requests are lost, late or repeated, and however long a process or
// its machine stops, as long as
//
//   - all candidates have the same [Config.TTL];
//   - the rates of their clocks differ by less than a tenth (their times may
//     differ by anything: no time of another machine is ever compared);
//   - the API server answers reads without a resourceVersion consistently, as
//     kube-apiserver does; a caching proxy in between breaks that;
//   - a lock that may have a leader is not taken with NewLock "immediate".
//
// Not promised: an effect that was under way when its leader was stopped in
// the middle of it. That is what the term is for: whoever receives the effects
// refuses those of a lower term.
//
// # States
//
//	           lock free, or held and not renewed for TTL: one compare-and-swap
//	standby ──────────────────────────────────────────────────────────▶ leader
//	   ▲                                                                  │
//	   │        trust ran out, or the lock says something else            │
//	   ├──────────────────────────────────────────────────────────────────┤
//	   │  lock released                                                   │ told to stop, unfit,
//	   └─────────────── giving up ◀───────────────────────────────────────┘ yields, hands over
//	                    (answers "not leader"; stops the app; renews
//	                     until the app has stopped; releases last)
//
// # Why it is safe
//
// A leader trusts its lease from the instant before it sent the renewal that
// was confirmed, for TTL less a margin of a tenth, on a clock that goes on while
// the machine is suspended. A standby takes the lock only by a compare-and-swap
// on a version that it has known for TTL. If the swap succeeds, nothing was
// written after that version, so the old leader's last confirmed renewal is
// that version or an older one; it was sent before the version existed, and so
// its trust ended before the standby's patience did. Delays, pauses and lost
// answers only make the standby later.
//
// Unlike k8s.io/client-go/tools/leaderelection, a leader here stops first and
// releases last, never writes over a record that it did not see, does not take
// a deleted lock for a free one, and does not take its own name for itself.
package elector
