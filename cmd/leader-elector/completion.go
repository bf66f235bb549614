package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

const completionManual = `leader-elector completion prints a script that completes this program's command line.

Usage:
  leader-elector completion bash|zsh|fish

  bash   source <(leader-elector completion bash), or into
         ~/.local/share/bash-completion/completions/leader-elector
  zsh    source <(leader-elector completion zsh) after compinit, or into a
         folder of $fpath as _leader-elector
  fish   leader-elector completion fish | source, or into
         ~/.config/fish/completions/leader-elector.fish

The script is complete in itself: it asks neither this program nor a cluster.
`

// completion is the subcommand from its arguments to its exit code.
func completion(args []string, stdout, stderr io.Writer) int {
	scripts := map[string]func(*strings.Builder){"bash": bashScript, "zsh": zshScript, "fish": fishScript}
	if len(args) == 1 && (args[0] == "-h" || args[0] == "--help") {
		fmt.Fprint(stdout, completionManual)
		return exitDone
	}
	if len(args) != 1 || scripts[args[0]] == nil {
		fmt.Fprintf(stderr, "leader-elector completion: %q: write completion bash, completion zsh or completion fish\nTry 'leader-elector completion --help'.\n",
			strings.Join(append([]string{"completion"}, args...), " "))
		return exitUsage
	}
	var b strings.Builder
	scripts[args[0]](&b)
	fmt.Fprint(stdout, b.String())
	return exitDone
}

// choices are the words that a flag takes, where it takes no others.
var choices = map[string][]string{
	"lock":       {"leases", "endpoints", "endpoints+leases"},
	"new-lock":   {"wait", "immediate"},
	"route":      {"none", "label", "endpointslice"},
	"on-exit":    {"exit", "handover"},
	"log-level":  {"debug", "info", "warn", "error"},
	"log-format": {"text", "json"},
	"output":     {"text", "json"},
}

// files are the flags that take the path of a file.
var files = map[string]bool{"kubeconfig": true, "state-file": true}

// syntax is a subcommand as a shell completes it; the one without a name is the
// sidecar itself.
type syntax struct {
	command, about string
	flags          []*pflag.Flag
	words          []string // that may follow it
	dirs           bool     // a folder may follow it
	program        bool     // another program's command line follows its two dashes
}

// syntaxes are all of them, from the tables that the program itself parses by.
func syntaxes() []syntax {
	own := all((&options{}).flags())
	ask := func(command string) []*pflag.Flag { return all((&question{command: command}).flags()) }
	output := pflag.NewFlagSet("doctor", pflag.ContinueOnError)
	output.StringP("output", "o", "text", "`FORMAT` of the answer: text or json")
	questions := []string{"leader", "standby", "ready"}
	return []syntax{
		{flags: own},
		{command: "run", about: "run a command only while this candidate leads", flags: own, program: true},
		{command: "step-down", about: "hand the lead over, if this pod has it", flags: ask("step-down")},
		{command: "status", about: "what the sidecar of this pod says", flags: ask("status")},
		{command: "probe", about: "ask the sidecar of this pod, for exec probes", flags: ask("probe"), words: questions},
		{command: "install", about: "copy this program into a volume", dirs: true},
		{command: "doctor", about: "say what is wrong with this installation", flags: append(all(output), own...)},
		{command: "completion", about: "print a script that completes the command line", words: []string{"bash", "zsh", "fish"}},
		{command: "version", about: "print the version"},
		{command: "help", about: "print the manual"},
	}
}

func all(set *pflag.FlagSet) (flags []*pflag.Flag) {
	set.VisitAll(func(f *pflag.Flag) { flags = append(flags, f) })
	return flags
}

func takesValue(f *pflag.Flag) bool { return f.Value.Type() != "bool" }

// brief is what fits beside a flag in a shell's menu: the beginning of its
// sentence.
func brief(f *pflag.Flag) string {
	_, usage := pflag.UnquoteUsage(f)
	for _, end := range []string{";", ": ", " (", ", "} {
		usage, _, _ = strings.Cut(usage, end)
	}
	return usage
}

// commandNames are the subcommands.
func commandNames(of []syntax) (list []string) {
	for _, p := range of {
		if p.command != "" {
			list = append(list, p.command)
		}
	}
	return list
}
