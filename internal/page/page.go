// Package page reads the project's Markdown pages, so that tests can type the
// commands in them. It is for tests only.
//
// # Blocks
//
//	```sh                commands
//	```console           lines that begin with "$ " are commands, what stands
//	                     below each is what it prints
//	```yaml web.yaml     a file that the reader saves under that name
//	```go some/file.go   a quote of that file
//	```anything else     something to look at
//	<!-- test: … -->     commands that the page needs and its reader does not
package page

import (
	"os"
	"regexp"
	"strings"
)

// Kinds of blocks that mean something to the tests.
const (
	Shell    = "sh"
	Console  = "console"
	Hidden   = "test"     // a comment
	Indented = "indented" // by four spaces, without a fence
)

// Block is what stands between two fences, or in a comment for the test.
type Block struct {
	Kind string // the first word after the fence; empty: none
	File string // the second word: the name under which it is saved
	Line int    // of its first line of text in the page, from 1
	Text string // without the indentation of the fence
}

// Command is what is typed at once, and what it prints.
type Command struct {
	Line   int
	Text   string
	Prints string // loosely; only a transcript says it
}

// Read returns the blocks of a file in their order.
func Read(file string) ([]Block, error) {
	data, err := os.ReadFile(file)
	return Blocks(string(data)), err
}

const commentHead = "<!-- test:"

// Blocks returns the blocks of a page in their order.
func Blocks(text string) (all []Block) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		bare := strings.TrimLeft(lines[i], " ")
		switch {
		case strings.HasPrefix(bare, "```"):
			indent := len(lines[i]) - len(bare)
			b := Block{Line: i + 2}
			words := append(strings.Fields(strings.TrimLeft(bare, "`")), "", "")
			b.Kind, b.File = words[0], words[1]
			for i++; i < len(lines) && !strings.HasPrefix(strings.TrimLeft(lines[i], " "), "```"); i++ {
				b.Text += dedent(lines[i], indent) + "\n"
			}
			all = append(all, b)
		case strings.HasPrefix(bare, commentHead):
			b := Block{Kind: Hidden, Line: i + 1}
			rest := strings.TrimPrefix(bare, commentHead)
			for ; i < len(lines)-1 && !strings.Contains(rest, "-->"); i++ {
				rest += "\n" + lines[i+1]
			}
			b.Text = strings.TrimSpace(rest[:max(strings.Index(rest, "-->"), 0)]) + "\n"
			all = append(all, b)
		case strings.HasPrefix(lines[i], "    ") && i > 0 && strings.TrimSpace(lines[i-1]) == "":
			b := Block{Kind: Indented, Line: i + 1}
			for ; i < len(lines) && strings.HasPrefix(lines[i], "    "); i++ {
				b.Text += lines[i][4:] + "\n"
			}
			all = append(all, b)
		}
	}
	return all
}

func dedent(line string, by int) string {
	for ; by > 0 && strings.HasPrefix(line, " "); by-- {
		line = line[1:]
	}
	return line
}

// Commands are what is typed of a block: all of a shell's at once, those of a
// transcript one by one, of the others nothing.
func (b Block) Commands() (all []Command) {
	switch b.Kind {
	case Shell, Hidden:
		return []Command{{Line: b.Line, Text: b.Text}}
	case Console:
		for i, line := range strings.Split(strings.TrimSuffix(b.Text, "\n"), "\n") {
			if typed, ok := strings.CutPrefix(line, "$ "); ok {
				all = append(all, Command{Line: b.Line + i, Text: typed + "\n"})
			} else if len(all) > 0 {
				all[len(all)-1].Prints += line + "\n"
			}
		}
	}
	return all
}

// typed is how a line begins that somebody could take for a command.
var typed = regexp.MustCompile(`(?m)^\s*(\$ |# )?(sudo )?(\./|bin/)?(kubectl|make|curl|helm|go|git|docker|apt-get|oc|promtool|leader-elector|worker\.sh)( |$).*`)

// LooksTyped returns the first line of a block that looks like a command, or
// nothing.
func (b Block) LooksTyped() string {
	return strings.TrimSpace(typed.FindString(b.Text))
}

// Script is all that a page types, in one.
func Script(blocks []Block) string {
	var script strings.Builder
	for _, b := range blocks {
		for _, c := range b.Commands() {
			script.WriteString(c.Text)
		}
	}
	return script.String()
}
