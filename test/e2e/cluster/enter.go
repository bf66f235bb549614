package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// packages are the Debian packages that the cluster needs, with a program or file of
// each.
var packages = [][2]string{
	{"containerd", "containerd"}, {"runc", "runc"}, {"containernetworking-plugins", "/usr/lib/cni/bridge"},
	{"nftables", "nft"}, {"conntrack", "conntrack"}, {"iptables", "iptables"}, {"iproute2", "ip"},
	{"procps", "sysctl"}, {"util-linux", "nsenter"}, {"debootstrap", "debootstrap"}, {"curl", "curl"},
	{"debian-archive-keyring", "/usr/share/keyrings/debian-archive-keyring.gpg"},
}

// Require installs the packages that are missing. Without root, or without a
// package, there is no cluster: the error says which it is.
func Require(ctx context.Context, say func(string)) error {
	if os.Geteuid() != 0 {
		return errors.New("this needs root: it makes network namespaces and runs containers")
	}
	var missing []string
	for _, p := range packages {
		if !installed(p[1]) {
			missing = append(missing, p[0])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	list := strings.Join(missing, " ")
	say("installing " + list)
	for _, line := range [][]string{{"update"}, append([]string{"install", "-y", "--no-install-recommends"}, missing...)} {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-qq"}, line...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("these packages are missing and cannot be installed: %s: %w: %s", list, err, trim(string(out)))
		}
	}
	return nil
}

// installed looks for a program by name, or a file by path.
func installed(what string) bool {
	_, err := exec.LookPath(what)
	if filepath.IsAbs(what) {
		_, err = os.Stat(what)
	}
	return err == nil
}

// doorFile is the descriptor under which Enter hands a listener on. It is
// high, so that it is not one that the runtime needs until the end.
const doorFile = 100

const entered = "LEADER_ELECTOR_E2E_INSIDE"

// Inside says whether this process has entered the control plane's namespace.
// What Enter handed on stays with this process: the claim must not live on in
// a container.
func Inside() bool {
	if os.Getenv(entered) == "" {
		return false
	}
	syscall.CloseOnExec(doorFile)
	syscall.CloseOnExec(claimFile)
	return true
}

// Enter makes the control plane's network namespace and replaces this program
// by itself within it. A listener on the machine's loopback goes along, so
// that kubectl reaches the API server from outside.
func Enter(ctx context.Context) error {
	if _, err := run(ctx, "ip", "netns", "add", spaceOf("")); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	if err := syscall.Dup3(int(file.Fd()), doorFile, 0); err != nil {
		return fmt.Errorf("handing the listener on: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	line := append([]string{"nsenter", "--net=" + netns(spaceOf("")), self}, os.Args[1:]...)
	return fmt.Errorf("entering the namespace: %w", syscall.Exec(nsenter, line, append(os.Environ(), entered+"=1")))
}

// Door is the listener that Enter handed on.
func Door() (net.Listener, error) {
	return net.FileListener(os.NewFile(doorFile, "door"))
}
