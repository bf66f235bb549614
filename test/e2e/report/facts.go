package report

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// Here gathers the facts about this machine.
func Here(ctx context.Context) Facts {
	said := func(name string, args ...string) string {
		out, err := exec.CommandContext(ctx, name, args...).Output()
		if err != nil {
			return "unknown"
		}
		return strings.TrimSpace(string(out))
	}
	containerd := strings.Fields(said("containerd", "--version") + " ? ? ?")[2]
	return Facts{
		Date:    time.Now().UTC().Format(time.DateOnly),
		Machine: fmt.Sprintf("%d cores (%s), %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name"), field("/proc/meminfo", "MemTotal")),
		Versions: fmt.Sprintf("Kubernetes %s, containerd %s, Linux %s, %s; kube-proxy in nftables mode",
			controlplane.Version, containerd, said("uname", "-r"), runtime.Version()),
	}
}

// field is the first value of a name in a file of /proc.
func field(file, name string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
