// Package lock keeps an election's record on an API object: a Lease, or the
// annotation that leader-elector:0.5 kept on an Endpoints. It reads and writes
// [engine.Record]s by compare-and-swap, and decides nothing.
//
// # What we write beside the object's own fields
//
//	leader-elector.io/record      what the holder said (the seal), as JSON:
//	    {"v":1,"lock":"<uid>","holder":"music-0","ttl":10,
//	     "acquired":"2026-11-23T13:00:00Z","renewed":"2026-11-23T13:00:03Z","transitions":3,
//	     "pod":"<pod uid>","start":"5d0c…","nonce":"5d0c…-12","term":"4711"}
//	    and "offer":{"nonce":"…","to":"music-1"} while the lead is offered, and
//	    "released":"4711","to":"music-1" once that term has ended.
//	    On a tombstone: {"v":1,"create":"<nonce>"}.
//	leader-elector.io/acceptance  a candidate's answer to an offer:
//	    {"v":1,"by":"music-1","start":"…","offer":"<nonce>"}
//
// # What operators write
//
//	leader-elector.io/paused         anything but "" and "false": nobody acquires
//	leader-elector.io/switchover-to  HOLDER/CANDIDATE, or HOLDER/ for anybody
//
// A record of another "v" is not ours to read: its holder counts as foreign.
// Fields and annotations that we do not know survive our writes.
//
// # On an Endpoints
//
// The record is the annotation control-plane.alpha.kubernetes.io/leader, in the
// JSON of 0.5. It also keeps the control plane from mirroring the object into an
// EndpointSlice, so no label of ours has to. An Endpoints without it is an empty
// record, which frees nothing (law 5).
package lock
