package elector

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is CLOCK_MONOTONIC_RAW, which on darwin goes on while the machine
// sleeps (clock_gettime_nsec_np(3)); Go's own monotonic clock stops then.
func bootTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &t); err != nil {
		panic("elector: this kernel has no CLOCK_MONOTONIC_RAW: " + err.Error())
	}
	return time.Duration(t.Nano())
}
