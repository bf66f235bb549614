package main

import (
	"fmt"
	"strings"
)

const fishHead = `# fish completion of leader-elector, written by "leader-elector completion fish".
# Succeeds if the subcommand of the command line is one of the arguments;
# "sidecar" stands for none.
function __leader_elector_at
  set -l tokens (commandline -opc)
  set -l at sidecar
  if test (count $tokens) -gt 1; and contains -- $tokens[2] %s
    set at $tokens[2]
  end
  contains -- $at $argv
end
function __leader_elector_first
  test (count (commandline -opc)) -eq 1
end
complete -c leader-elector -f
`

func fishScript(b *strings.Builder) {
	all := syntaxes()
	fmt.Fprintf(b, fishHead, strings.Join(commandNames(all), " "))
	for _, p := range all {
		at := "__leader_elector_at " + p.command
		if p.command == "" {
			at = "__leader_elector_at sidecar"
		} else {
			fmt.Fprintf(b, "complete -c leader-elector -n __leader_elector_first -a %s -d %s\n", p.command, fishQuote(p.about))
		}
		for _, f := range p.flags {
			fmt.Fprintf(b, "complete -c leader-elector -n '%s' -l %s", at, f.Name)
			if f.Shorthand != "" {
				fmt.Fprintf(b, " -s %s", f.Shorthand)
			}
			switch {
			case !takesValue(f):
			case choices[f.Name] != nil:
				fmt.Fprintf(b, " -x -a '%s'", strings.Join(choices[f.Name], " "))
			case files[f.Name]:
				b.WriteString(" -r -F")
			default:
				b.WriteString(" -x")
			}
			fmt.Fprintf(b, " -d %s\n", fishQuote(brief(f)))
		}
		switch {
		case p.program:
			fmt.Fprintf(b, "complete -c leader-elector -n '%s' -F\n", at)
		case p.dirs:
			fmt.Fprintf(b, "complete -c leader-elector -n '%s' -a '(__fish_complete_directories)'\n", at)
		case len(p.words) > 0:
			fmt.Fprintf(b, "complete -c leader-elector -n '%s' -a '%s'\n", at, strings.Join(p.words, " "))
		}
	}
}

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
