package page

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const source = "../.."

func pages(t *testing.T) []string {
	t.Helper()
	all, err := Pages(source)
	if err != nil || len(all) < 10 {
		t.Fatalf("found %v: %v", all, err)
	}
	return all
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(source, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// eachBlock calls f for every block of every
func eachBlock(t *testing.T, f func(name string, b Block)) {
	t.Helper()
	for _, name := range pages(t) {
		for _, b := range Blocks(read(t, name)) {
			f(name, b)
		}
	}
}

// TestNoCommandIsShownThatNoTestTypes: commands stand in blocks of sh or
// console, which are typed. What only looks like one is in a table.
func TestNoCommandIsShownThatNoTestTypes(t *testing.T) {
	eachBlock(t, func(name string, b Block) {
		if len(b.Commands()) > 0 || slices.ContainsFunc(Shown, func(e Entry) bool { return e.is(name, b) }) {
			return
		}
		if line := b.LooksTyped(); line != "" {
			t.Errorf("%s, line %d: %q looks like a command and is typed by no test: make the block sh or console, or put it into the table Shown", name, b.Line, line)
		}
		if b.Kind == Console {
			t.Errorf("%s, line %d: a transcript without a command: begin that line with \"$ \"", name, b.Line)
		}
	})
}

// TestEveryEntryIsOfABlockAndATestThatAreThere keeps the tables from outliving
// what they are about.
func TestEveryEntryIsOfABlockAndATestThatAreThere(t *testing.T) {
	steps := read(t, ".ci/run")
	tests := definedTests(t)
	for _, e := range slices.Concat(Elsewhere, Shown) {
		found := false
		eachBlock(t, func(name string, b Block) { found = found || e.is(name, b) })
		if !found {
			t.Errorf("%s has no block that begins with %q", e.Page, e.First)
		}
		if target, ok := strings.CutPrefix(e.By, "make "); ok && !strings.Contains(steps, "\nmake "+target+"\n") {
			t.Errorf("%s, %q: .ci/run has no step %q", e.Page, e.First, e.By)
		} else if !ok && !tests[e.By] {
			t.Errorf("%s, %q: there is no test %s", e.Page, e.First, e.By)
		}
		if e.Why == "" {
			t.Errorf("%s, %q: no reason", e.Page, e.First)
		}
	}
}

func definedTests(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	defined := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)`)
	err := filepath.WalkDir(source, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			data, e := os.ReadFile(path)
			for _, m := range defined.FindAllStringSubmatch(string(data), -1) {
				known[m[1]] = true
			}
			err = e
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func TestEveryBlockOfShellIsShell(t *testing.T) {
	eachBlock(t, func(name string, b Block) {
		for _, c := range b.Commands() {
			cmd := exec.Command("bash", "-n")
			cmd.Stdin = strings.NewReader(c.Text)
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s, line %d: %v\n%s", name, c.Line, err, said)
			}
		}
	})
}

// capitals are what a reader would have to replace before he types.
var capitals = regexp.MustCompile(`(^|[\s=/])(POD|NAME|NAMESPACE|ELECTION|LEADER|SERVICE|FILE|PATH|DIR|<[a-z-]+>)($|[\s/])`)

// TestNoCommandHasToBeFilledIn: what is typed is typed as it stands.
func TestNoCommandHasToBeFilledIn(t *testing.T) {
	eachBlock(t, func(name string, b Block) {
		if b.Kind != Shell && b.Kind != Console {
			return
		}
		for _, c := range b.Commands() {
			if found := capitals.FindString(c.Text); found != "" {
				t.Errorf("%s, line %d: a reader has to replace %q; write a command that finds it", name, c.Line, strings.TrimSpace(found))
			}
		}
	})
}

func TestEveryTargetThatIsNamedIsThere(t *testing.T) {
	makefile := read(t, "Makefile")
	named := regexp.MustCompile("(?m)(?:`|^)make ([a-z0-9-]+)")
	for _, name := range append(pages(t), "CONTRIBUTING.md", "SECURITY.md") {
		for _, m := range named.FindAllStringSubmatch(read(t, name), -1) {
			if !regexp.MustCompile(`(?m)^([a-z0-9 /-]+ )?` + m[1] + `( [a-z0-9 /-]+)?:`).MatchString(makefile) {
				t.Errorf("%s names `make %s`, which is not there", name, m[1])
			}
		}
	}
}

func there(name string) bool {
	_, err := os.Stat(filepath.Join(source, name))
	return err == nil
}

// TestEveryLinkLeadsSomewhere: to a file that is there, and a heading in it.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fences := regexp.MustCompile("(?ms)^ *```.*?^ *```|`[^`\n]*`")
	for _, name := range append(pages(t), "CONTRIBUTING.md", "SECURITY.md") {
		for _, m := range link.FindAllStringSubmatch(fences.ReplaceAllString(read(t, name), ""), -1) {
			to, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			file := path.Join(path.Dir(name), to)
			if to == "" {
				file = name
			}
			if !there(file) {
				t.Errorf("%s leads to %s, which is not there", name, m[1])
			} else if heading != "" && !slices.Contains(anchors(read(t, file)), heading) {
				t.Errorf("%s leads to %s, where no heading is called so", name, m[1])
			}
		}
	}
}

// anchors are the headings of a page as links name them.
func anchors(text string) (all []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}

func TestTheIndexHasEveryPage(t *testing.T) {
	index := read(t, "docs/README.md")
	for _, name := range pages(t) {
		below, ok := strings.CutPrefix(name, "docs/")
		if ok && below != "README.md" && !strings.HasPrefix(below, "adr/") && !strings.Contains(index, "("+below+")") {
			t.Errorf("docs/README.md does not lead to %s", below)
		}
	}
}

// TestAQuoteOfCodeIsOfTheCode: a block of go names the file that it quotes.
func TestAQuoteOfCodeIsOfTheCode(t *testing.T) {
	flat := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	eachBlock(t, func(name string, b Block) {
		if b.Kind == "go" && b.File != "" && !strings.Contains(flat(read(t, b.File)), flat(b.Text)) {
			t.Errorf("%s, line %d: that is not in %s", name, b.Line, b.File)
		}
	})
}
