package doctor

import "golang.org/x/sys/unix"

// bootClock says whether the clock of all our laws is there.
func bootClock() error {
	var t unix.Timespec
	return unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
}
