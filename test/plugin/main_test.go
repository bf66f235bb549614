package plugin_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// inside is set in the process that runs the tests, and says where the programs
// are that were built for them.
const inside = "LEADER_ELECTOR_PLUGIN_TEST_PROGRAMS"

func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		if err := raise(); err != nil {
			fmt.Fprintln(os.Stderr, "preparing the network namespace:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	code, err := enter()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

// enter builds what the tests run, which may need the network, and runs the
// tests in a namespace that has none.
func enter() (int, error) {
	dir, err := os.MkdirTemp("", "leader-elector-plugin-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	for _, line := range [][]string{
		{"go", "run", "-C", "../controlplane", "./cmd/controlplane", "build", "etcd", "kube-apiserver", "kubectl"},
		{"go", "build", "-C", "../..", "-o", filepath.Join(dir, "leader-elector"), "./cmd/leader-elector"},
		{"go", "build", "-C", "../../kubectl-leader", "-o", filepath.Join(dir, "kubectl-leader"), "."},
	} {
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return 0, fmt.Errorf("%v: %w", line, err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	// A plane outside the namespace could not be reached from within it.
	cmd.Env = append(os.Environ(), inside+"="+dir, "LEADER_ELECTOR_TEST_PLANE=")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGTERM}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	err = cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("these tests need a network namespace of their own (as root, or where users may make namespaces): %w", err)
	}
	return 0, nil
}
