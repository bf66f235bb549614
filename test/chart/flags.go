package chart

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"unicode"
)

// repository is where this module's folder is seen from.
const repository = "../.."

// option is one of the program's flags, as its own tables have it.
type option struct {
	name    string   // health-check
	metavar string   // URL; empty: a switch
	meaning string   // a sentence, with its default
	choices []string // the only words that it takes
}

// value is the name of the option's value: healthCheck.
func (f option) value() string {
	var b strings.Builder
	up := false
	for _, r := range f.name {
		switch {
		case r == '-':
			up = true
		case up:
			b.WriteRune(unicode.ToUpper(r))
			up = false
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func (f option) repeatable() bool { return strings.Contains(f.meaning, "repeatable") }

// on says that a switch is on unless it is told otherwise.
func (f option) on() bool { return f.metavar == "" && strings.Contains(f.meaning, "(default: true)") }

// fallback is what the values file has for the option: the program's own default,
// except for the HTTP address, whose empty value means that there is none.
func (f option) fallback() any {
	switch {
	case f.name == "http":
		return ":4040"
	case f.metavar == "":
		return f.on()
	case f.repeatable():
		return []any{}
	case f.metavar == "NUMBER":
		return 0
	}
	return ""
}

// schema is what a value of the option may be.
func (f option) schema() map[string]any {
	switch {
	case f.metavar == "":
		return map[string]any{"type": "boolean"}
	case f.repeatable():
		return map[string]any{"type": "array", "items": map[string]any{"type": "string", "minLength": 1}}
	case f.metavar == "NUMBER":
		return map[string]any{"type": "integer", "minimum": 0}
	case len(f.choices) > 0:
		return map[string]any{"enum": append([]string{""}, f.choices...)}
	case f.metavar == "DURATION":
		return map[string]any{"type": "string", "pattern": `^(([0-9]+(\.[0-9]+)?(h|m|s|ms|us|ns))+|.*\{\{.*)?$`}
	}
	return map[string]any{"type": "string"}
}

var (
	row   = regexp.MustCompile("(?m)^\\| `(?:-., )?--([a-z-]+)(?:=([A-Z]+))?` \\| (?:`LEADER_ELECTOR_[A-Z_]+`) \\| (.*) \\|$")
	offer = regexp.MustCompile(`(?m)^complete -c leader-elector -n '__leader_elector_at sidecar' -l ([a-z-]+)(?: -s .)? -x -a '([^']*)'`)
)

// flags are those of the sidecar: their names and meanings from docs/flags.md,
// which a test keeps what the program has, their choices from the program.
func flags() (all []option, err error) {
	page, err := os.ReadFile(repository + "/docs/flags.md")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "run", "./cmd/leader-elector", "completion", "fish")
	cmd.Dir, cmd.Env = repository, append(os.Environ(), "GOWORK=off")
	script, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking the program for its choices: %w", err)
	}
	choices := map[string][]string{}
	for _, m := range offer.FindAllStringSubmatch(string(script), -1) {
		choices[m[1]] = strings.Fields(m[2])
	}
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		all = append(all, option{name: m[1], metavar: m[2], meaning: m[3], choices: choices[m[1]]})
	}
	if len(all) < 20 || len(choices) < 5 {
		return nil, fmt.Errorf("found %d flags in docs/flags.md and choices of %d in the program's completion", len(all), len(choices))
	}
	return all, nil
}
