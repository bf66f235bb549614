package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/leader-elector/leader-elector/test/e2e/workload"
)

// moving is the document whose commands an operator types to move over.
const moving = "docs/moving-to-endpointslice.md"

// moveOver does what the document says, word by word; only the namespace and
// the overlay with the tests' images are others.
func moveOver(ctx context.Context, t *Trial) error {
	text, err := os.ReadFile(filepath.Join(t.Source, moving))
	if err != nil {
		return err
	}
	t.Path, t.Routing = "endpointslice", workload.EndpointSlice // from now on
	overlay, err := t.Overlay()
	if err != nil {
		return err
	}
	steps := commands(string(text))
	if steps == "" {
		return errors.New(moving + " has no block of shell")
	}
	script := strings.NewReplacer("--namespace=music", "--namespace="+t.Namespace, "deploy/endpointslice", overlay).
		Replace(steps)
	// The script sets the namespace in a kubeconfig of its own.
	config := filepath.Join(overlay, "kubeconfig")
	data, err := os.ReadFile(t.Cluster.Plane.Kubeconfig())
	if err == nil {
		err = os.WriteFile(config, data, 0o600)
	}
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "bash", "-euxo", "pipefail", "-c", script)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+config, "PATH="+t.Cluster.Programs()+":"+os.Getenv("PATH"))
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the steps of %s: %w\n%s", moving, err, said)
	}
	return nil
}

// commands are all lines of a document that stand in blocks of shell.
func commands(text string) string {
	var script strings.Builder
	shell := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "```"):
			shell = strings.TrimSpace(line) == "```sh"
		case shell:
			script.WriteString(line)
		}
	}
	return script.String()
}
