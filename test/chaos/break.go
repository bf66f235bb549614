package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// broken laws, as edits that the build lays over the engine's source, so that
// no switch for them is in the program. `make mutants` has the whole list and
// tries them in the simulation; these are to show that real processes, real
// time and a real API server tell as well.
var brokenLaws = map[string][]edit{
	"trust counts from arrival": {{"internal/engine/learn.go", "trust := Trust{Sent: w.sent,", "trust := Trust{Sent: m.now,"}},
	"a standby waits for 0.8 D": {{"internal/engine/campaign.go", "\t\treturn rec.Duration\n", "\t\treturn rec.Duration * 8 / 10\n"}},
	"an unconfirmed renewal extends trust": {{"internal/engine/answer.go", "\tdefault:\n\t\tif !f.isRead {", `	default:
		if w, ok := m.writes[f.nonce]; ok && m.leading {
			m.trust.Sent = w.sent
		}
		if !f.isRead {`}},
	"a tombstone is free":                 {{"internal/engine/campaign.go", "m.firstInstall(rec):\n\t\treturn k.since\n", "rec.tombstone():\n\t\treturn k.since\n"}},
	"released before the app has stopped": {{"internal/engine/lead.go", "\tcase m.app.state == appStopping:\n\t\tif m.orderly", "\tcase m.app.state == appStopping && !m.orderly:\n\t\tif m.orderly"}},
	"trust never runs out":                {{"internal/engine/trust.go", "if t.Length <= 0 || now.Boot >= t.Until() {", "if t.Length <= 0 {"}},
}

// edit replaces a text that stands in a file once.
type edit struct{ file, old, new string }

func lawNames() string {
	var names []string
	for name := range brokenLaws {
		names = append(names, fmt.Sprintf("%q", name))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// root is the folder of the sidecar's module.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// overlay is what `go build -overlay` reads.
func overlay(law, dir string) (string, error) {
	edits, ok := brokenLaws[law]
	if !ok {
		return "", fmt.Errorf("there is no law %q to break; there are %s", law, lawNames())
	}
	replace := map[string]string{}
	for i, e := range edits {
		path := filepath.Join(root(), filepath.FromSlash(e.file))
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if n := strings.Count(string(data), e.old); n != 1 {
			return "", fmt.Errorf("%s has the text that %q replaces %d times, not once", e.file, law, n)
		}
		with := filepath.Join(dir, fmt.Sprintf("broken-%d.go", i))
		if err := os.WriteFile(with, []byte(strings.Replace(string(data), e.old, e.new, 1)), 0o644); err != nil {
			return "", err
		}
		replace[path] = with
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, data, 0o644)
}

// buildBroken builds a sidecar that breaks a law.
func buildBroken(ctx context.Context, law, dir string) (string, error) {
	file, err := overlay(law, dir)
	if err != nil {
		return "", err
	}
	return build(ctx, filepath.Join(dir, "broken"), "-overlay", file)
}

// build builds the sidecar.
func build(ctx context.Context, program string, flags ...string) (string, error) {
	args := append(append([]string{"build", "-o", program}, flags...), "./cmd/leader-elector")
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the sidecar: %w\n%s", err, out)
	}
	return program, nil
}
