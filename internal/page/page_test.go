package page

import (
	"reflect"
	"strings"
	"testing"
)

var fence = strings.Repeat("`", 3)

func blocks(lines ...string) []Block {
	return Blocks(strings.ReplaceAll(strings.Join(lines, "\n"), "~~~", fence))
}

func TestABlockIsWhatStandsBetweenTwoFences(t *testing.T) {
	got := blocks("# Page", "", "~~~sh", "kubectl get pods", "", "true", "~~~", "- in a list", "  ~~~yaml web.yaml", "  a:", "    b: 1", "  ~~~", "~~~", "seen", "~~~")
	want := []Block{
		{Kind: Shell, Line: 4, Text: "kubectl get pods\n\ntrue\n"},
		{Kind: "yaml", File: "web.yaml", Line: 10, Text: "a:\n  b: 1\n"},
		{Line: 14, Text: "seen\n"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestACommentForTheTestIsTypedAndOtherCommentsAreNot(t *testing.T) {
	got := blocks("<!-- Written by a program -->", "<!-- test: true -->", "<!-- test:", "a", "b", "-->", "after")
	want := []Block{{Kind: Hidden, Line: 2, Text: "true\n"}, {Kind: Hidden, Line: 3, Text: "a\nb\n"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestATranscriptIsCommandsAndWhatTheyPrint(t *testing.T) {
	got := blocks("~~~console", "$ echo a", "a", "$ echo b; echo c", "b", "c", "~~~")[0].Commands()
	want := []Command{{2, "echo a\n", "a\n"}, {4, "echo b; echo c\n", "b\nc\n"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestCommandsAreSeenWhereverTheyStand(t *testing.T) {
	for _, text := range []string{"kubectl get pods", "  $ curl http://127.0.0.1/", "name: x\nmake e2e", "bin/leader-elector version", "$ sudo make e2e-up"} {
		if (Block{Text: text}).LooksTyped() == "" {
			t.Errorf("%q does not look like a command", text)
		}
	}
	for _, text := range []string{"kubectl-leader: x", "go.mod", "image: leader-elector", "command: [/leader-elector, step-down]", "gone"} {
		if got := (Block{Text: text}).LooksTyped(); got != "" {
			t.Errorf("%q is taken for the command %q", text, got)
		}
	}
	if got := blocks("As in", "", "    make sim SEED=7", "", "text")[0]; got.Kind != Indented || got.LooksTyped() != "make sim SEED=7" {
		t.Errorf("an indented block is %+v", got)
	}
}
