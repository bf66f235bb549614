package elector_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestTheAnnotationsPageHasEveryKey holds the keys of docs/annotations.md
// against those in the code.
func TestTheAnnotationsPageHasEveryKey(t *testing.T) {
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9.-]+/[a-z-]+)` \\|").FindAllStringSubmatch(read(t, "docs/annotations.md"), -1) {
		told[m[1]] = true
	}
	used := keys(t)
	if len(used) < 8 {
		t.Fatalf("only these keys were found in the code: %v", used)
	}
	for _, key := range slices.Sorted(maps.Keys(used)) {
		if !told[key] {
			t.Errorf("%s uses %s, and docs/annotations.md does not say what for", used[key], key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(told)) {
		if used[key] == "" {
			t.Errorf("docs/annotations.md has %s, which nothing uses", key)
		}
	}
}

// keys are the labels, annotations and names with a domain in the code that is
// shipped, each with a file that has it.
func keys(t *testing.T) map[string]string {
	t.Helper()
	key := regexp.MustCompile(`^([a-z0-9.-]+\.io/[a-z-]+)=?$`)
	found := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"test", "image", "deploy", "docs", ".git"}, path):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if _, ok := n.(*ast.ImportSpec); ok {
				return false
			}
			text, ok := n.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return true
			}
			value, _ := strconv.Unquote(text.Value)
			// Of the plugin, which reads much of others, only our own keys.
			if m := key.FindStringSubmatch(value); m != nil && (!strings.HasPrefix(path, "kubectl-") || strings.HasPrefix(value, "leader-elector.io/")) {
				found[m[1]] = path
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
