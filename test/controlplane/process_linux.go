package controlplane

import (
	"syscall"
	"unsafe"
)

// childAttributes put a program into a process group of its own, so that a
// Ctrl-C meant for its user does not reach it, and end it when its user dies.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// stopped says whether every thread of a child has stopped. kill(2) returns
// earlier: the stop begins when the thread that the kernel chose for the signal
// gets a processor, and on a busy machine the others run on for up to 100 ms.
//
// WNOWAIT leaves the child's state to be asked again, and without WEXITED the
// call takes nothing away from the wait that os/exec is in.
func stopped(pid int) bool {
	const (
		idIsPID = 1          // P_PID
		noWait  = 0x01000000 // WNOWAIT
	)
	var info [32]int32 // siginfo_t: 128 bytes, of which the first is si_signo
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, idIsPID, uintptr(pid),
		uintptr(unsafe.Pointer(&info)), syscall.WSTOPPED|syscall.WNOHANG|noWait, 0, 0)
	return errno == 0 && syscall.Signal(info[0]) == syscall.SIGCHLD
}
