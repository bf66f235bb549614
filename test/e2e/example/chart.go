package example

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// helm runs Helm itself, of the version in test/chart/go.mod, with nothing of
// the user's.
func (r *run) helm(ctx context.Context, source string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(source, "bin", "helm"), append(args, "--namespace", r.Name, "--kubeconfig", r.c.Plane.Kubeconfig())...)
	home := filepath.Join(r.c.Dir, "helm")
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	said, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("helm %s (make bin/helm builds it): %w\n%s", strings.Join(args, " "), err, said)
	}
	return string(said), nil
}

// chart is the command line that installs or upgrades.
func chart(source, verb string, more ...string) []string {
	return append([]string{verb, "music", filepath.Join(source, "deploy", "chart", "leader-elector"),
		"--values", filepath.Join(source, "deploy", "examples", "chart", "values.yaml"),
		"--set", "app.image.repository=nginx,app.image.tag=latest", // of the tests
		"--wait", "--timeout", "90s"}, more...)
}

// installChart installs the chart in a namespace that enforces Pod Security
// "restricted", and returns when Helm finds everything ready: both pods are.
func installChart(ctx context.Context, r *run, source string) error {
	if _, err := r.c.Kubectl(ctx, "create", "namespace", r.Name); err != nil {
		return err
	}
	if _, err := r.c.Kubectl(ctx, "label", "namespace", r.Name, "pod-security.kubernetes.io/enforce=restricted"); err != nil {
		return err
	}
	_, err := r.helm(ctx, source, chart(source, "install")...)
	return err
}

// useChart asks `helm test`, and sees the traffic follow when an upgrade has
// replaced both pods.
func useChart(ctx context.Context, r *run, source string) error {
	said, err := r.helm(ctx, source, "test", "music", "--logs", "--timeout", "60s")
	if err != nil {
		return err
	}
	if !strings.Contains(said, "ok    lock") {
		return fmt.Errorf("helm test does not show what doctor says of the lock:\n%s", said)
	}
	before, err := r.pods(ctx)
	if err != nil {
		return err
	}
	if _, err := r.helm(ctx, source, chart(source, "upgrade", "--set", "podAnnotations.roll=second")...); err != nil {
		return err
	}
	leader, err := r.leader(ctx, "")
	if err != nil {
		return err
	}
	for _, pod := range before {
		if pod == leader {
			return fmt.Errorf("the upgrade has left the leader %s where it was", pod)
		}
	}
	if err := serves(ctx, r, leader); err != nil {
		return fmt.Errorf("after the upgrade: %w", err)
	}
	if token, err := r.kubectl(ctx, "exec", leader, "-c", "app", "--", "ls", "/var/run/secrets/kubernetes.io/serviceaccount/token"); err == nil {
		return fmt.Errorf("the app's container has the sidecar's token: %s", token)
	}
	_, err = r.helm(ctx, source, "uninstall", "music", "--wait", "--timeout", "60s")
	return err
}
