package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
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

// TestMutants breaks one law after another in a copy of this module and runs
// the tests of the laws, and the simulation where it has to see that law. A
// mutant that survives both is a law that no test keeps. MUTANTS=1 plays all,
// MUTANTS=word those with the word in their names; SIM_SEEDS is how many
// schedules of each mix are played.
func TestMutants(t *testing.T) {
	want := os.Getenv("MUTANTS")
	if want == "" {
		t.Skip("MUTANTS=1 plays them; it takes some minutes")
	}
	seeds := os.Getenv("SIM_SEEDS")
	if seeds == "" {
		seeds = "1500"
	}
	var table bytes.Buffer
	rows := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(rows, "mutant\tlaw\tkilled by a law's test\tkilled by the simulation")
	scratch := scratchModule(t)
	for _, m := range mutants {
		if want != "1" && !strings.Contains(m.name, want) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			byLaw, bySim := m.play(t, scratch, seeds)
			fmt.Fprintf(rows, "%s\t%s\t%s\t%s\n", m.name, m.law, orDash(byLaw), orDash(bySim))
			switch {
			case byLaw == "" && !m.blind:
				t.Error("no law's test kills it")
			case bySim == "" && m.world:
				t.Error("the simulation does not kill it")
			}
		})
	}
	rows.Flush()
	t.Logf("\n%s", table.String())
}

// play applies the mutant, runs the tests, and takes it back.
func (m mutant) play(t *testing.T, scratch, seeds string) (byLaw, bySim string) {
	t.Helper()
	engine := filepath.Join(scratch, "internal", "engine")
	for _, e := range m.edits {
		file := filepath.Join(engine, e.file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), e.old); n != 1 {
			t.Fatalf("%q occurs %d times in %s: bring the mutant up to date", e.old, n, e.file)
		}
		t.Cleanup(func() { os.WriteFile(file, text, 0o644) })
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), e.old, e.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !m.blind {
		byLaw = failures(t, scratch, seeds, "./internal/engine")
	}
	// Most are seen in the first schedules; only the others need all of them.
	for _, n := range []string{"100", seeds} {
		if m.world && bySim == "" {
			bySim = failures(t, scratch, n, "./internal/engine/sim", "-run", "TestSchedules|TestTwoRolls")
		}
	}
	return byLaw, bySim
}

var (
	failed  = regexp.MustCompile(`(?m)^\s*--- FAIL: (Test\w+(?:/\S+)?)`)
	panicIn = regexp.MustCompile(`(?m)^panic: (.*)$`)
	seen    = regexp.MustCompile(`seed \d+: at \S+ (.*)`)
	broken  = regexp.MustCompile(`(?m)^(\S+\.go:\d+:\d+: .*|.*\[build failed\].*)$`)
)

// failures runs tests of the scratch module and says which of them failed;
// empty: none.
func failures(t *testing.T, scratch, seeds string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-timeout=10m"}, args...)...)
	cmd.Dir = scratch
	cmd.Env = append(os.Environ(), "MUTANTS=", "SIM_SEEDS="+seeds, "GOFLAGS=-mod=mod -buildvcs=false -vet=off")
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
	var names []string
	for _, f := range failed.FindAllStringSubmatch(string(out), -1) {
		if f[1] != "TestDialogues" && f[1] != "TestSchedules" {
			names = append(names, f[1])
		}
	}
	// The laws' own tests first: they say best what is broken.
	slices.SortStableFunc(names, func(a, b string) int {
		return strings.Compare(b[:min(len(b), len("TestLaw"))], a[:min(len(a), len("TestLaw"))])
	})
	what := "?"
	if p := panicIn.FindStringSubmatch(string(out)); p != nil {
		what = "panic: " + p[1]
	}
	if len(names) > 0 {
		what = strings.TrimPrefix(strings.TrimPrefix(names[0], "TestSchedules/"), "TestDialogues/")
	}
	if len(names) > 1 {
		what += fmt.Sprintf(" and %d more", len(names)-1)
	}
	if v := seen.FindStringSubmatch(string(out)); v != nil {
		what += ": " + v[1]
	}
	return what
}

// scratchModule copies go.mod and the engine into a module of the same path.
func scratchModule(t *testing.T) string {
	t.Helper()
	const root = "../../.."
	to := t.TempDir()
	for _, f := range []string{"go.mod", "go.sum"} {
		copyFile(t, filepath.Join(root, f), filepath.Join(to, f))
	}
	from := os.DirFS(filepath.Join(root, "internal", "engine"))
	err := fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		copyFile(t, filepath.Join(root, "internal", "engine", path), filepath.Join(to, "internal", "engine", path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
