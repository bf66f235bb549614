package elector_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/leader-elector/leader-elector"

// rooms says what each package may import of ours, and why not more.
var rooms = []struct {
	room, why string
	may       []string
}{
	{"internal/engine", "the engine is a function; whatever it imported would be hidden input", nil},
	{"internal/kube", "the client of the API server knows no election", nil},
	{"internal/lock", "the record's codec needs the engine's words and the API server", []string{"internal/engine", "internal/kube"}},
	{"", "the library joins engine and lock; the sidecar's rooms hang below it", []string{"internal/engine", "internal/kube", "internal/lock"}},
	{"internal/notify", "the app is told by a follower of the lead", []string{""}},
	{"internal/metrics", "what a candidate counts is read off the library and its HTTP clients", []string{"", "internal/kube"}},
	{"internal/events", "what people see with kubectl is what the library tells, written to the API server", []string{"", "internal/kube"}},
	{"internal/health", "whether the app is well has nothing to do with elections", nil},
	{"internal/route", "where traffic goes is written to the API server, by a follower of the lead", []string{"", "internal/kube"}},
	{"internal/doctor", "the doctor reads what the others write, in their own words, and is wired by cmd", []string{"", "internal/engine", "internal/kube", "internal/lock", "internal/route"}},
	{"internal/run", "the command follows the lead, and asks the library alone until when", []string{""}},
	{"internal/page", "the documentation is read by tests, and knows nothing of the code", nil},
	{"internal/status", "the HTTP face is handed what it shows, so that it stays a face", nil},
}

// engineMayImport is all of the standard library that a pure function needs.
var engineMayImport = []string{"cmp", "errors", "fmt", "maps", "math", "math/bits", "slices", "strconv", "strings", "time"}

func TestArrowsPointOneWay(t *testing.T) {
	for _, r := range rooms {
		path := strings.TrimSuffix(module+"/"+r.room, "/")
		for _, dep := range imports(t, path) {
			sub, ours := strings.CutPrefix(dep, module+"/")
			if ours && !slices.Contains(r.may, sub) {
				t.Errorf("%s imports %s: %s", path, dep, r.why)
			}
		}
	}
}

func TestEngineIsPure(t *testing.T) {
	for _, dep := range imports(t, module+"/internal/engine") {
		if !slices.Contains(engineMayImport, dep) {
			t.Errorf("the engine imports %s, which can do more than compute", dep)
		}
	}
}

func TestOnlyMainExitsAndReadsTheEnvironment(t *testing.T) {
	out, err := exec.Command("git", "grep", "-nE", `os\.(Exit|Getenv|LookupEnv|Environ)\(`, "--", "*.go",
		":!cmd/leader-elector/*", ":!deploy/examples/*", ":!*_test.go", ":!test/*", ":!image/*", ":!release/*", ":!kubectl-leader/main.go", ":!internal/testplane/*").Output()
	if len(out) > 0 {
		t.Errorf("only cmd/leader-elector may:\n%s", out)
	} else if exit, ok := err.(*exec.ExitError); err != nil && (!ok || exit.ExitCode() != 1) {
		t.Fatalf("git grep: %v", err)
	}
}

func imports(t *testing.T, path string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, path).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", path, err)
	}
	return strings.Fields(string(out))
}
