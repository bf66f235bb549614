package run

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// NeedsInit says whether this process is PID 1, which the kernel does not let
// its own timer kill. Init is for it then.
func NeedsInit() bool { return os.Getpid() == 1 }

// deadlines is the descriptor on which the elector tells Init until when the
// command may live, in nanoseconds of CLOCK_BOOTTIME.
const deadlines = 3

// Init starts this program again, as a child that the kernel's guard can kill,
// passes signals on to it, reaps what nobody waits for, and returns the child's
// exit code when it ends. Its caller must then end, with which the kernel ends
// every process of the container.
func Init(args, env []string) (int, error) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	told, tell, err := os.Pipe()
	if err == nil {
		err = strike(told)
	}
	if err != nil {
		return 1, fmt.Errorf("PID 1 cannot guard the command: %w", err)
	}
	attr := &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2, deadlines: tell.Fd()}, Sys: &syscall.SysProcAttr{}}
	if terminal() {
		// The keyboard's signals are for the child and its command. If they
		// came here too, the child would get each of them twice.
		attr.Sys.Foreground = true
	}
	pid, err := syscall.ForkExec("/proc/self/exe", args, attr)
	if err != nil {
		return 1, fmt.Errorf("as PID 1 this program starts itself once more, which failed: %w", err)
	}
	tell.Close()
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case s := <-signals:
				syscall.Kill(pid, s.(syscall.Signal))
			case <-done:
				return
			}
		}
	}()
	for {
		var status syscall.WaitStatus
		switch ended, err := syscall.Wait4(-1, &status, 0, nil); {
		case err == syscall.EINTR:
		case err != nil:
			return 1, fmt.Errorf("PID 1 cannot wait for its child: %w", err)
		case ended == pid && status.Signal() == unix.SIGKILL:
			return code(status), fmt.Errorf("the elector was killed: by the kernel's guard, as trust had ended while it was frozen, or for want of memory")
		case ended == pid:
			return code(status), nil
		}
	}
}

// strike kills every process of the container at the deadline that was told
// last. The kernel's guard ends a frozen elector, and with it the command; what
// the command has started would live until that elector has been scheduled to
// die and we to see it. This does not wait for it.
func strike(told *os.File) error {
	timer, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("timerfd_create: %w", err)
	}
	go func() {
		var message [8]byte
		for {
			if _, err := io.ReadFull(told, message[:]); err != nil {
				return // the elector has ended, and so do we
			}
			var spec unix.ItimerSpec // zero: no deadline
			if at := time.Duration(binary.NativeEndian.Uint64(message[:])); at != 0 {
				spec.Value = unix.NsecToTimespec(max(1, (at - before).Nanoseconds()))
			}
			unix.TimerfdSettime(timer, unix.TFD_TIMER_ABSTIME, &spec, nil)
		}
	}()
	go func() {
		var count [8]byte
		for {
			// A thread of its own waits in the kernel, and has nothing to do but this.
			if n, err := unix.Read(timer, count[:]); err == nil && n > 0 {
				unix.Kill(-1, unix.SIGKILL)
			} else if err != unix.EINTR {
				return
			}
		}
	}()
	return nil
}

// underInit says whether PID 1 is this same program, so that everything ends
// with this process.
func underInit() bool {
	first, err := os.Stat("/proc/1/exe")
	if err != nil {
		return false
	}
	self, err := os.Stat("/proc/self/exe")
	return err == nil && os.Getppid() == 1 && os.SameFile(first, self)
}
