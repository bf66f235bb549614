package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

const zshHead = `#compdef leader-elector
# zsh completion of leader-elector, written by "leader-elector completion zsh".
_leader_elector() {
  local -a commands
  commands=(
`

const zshMiddle = `  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe -t commands command commands
    return
  fi
  case $words[2] in
`

const zshTail = `  esac
}
if [[ $funcstack[1] == _leader_elector ]]; then
  _leader_elector "$@"
else
  compdef _leader_elector leader-elector
fi
`

func zshScript(b *strings.Builder) {
	b.WriteString(zshHead)
	all := syntaxes()
	for _, p := range all[1:] {
		fmt.Fprintf(b, "    %s\n", zshQuote(p.command+":"+p.about))
	}
	b.WriteString(zshMiddle)
	for _, p := range append(all[1:], all[0]) { // "*" is last, as the first pattern that fits is taken
		pattern, shift := p.command, "(( CURRENT-- )); shift words; "
		if p.command == "" {
			pattern, shift = "*", ""
		}
		fmt.Fprintf(b, "    %s) %s_arguments -S", pattern, shift)
		for _, f := range p.flags {
			fmt.Fprintf(b, " \\\n      %s", zshQuote(zshFlag(f)))
		}
		switch {
		case p.program:
			b.WriteString(" \\\n      '*:: :_normal'")
		case p.dirs:
			b.WriteString(" '1:folder:_files -/'")
		case len(p.words) > 0:
			fmt.Fprintf(b, " \\\n      '1:word:(%s)'", strings.Join(p.words, " "))
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString(zshTail)
}

// zshFlag is a flag as _arguments wants it.
func zshFlag(f *pflag.Flag) string {
	value, _ := pflag.UnquoteUsage(f)
	spec := "--" + f.Name
	if takesValue(f) {
		spec += "="
	}
	if f.Value.Type() == new(urls).Type() {
		spec = "*" + spec
	}
	spec += "[" + strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(brief(f)) + "]"
	switch {
	case !takesValue(f):
	case choices[f.Name] != nil:
		spec += ":" + value + ":(" + strings.Join(choices[f.Name], " ") + ")"
	case files[f.Name]:
		spec += ":" + value + ":_files"
	default:
		spec += ":" + value + ": "
	}
	return spec
}

func zshQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
