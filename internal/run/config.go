package run

import (
	"log/slog"
	"time"
)

// What follows when the command ends by itself.
const (
	Exit     = "exit"     // this process hands over and ends with the command's exit code
	Handover = "handover" // others go first, and this process stands by
)

// Config says what to run. All fields are required.
type Config struct {
	Path  string   // of the program
	Args  []string // as the program sees them, its name first
	Env   []string // LEADER_ELECTOR_TERM is added to it
	Grace time.Duration
	// OnExit is Exit or Handover.
	OnExit string
	// Ended is called where this process has to end: the command ended by
	// itself, with OnExit Exit (then err is nil), or it cannot be run.
	Ended func(err error)
	Log   *slog.Logger
}

// ahead is how long before the end of trust the command is killed, so that this
// process has reaped it and goes on as a standby: what is left of the time is
// for the kernel and for a machine that is busy.
const ahead = 100 * time.Millisecond

// early is how much before the end of trust the kernel's guard strikes: a killed
// process must be scheduled once more to end, and its child after it, which a
// machine under load delays.
const early = 20 * time.Millisecond

// before is how much before the guard Init strikes, which has everything in the
// container to end.
const before = 20 * time.Millisecond

// cannotStart is the exit code for a command that was found and does not start,
// as a shell tells it.
const cannotStart = 126

// termVariable tells the command its term.
const termVariable = "LEADER_ELECTOR_TERM="
