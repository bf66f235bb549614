package release

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

const workflows = "../.github/workflows"

func TestTheWorkflowsAreCleanForActionlint(t *testing.T) {
	l, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := l.LintDir(workflows, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		t.Errorf("%s:%d: %s (%s)", e.Filepath, e.Line, e.Message, e.Kind)
	}
}

// sources are the workflows, by name.
func sources(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(workflows + "/*.yml")
	if err != nil || len(paths) < 2 {
		t.Fatalf("found %v: %v", paths, err)
	}
	all := map[string]string{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = string(data)
	}
	return all
}

// TestEveryActionIsPinnedByItsCommit: a tag of somebody else's repository can be
// moved to other code. Its version stands beside it, and is the same everywhere.
func TestEveryActionIsPinnedByItsCommit(t *testing.T) {
	pinned := regexp.MustCompile(`^([a-z-]+/[a-z-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$`)
	seen := map[string]string{}
	for name, text := range sources(t) {
		for _, m := range regexp.MustCompile(`uses: (.*)`).FindAllStringSubmatch(text, -1) {
			p := pinned.FindStringSubmatch(m[1])
			if p == nil {
				t.Errorf("%s: %s is not pinned by a whole commit with its version beside it", name, m[1])
			} else if before := seen[p[1]]; before != "" && before != p[2] {
				t.Errorf("%s: %s is pinned to %s here and to %s elsewhere", name, p[1], p[2], before)
			} else {
				seen[p[1]] = p[2]
			}
		}
	}
}

// TestAWorkflowMayNothingUnlessItSays: no job has the repository's default
// rights, and only the release's writes.
func TestAWorkflowMayNothingUnlessItSays(t *testing.T) {
	for name, text := range sources(t) {
		if !regexp.MustCompile(`(?m)^permissions:`).MatchString(text) {
			t.Errorf("%s does not say what it may", name)
		}
		writes := strings.Count(text, ": write")
		if name != "release.yml" && writes > 0 || strings.Contains(text, "write-all") || strings.Contains(text, "pull_request_target") {
			t.Errorf("%s may write", name)
		}
	}
}

// TestTheWorkflowsCallTheTargetsThatAnybodyCanRun.
func TestTheWorkflowsCallTheTargetsThatAnybodyCanRun(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range sources(t) {
		for _, m := range regexp.MustCompile(`\bmake ([a-z0-9-]+)`).FindAllStringSubmatch(text, -1) {
			if m[1] != "e2e" && !regexp.MustCompile(`(?m)^`+m[1]+`:`).Match(makefile) {
				t.Errorf("%s calls make %s, which is not there", name, m[1])
			}
		}
	}
}
