//go:build !linux && !darwin

package elector

import "time"

var started = time.Now()

// bootTime is the time since this process began. Where the system's monotonic
// clock stops during a suspend, only the comparison with the wall clock notices
// it (law 7); in production the sidecar runs on Linux.
func bootTime() time.Duration { return time.Since(started) }
