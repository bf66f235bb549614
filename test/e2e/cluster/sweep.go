package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Leftovers says whether a cluster is there, running or left behind.
func Leftovers(dir string) bool {
	_, err := os.Stat(dir)
	return err == nil || len(spaces()) > 0
}

// Sweep removes whatever a cluster left behind, also one that was killed. It
// ends only processes that name the cluster's folder or are in its containers.
func Sweep(dir string) error {
	var errs []error
	ids := containers(dir, "*")
	for range 50 {
		pids := ours(dir, ids)
		if len(pids) == 0 {
			break
		}
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if pids := ours(dir, ids); len(pids) > 0 {
		errs = append(errs, fmt.Errorf("processes %v do not end", pids))
	}
	errs = append(errs, dropSockets(dir), unmount(dir), dropNetns(), dropCgroups(ids), dropLogLinks(dir))
	return errors.Join(append(errs, os.RemoveAll(dir))...)
}

// bundles is the pattern of the folders that a node's runtime keeps, one per
// container.
func bundles(dir, node string) string {
	return filepath.Join(dir, node, "state", "io.containerd.runtime.v2.task", "k8s.io", "*")
}

// containers lists the containers of a node (or "*"), by its runtime's own records.
func containers(dir, node string) []string {
	found, _ := filepath.Glob(bundles(dir, node))
	for i, f := range found {
		found[i] = filepath.Base(f)
	}
	return found
}

// ours lists the cluster's processes, except this one and those above it.
func ours(dir string, containers []string) []int {
	var pids []int
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, e := range entries {
		pid, _ := strconv.Atoi(filepath.Base(e))
		if pid == os.Getpid() || pid == os.Getppid() {
			continue
		}
		command, _ := os.ReadFile(e + "/cmdline")
		names := strings.Contains(string(command), dir+"/") && knownProgram(string(command))
		if names || slices.ContainsFunc(containers, func(id string) bool { return inContainer(e, id) }) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// inContainer says whether a process (by its folder in /proc) is in a
// container: its control group is named after it, in every version of them.
func inContainer(proc, id string) bool {
	groups, _ := os.ReadFile(proc + "/cgroup")
	return strings.Contains(string(groups), id)
}

// knownProgram keeps an editor that has one of the cluster's files open alive.
func knownProgram(command string) bool {
	args := strings.Split(command, "\x00")
	known := []string{"containerd", "containerd-shim-runc-v2", "runc", "ctr", "kubelet", "kube-proxy", "etcd",
		"kube-apiserver", "kube-controller-manager", "kube-scheduler", "nsenter"}
	return slices.Contains(known, filepath.Base(args[0]))
}

// unmount unmounts all that is mounted below dir, the innermost first.
func unmount(dir string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer f.Close()
	var points []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	slices.Reverse(points)
	var errs []error
	for _, p := range points {
		if err := syscall.Unmount(p, syscall.MNT_DETACH); err != nil {
			errs = append(errs, fmt.Errorf("unmounting %s: %w", p, err))
		}
	}
	return errors.Join(errs...)
}

// dropNetns removes the nodes' and the control plane's namespaces. This
// process keeps the one that it is in until it ends.
func dropNetns() (err error) {
	for _, s := range spaces() {
		if e := syscall.Unmount(s, syscall.MNT_DETACH); e != nil && e != syscall.EINVAL {
			err = errors.Join(err, fmt.Errorf("unmounting %s: %w", s, e))
		}
		err = errors.Join(err, os.Remove(s))
	}
	return err
}

// dropSockets removes the sockets of the containers' shims: their place is
// fixed, outside the cluster's folder, but noted in it.
func dropSockets(dir string) error {
	var errs []error
	notes, _ := filepath.Glob(filepath.Join(bundles(dir, "*"), "address"))
	for _, n := range notes {
		address, _ := os.ReadFile(n)
		path := strings.TrimPrefix(strings.TrimSpace(string(address)), "unix://")
		if strings.HasPrefix(path, "/run/containerd/s/") {
			if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// dropCgroups removes the containers' control groups, which are empty now.
func dropCgroups(containers []string) error {
	var errs []error
	for _, id := range containers {
		groups, _ := filepath.Glob("/sys/fs/cgroup/*/k8s.io/" + id)
		for _, g := range append(groups, "/sys/fs/cgroup/k8s.io/"+id) {
			errs = append(errs, dropCgroup(g))
		}
	}
	return errors.Join(errs...)
}

// dropCgroup is patient: a group stays busy for a moment after its last
// process has gone.
func dropCgroup(dir string) error {
	for try := 0; ; try++ {
		err := syscall.Rmdir(dir)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if try == 20 {
			return fmt.Errorf("removing %s: %w", dir, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// dropLogLinks removes what a kubelet puts outside its folder whatever its
// configuration: links to the containers' logs.
func dropLogLinks(dir string) error {
	var errs []error
	links, _ := filepath.Glob("/var/log/containers/*")
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && strings.HasPrefix(to, dir+"/") {
			errs = append(errs, os.Remove(l))
		}
	}
	return errors.Join(errs...)
}
