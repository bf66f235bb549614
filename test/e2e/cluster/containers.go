package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Processes lists the processes of a container, by its control group.
func Processes(container string) ([]int, error) {
	entries, err := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, e := range entries {
		if inContainer(e, container) {
			pid, _ := strconv.Atoi(filepath.Base(e))
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 && err == nil {
		err = fmt.Errorf("container %.12s has no process", container)
	}
	return pids, err
}

// Signal sends a signal to all processes of a container.
func Signal(container string, sig syscall.Signal) error {
	pids, err := Processes(container)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// KillPod ends all of a pod at once, its sandbox too: what a container of it
// has for a parent has them all for children.
func KillPod(container string) error {
	pids, err := Processes(container)
	if err != nil {
		return err
	}
	shim := 0
	for _, pid := range pids {
		if p, err := parent(pid); err == nil && !slices.Contains(pids, p) {
			shim = p
		}
	}
	if shim <= 1 {
		return fmt.Errorf("container %.12s has no parent", container)
	}
	entries, _ := filepath.Glob("/proc/[0-9]*")
	var errs []error
	for _, e := range entries {
		pid, _ := strconv.Atoi(filepath.Base(e))
		if p, err := parent(pid); err == nil && p == shim {
			errs = append(errs, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	return errors.Join(errs...)
}

// parent is a process's parent.
func parent(pid int) (int, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may hold anything.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	return strconv.Atoi(fields[1])
}

// PowerOff pulls the node's plug: it leaves the network, and all its processes
// end without a word.
func (n *Node) PowerOff(ctx context.Context) error {
	if err := n.Cut(ctx); err != nil {
		return err
	}
	if err := n.stopAgents(); err != nil {
		return err
	}
	for range 20 {
		pids := ours(n.dir, containers(filepath.Dir(n.dir), n.Name))
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return nil
}

// PowerOn starts what PowerOff ended.
func (n *Node) PowerOn(ctx context.Context) error {
	if err := errors.Join(n.Heal(ctx), n.awaitRuntime(ctx)); err != nil {
		return err
	}
	return errors.Join(n.Kubelet.Start(), n.Proxy.Start())
}
