package elector_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheSafetyPageNamesWhatIsThere keeps docs/safety.md and SECURITY.md from
// promising tests that somebody renamed or removed.
func TestTheSafetyPageNamesWhatIsThere(t *testing.T) {
	known := map[string]bool{}
	defined := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)`)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, m := range defined.FindAllStringSubmatch(read(t, path), -1) {
				known[m[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"docs/safety.md", "SECURITY.md"} {
		named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`").FindAllStringSubmatch(read(t, file), -1)
		if len(named) < 5 {
			t.Errorf("%s names only %d tests", file, len(named))
		}
		for _, n := range named {
			if !known[n[1]] {
				t.Errorf("%s names %s, which is not there", file, n[1])
			}
		}
	}
	list := read(t, "internal/engine/sim/mutants_list_test.go")
	rows := regexp.MustCompile(`(?m)^\| \d+ [^|]*\|[^|]*\| ([^|]*) \|$`).FindAllStringSubmatch(read(t, "docs/safety.md"), -1)
	if len(rows) < 17 {
		t.Errorf("only %d laws have mutants in docs/safety.md", len(rows))
	}
	for _, row := range rows {
		for mutant := range strings.SplitSeq(row[1], "; ") {
			if !strings.Contains(list, `name: "`+mutant+`"`) {
				t.Errorf("docs/safety.md names the mutant %q, which is not there", mutant)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
