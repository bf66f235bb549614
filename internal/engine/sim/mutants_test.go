package sim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mutant is the engine with one law broken. Edits replace text that must occur
// exactly once in their file, so a mutant that the code has outgrown is told
// instead of passing unseen.
type mutant struct {
	name  string
	law   string
	world bool // the simulation has to see it too, not the laws' own tests alone
	// blind says that the simulation's own server or processes are changed:
	// only the simulation can see that.
	blind bool
	edits []edit
}

type edit struct{ file, old, new string }

// TestMutants breaks one law after another, by source that `go test -overlay`
// lays over the engine's, and runs the tests of the laws and the simulation. A
// mutant that survives both is a law that no test keeps. MUTANTS=1 plays all,
// MUTANTS=word those with the word in their names; SIM_N is how many schedules
// are played at most, and MUTANTS_OUT the page whose table is written.
func TestMutants(t *testing.T) {
	want := os.Getenv("MUTANTS")
	if want == "" {
		t.Skip("MUTANTS=1 plays them; it takes some minutes")
	}
	n, err := strconv.Atoi(cmp.Or(os.Getenv("SIM_N"), "20000"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, m := range mutants {
		if want != "1" && !strings.Contains(m.name, want) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			most := n
			if !m.world {
				most /= 5 // the laws' own tests have to find it, and chance may
			}
			byLaw, bySim := m.play(t, strconv.Itoa(most))
			rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", m.name, m.law, cmp.Or(byLaw, "-"), cmp.Or(bySim, "-")))
			t.Log(rows[len(rows)-1])
			switch {
			case byLaw == "" && !m.blind:
				t.Error("no law's test kills it")
			case bySim == "" && m.world:
				t.Error("the simulation does not kill it")
			}
		})
	}
	if page := os.Getenv("MUTANTS_OUT"); page != "" && !t.Failed() {
		writeTable(t, page, n, rows)
	}
}

// The mutants are played seldom, so that each still fits the code is seen apart.
func TestEveryMutantFitsTheCode(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) { m.overlay(t) })
	}
}

// play lays the mutant over the source and runs the tests.
func (m mutant) play(t *testing.T, n string) (byLaw, bySim string) {
	t.Helper()
	overlay := m.overlay(t)
	if !m.blind {
		byLaw = failures(t, overlay, n, "./internal/engine")
	}
	return byLaw, failures(t, overlay, n, "./internal/engine/sim", "-run", "^TestSchedules$|TestTwoRolls")
}

// overlay writes the changed files, and the file that tells go of them.
func (m mutant) overlay(t *testing.T) string {
	t.Helper()
	changed := map[string]string{}
	for _, e := range m.edits {
		file := filepath.Join(root(t), "internal", "engine", filepath.FromSlash(e.file))
		if changed[file] == "" {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			changed[file] = string(text)
		}
		if k := strings.Count(changed[file], e.old); k != 1 {
			t.Fatalf("%q occurs %d times in %s: bring the mutant up to date", e.old, k, e.file)
		}
		changed[file] = strings.Replace(changed[file], e.old, e.new, 1)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	for file, text := range changed {
		replace[file] = filepath.Join(dir, fmt.Sprintf("%d-%s", len(replace), filepath.Base(file)))
		if err := os.WriteFile(replace[file], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	told, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), told, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "overlay.json")
}

// root is the folder of the module.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var (
	failed  = regexp.MustCompile(`(?m)^\s*--- FAIL: (Test\w+(?:/\S+)?)`)
	panicIn = regexp.MustCompile(`(?m)^panic: (.*)$`)
	seen    = regexp.MustCompile(`schedule (\d+) of \d+: ([^:]+): `)
	rolled  = regexp.MustCompile(`seed (\d+): at \S+ (.*)`)
	broken  = regexp.MustCompile(`(?m)^(\S+\.go:\d+:\d+: .*|.*\[build failed\].*)$`)
)

// failures runs tests with an overlay and says which of them failed; empty: none.
func failures(t *testing.T, overlay, n string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-overlay", overlay, "-vet=off", "-count=1", "-timeout=10m"}, args...)...)
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "MUTANTS=", "SIM_N="+n)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return ""
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if b := broken.FindString(string(out)); b != "" && !failed.Match(out) {
		t.Fatalf("the mutant does not compile: %s", b)
	}
	if v := seen.FindStringSubmatch(string(out)); v != nil {
		return fmt.Sprintf("schedule %s: %s", v[1], v[2])
	}
	if v := rolled.FindStringSubmatch(string(out)); v != nil {
		return fmt.Sprintf("roll %s: %s", v[1], v[2])
	}
	return firstOf(string(out))
}

// firstOf names the failed test that says best what is broken: a law's own.
func firstOf(out string) string {
	var names []string
	for _, f := range failed.FindAllStringSubmatch(out, -1) {
		if f[1] != "TestDialogues" {
			names = append(names, "`"+strings.TrimPrefix(f[1], "TestDialogues/")+"`")
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return strings.Compare(b[:min(len(b), len("`TestLaw"))], a[:min(len(a), len("`TestLaw"))])
	})
	what := "?"
	if p := panicIn.FindStringSubmatch(out); p != nil {
		what = "panic: " + p[1]
	}
	if len(names) > 0 {
		what = names[0]
	}
	if len(names) > 1 {
		what += fmt.Sprintf(" and %d more", len(names)-1)
	}
	return what
}

// The table stands between these lines of the page.
const tableBegins, tableEnds = "<!-- mutants -->", "<!-- /mutants -->"

func writeTable(t *testing.T, page string, n int, rows []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegins)
	_, after, closed := strings.Cut(rest, tableEnds)
	if !ok || !closed {
		t.Fatalf("%s has no lines %s and %s", page, tableBegins, tableEnds)
	}
	table := fmt.Sprintf("\n%d mutants on %s, %s, %d cores, at most %d schedules each, a fifth of that where no two leaders come of it at once; all are killed.\n\n| mutant | law | killed by a test of the laws | killed by the simulation |\n| --- | --- | --- | --- |\n%s\n",
		len(rows), time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), n, strings.Join(rows, "\n"))
	if err := os.WriteFile(page, []byte(before+tableBegins+table+tableEnds+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
