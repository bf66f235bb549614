package cluster

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// claimFile is the descriptor of the claim: it outlives Enter.
const claimFile = 101

func claimPath() string { return Dir() + ".claim" }

// Claim reserves the instance for this process: of each there is one at a time.
// The kernel frees the claim when the process ends, however it ends.
func Claim() error {
	f, err := os.OpenFile(claimPath(), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("a cluster is up, kept by process %d; `make e2e-down` takes it down", Claimant())
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.WriteString(strconv.Itoa(os.Getpid())); err != nil {
		return err
	}
	return syscall.Dup3(int(f.Fd()), claimFile, 0)
}

// Claimant is the process that has the claim, or 0.
func Claimant() int {
	f, err := os.Open(claimPath())
	if err != nil {
		return 0
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return 0
	}
	data := make([]byte, 20)
	n, _ := f.Read(data)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data[:n])))
	return pid
}

// Down asks the claimant to take its cluster down, and removes whatever is
// left then.
func Down(patience time.Duration) error {
	if pid := Claimant(); pid != 0 {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			return err
		}
		for deadline := time.Now().Add(patience); Claimant() != 0; {
			if time.Now().After(deadline) {
				return fmt.Errorf("process %d does not take its cluster down", pid)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	if err := Claim(); err != nil {
		return err
	}
	return errors.Join(Sweep(Dir()), os.Remove(claimPath()))
}
