package elector

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is CLOCK_BOOTTIME, which goes on while the machine is suspended.
// Go's own monotonic clock stops then, and a leader would wake up believing in
// a lease that somebody else holds.
func bootTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		// The kernel has it since 2.6.39; without it nothing here is safe.
		panic("elector: this kernel has no CLOCK_BOOTTIME: " + err.Error())
	}
	return time.Duration(t.Nano())
}
