package run

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// NeedsInit says whether this process is PID 1, which the kernel does not let
// its own timer kill. Init is for it then.
func NeedsInit() bool { return os.Getpid() == 1 }

// Init starts this program again, as a child that the kernel's guard can kill,
// passes signals on to it, reaps what nobody waits for, and returns the child's
// exit code when it ends. Its caller must then end, with which the kernel ends
// every process of the container.
func Init(args, env []string) (int, error) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	attr := &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{}}
	if terminal() {
		// The keyboard's signals are for the child and its command. If they
		// came here too, the child would get each of them twice.
		attr.Sys.Foreground = true
	}
	pid, err := syscall.ForkExec("/proc/self/exe", args, attr)
	if err != nil {
		return 1, fmt.Errorf("as PID 1 this program starts itself once more, which failed: %w", err)
	}
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
