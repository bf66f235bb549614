package controlplane

import "syscall"

// childAttributes put a program into a process group of its own, so that a
// Ctrl-C meant for its user does not reach it, and end it when its user dies.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
