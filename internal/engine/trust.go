package engine

import "time"

// Trust is the span in which a leader may act. It is counted from the instant
// before the confirmed write was handed to the transport (law 3), so a slow
// answer never lengthens it. The zero Trust holds at no time.
type Trust struct {
	Sent   Now           // when the confirmed write was sent
	Length time.Duration // D less the margin
	Margin time.Duration // how far the wall clock may run ahead of the boot clock
}

// Until is the boot instant at which the trust ends by itself.
func (t Trust) Until() time.Duration { return t.Sent.Boot + t.Length }

// Holds says whether the leader may act at now. The wall clock is asked as
// well: where it ran ahead of the boot clock, the machine was stopped by
// something that hides time from it (law 7).
func (t Trust) Holds(now Now) bool {
	if t.Length <= 0 || now.Boot >= t.Until() {
		return false
	}
	ahead := now.Wall.Sub(t.Sent.Wall) - (now.Boot - t.Sent.Boot)
	return ahead <= t.Margin
}
