package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

var update = flag.Bool("update", false, "write the reference into docs/kubectl-leader.md")

const (
	document = "../docs/kubectl-leader.md"
	begin    = "<!-- The reference is made by `go test ./... -update` in kubectl-leader; do not edit. -->\n"
)

// reference is what --help says of every command, but for the flags of kubectl,
// which are the same everywhere.
func reference(t *testing.T) string {
	t.Helper()
	t.Setenv("HOME", "/home/you") // the default of --cache-dir
	var b strings.Builder
	root := newRootCommand(newFactory(genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard}))
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n```\n%s```\n", c.CommandPath(), help(t, c))
	}
	return b.String()
}

func help(t *testing.T, c *cobra.Command) string {
	t.Helper()
	var out bytes.Buffer
	c.InitDefaultHelpFlag()
	c.SetOut(&out)
	if err := c.Help(); err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(out.String(), "\nGlobal Flags:")
	var lines strings.Builder
	for line := range strings.Lines(text) {
		lines.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return lines.String()
}

func TestTheReferenceIsWhatHelpSays(t *testing.T) {
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	written, old, ok := strings.Cut(string(data), begin)
	if !ok {
		t.Fatalf("%s has no line %q", document, begin)
	}
	want := reference(t)
	if *update {
		if err := os.WriteFile(document, []byte(written+begin+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != want {
		t.Errorf("%s says something else than --help; run `go test -C kubectl-leader . -update`", document)
	}
}

func TestEveryCommandHasExamplesAndASentence(t *testing.T) {
	root := newRootCommand(newFactory(genericiooptions.NewTestIOStreamsDiscard()))
	for _, c := range append(root.Commands(), root) {
		if c.Example == "" || c.Short == "" || c.Long == "" && c.Name() != "version" {
			t.Errorf("%s: examples %q, short %q", c.CommandPath(), c.Example, c.Short)
		}
		for line := range strings.Lines(c.Example) {
			if text := strings.TrimSpace(line); text != "" && !strings.HasPrefix(text, "#") && !strings.Contains(text, "kubectl leader ") {
				t.Errorf("%s: the example is no command of ours: %s", c.CommandPath(), text)
			}
		}
	}
}

// Every reason that verify can give is explained to those whose scripts rely on it.
func TestTheDocumentNamesEveryReason(t *testing.T) {
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{
		cannotRead, lockUnreadable, nobodyLeads, leaseExpired, twoLeaders, lockDisagrees, leaderDenies, leaderUnknown, foreignLeader, termDiffers, noCandidates,
		noAnswer, oldCandidate, unfit, notReady, hasTrouble, otherElection, settingsDiffer, versionsDiffer, sameName, noStandby, notRouted, paused, asked,
		outcomeAsked, outcomeMoved, outcomeAlready, outcomeRefused, outcomeUnknown, statusLed, statusExpired, statusFree, statusVacant, statusUnreadable, statusMissing, statusDeleted,
	} {
		if !strings.Contains(string(data), "`"+reason+"`") {
			t.Errorf("%s does not explain %s", document, reason)
		}
	}
}
