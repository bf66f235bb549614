// Package run makes a command follow the lead: it starts when this candidate
// leads and is over before anybody else can.
//
// # Who ends the command
//
//	trust - grace   SIGTERM, unless a renewal moves the end of trust on before
//	trust - 100 ms  SIGKILL, by the elector, which then waits for its next turn
//	trust - 20 ms   SIGKILL of the elector, by the kernel, and so of the command
//
// The first two are this process's own doing and fail when it is frozen or
// starved. The third does not need it: a POSIX timer on CLOCK_BOOTTIME, which
// each confirmed renewal moves on, kills this process when trust ends, and
// PR_SET_PDEATHSIG makes the kernel kill the command when the thread that
// started it is gone. SIGKILL ends stopped processes too. That thread therefore
// lives as long as the command does, and the timer stands from before the
// command starts until nothing of it is left.
//
// # What the command leaves behind
//
// This process is a subreaper: whatever the command started becomes its child
// when the command ends. It kills these too, and Stop returns nil only when the
// kernel says that there is no child any more. Where the kernel's guard had to
// step in, only what PR_SET_PDEATHSIG reaches is ended, which is the command
// itself; as PID 1 of a container Init stands above, and its end ends the PID
// namespace with everything in it.
package run
