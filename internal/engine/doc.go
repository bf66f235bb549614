// Package engine decides who leads. [Machine.Step] takes what happened and the
// time, and returns what to do; it has no clock, goroutine, I/O, log or
// randomness of its own, so one schedule of events always gives one dialogue.
//
// # Words
//
// Candidate: one process taking part. Leader: the candidate that may act now.
// Standby: any other. Lock: the API object that decides. Record: what it says.
// Version: its resourceVersion. D: the lease's duration. Trust: until when the
// leader may act. Patience: from when a standby may take the lock. All waiting
// is counted on the boot clock of one process.
//
// # Laws
//
//  1. Lead only on your own write: an answer (or a later read) that shows its
//     nonce. Time-outs, resets and 5xx are unknown; a 409 may be my own write.
//
//  2. Seal: every write as holder repeats in our annotation what the object's
//     fields say. Where they differ, somebody else wrote since.
//
//  3. Trust counts from departure: sent + D - margin.
//
//  4. Patience counts from arrival: the same version, known for D, is swapped.
//     Without an intact seal D is the longest known, and more for a foreign
//     holder.
//
//  5. Only our own release is free at once.
//
//  6. An unknown outcome is neither: read before the next write. A record that
//     my own start sealed is mine.
//
//  7. Leadership ends by itself, by the clock.
//
//  8. Lost is final: anything newer than my last confirmed write that is not my
//     intact seal ends the lead in the same step.
//
//  9. Stop first, release last.
//
//  10. A missing lock is not a free lock: a tombstone, then patience.
//
//  11. My name is not me; my pod's socket is.
//
//  12. Terms only rise. A version that falls means that etcd was restored; a
//     term that falls, that somebody wrote an old copy of the lock.
//
//  13. An unfit candidate does not lead.
//
//  14. Paused: nobody but its holder acquires.
//
//  15. Hand over on request: an offer in the seal, an acceptance beside it.
//
//  16. No answer kills nobody: back off, with jitter, and say what is wrong.
//
//  17. Foreign candidates are no worse beside us than among themselves.
//
//  18. Two locks: Endpoints first, Lease second; the lead is that of both, and
//     the Lease is released before the Endpoints.
//
// # Rooms
//
// record.go and event.go are the words; machine.go turns; answer.go takes what
// became of a request, learn.go draws the consequences of news; lead.go is the
// leader's part, campaign.go the standby's, offer.go the hand-over; pair.go joins the
// machines of two locks; view.go is
// what may be told.
package engine
