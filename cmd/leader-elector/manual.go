package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/pflag"
)

// linked is set by the build: -ldflags "-X main.linked=v1.2.3".
var linked string

// version is that of the build, or of the module it was built from.
func version() string {
	if linked != "" {
		return linked
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func versionLine() string {
	return fmt.Sprintf("leader-elector %s (%s, %s/%s)", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

const manualHead = `leader-elector keeps exactly one replica of a Kubernetes workload active.

Usage:
  leader-elector --election=NAME [flags]   take part in an election until SIGTERM
  leader-elector run --election=NAME [flags] -- CMD [ARG...]
                                           run CMD only while this candidate leads
  leader-elector step-down [flags]         hand the lead over, if this pod has it; --help
  leader-elector status [flags]            what the sidecar of this pod says; --help
  leader-elector probe leader|standby|ready
                                           for exec probes; --help
  leader-elector install DIR               copy this program into a volume, for images without it; --help
  leader-elector doctor [-o json] [flags]  say what is wrong with this installation, and what mends it
  leader-elector completion bash|zsh|fish  print a script that completes the command line; --help
  leader-elector version                   print the version
  leader-elector help                      print this manual

Every flag has a twin in the environment, LEADER_ELECTOR_<FLAG>, such as
LEADER_ELECTOR_ELECTION_NAMESPACE; the flag wins.
`

const manualTail = `
HTTP (GET and HEAD, but for the last):
  /         200 {"name":"<leader>"}, the answer of leader-elector:0.5
  /leader   200 if this pod leads now, else 503
  /standby  200 if it does not lead and could take over, else 503
  /status   this pod's view, as JSON
  /events   the same as Server-Sent Events, one per change
  /metrics  Prometheus' text format
  /livez    200 while the election's loop turns
  /readyz   200 once the rights were checked and the lock was read
  POST /step-down  from this pod only: hands the lead over, to anybody or to
            {"to":"POD"}; 200 when the lock was released for whoever accepted,
            409 with the reason when it was not

Examples:
  leader-elector --election=music
      in a pod: the election "music" in the pod's namespace, under the pod's name
  leader-elector --election=music --lock=endpoints --http=0.0.0.0:4040
      in place of leader-elector:0.5, in one election with it
  leader-elector --election=music --election-namespace=default --id=a --server=http://127.0.0.1:8001
      beside ` + "`kubectl proxy`" + `

  leader-elector run --election=music --stop-grace=2s -- app --its-flag
      the app lives only while this candidate leads, and is told its term in
      LEADER_ELECTOR_TERM; see docs/run.md

SIGTERM and SIGINT hand over, then the program ends; a second one ends it at once.
Exit codes: 0 done, 1 failed, 2 wrong usage; run passes on CMD's.
`

// manual is what --help prints.
func manual() string {
	var b strings.Builder
	b.WriteString(manualHead)
	flags := (&options{}).flags()
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s:\n", g.title)
		for _, name := range g.flags {
			f := flags.Lookup(name)
			fmt.Fprintf(&b, "  %s\n", spelling(f))
			for _, line := range wrap(description(f), 72) {
				fmt.Fprintf(&b, "      %s\n", line)
			}
		}
	}
	b.WriteString(manualTail)
	return b.String()
}

// spelling is how a flag is written.
func spelling(f *pflag.Flag) string {
	value, _ := pflag.UnquoteUsage(f)
	s := "--" + f.Name
	if f.Value.Type() != "bool" {
		s += "=" + value
	}
	if f.Shorthand != "" {
		s = "-" + f.Shorthand + ", " + s
	}
	return s
}

// description is a flag's sentence, with its default unless it says so itself.
func description(f *pflag.Flag) string {
	value, usage := pflag.UnquoteUsage(f)
	if f.Value.Type() != "bool" {
		usage = value + " " + strings.TrimPrefix(usage, value+" ")
		if !strings.Contains(usage, "(default") && f.DefValue != "" {
			usage += " (default: " + f.DefValue + ")"
		}
	} else if f.DefValue == "true" {
		usage += " (default: true)"
	}
	return usage
}

func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

// markdown is docs/flags.md.
func markdown() string {
	var b strings.Builder
	b.WriteString("# Flags\n\nWritten by `go test ./cmd/leader-elector -update` from the program's own table. Every flag has a twin in the\nenvironment; the flag wins.\n")
	flags := (&options{}).flags()
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n| flag | variable | meaning |\n| --- | --- | --- |\n", g.title)
		for _, name := range g.flags {
			f := flags.Lookup(name)
			variable := "`" + twin(name) + "`"
			if g.title == "Other" {
				variable = "-"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", spelling(f), variable, description(f))
		}
	}
	for _, command := range []string{"step-down", "status", "probe"} {
		fmt.Fprintf(&b, "\n## leader-elector %s\n\n| flag | meaning |\n| --- | --- |\n", command)
		(&question{command: command}).flags().VisitAll(func(f *pflag.Flag) {
			fmt.Fprintf(&b, "| `%s` | %s |\n", spelling(f), description(f))
		})
	}
	return b.String()
}
