package run

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guard is the kernel's: a timer that kills this process, whatever state it is
// in. It is stopped while it has no deadline. Init above us, if it is there, has
// a timer of its own, and is told each deadline.
type guard struct {
	id        int32
	underInit bool
}

// sigevent is the kernel's struct sigevent on 64-bit platforms.
type sigevent struct {
	value  uintptr
	signo  int32
	notify int32
	_      [48]byte
}

func newGuard() (*guard, error) {
	g := &guard{underInit: underInit()}
	if g.underInit {
		// Not for the command; and an Init that is frozen must not hold us up.
		unix.CloseOnExec(deadlines)
		if err := unix.SetNonblock(deadlines, true); err != nil {
			return nil, fmt.Errorf("PID 1 cannot be told deadlines: %w", err)
		}
	}
	ev := sigevent{signo: int32(unix.SIGKILL)} // notify: SIGEV_SIGNAL, which is zero
	_, _, errno := unix.Syscall(unix.SYS_TIMER_CREATE, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&ev)), uintptr(unsafe.Pointer(&g.id)))
	if errno != 0 {
		return nil, fmt.Errorf("this kernel gives no timer on CLOCK_BOOTTIME, without which a frozen leader's command cannot be ended: timer_create: %w", errno)
	}
	return g, nil
}

// set kills this process at that instant of CLOCK_BOOTTIME, at once if it is past.
func (g *guard) set(at time.Duration) error {
	g.tellInit(at)
	// A zero value would stop the timer.
	return g.settime(unix.ItimerSpec{Value: unix.NsecToTimespec(max(1, at.Nanoseconds()))})
}

// clear lets this process live.
func (g *guard) clear() error {
	g.tellInit(0)
	return g.settime(unix.ItimerSpec{})
}

// tellInit passes a deadline on; zero is none. One that is lost leaves an earlier
// one standing, which is safe.
func (g *guard) tellInit(at time.Duration) {
	if g.underInit {
		unix.Write(deadlines, binary.NativeEndian.AppendUint64(nil, uint64(at)))
	}
}

func (g *guard) settime(spec unix.ItimerSpec) error {
	_, _, errno := unix.Syscall6(unix.SYS_TIMER_SETTIME, uintptr(g.id), unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("the kernel's timer cannot be set: timer_settime: %w", errno)
	}
	return nil
}
