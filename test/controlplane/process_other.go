//go:build unix && !linux

package controlplane

import "syscall"

// childAttributes put a program into a process group of its own, so that a
// Ctrl-C meant for its user does not reach it. Only Linux ends a child with its
// parent: elsewhere a user that is killed leaves the plane running.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// stopped does not know: elsewhere, a frozen program may run on for a moment.
func stopped(int) bool { return true }
