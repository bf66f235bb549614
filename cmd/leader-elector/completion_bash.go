package main

import (
	"fmt"
	"slices"
	"strings"
)

const bashHead = `# bash completion of leader-elector, written by "leader-elector completion bash".
_leader_elector() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} flag="" lead="" command="" words="" flags="" i
  COMPREPLY=()
  # Where "=" breaks words, bash takes --flag=value apart.
  if [[ $cur == "=" ]]; then flag=$prev cur=""
  elif [[ $prev == "=" ]]; then flag=${COMP_WORDS[COMP_CWORD-2]}
  elif [[ $cur == --*=* ]]; then flag=${cur%%=*} lead=${cur%%=*}= cur=${cur#*=}
  elif [[ $prev == -* ]]; then flag=$prev
  fi
  if (( COMP_CWORD > 1 )); then
    case ${COMP_WORDS[1]} in
      %s) command=${COMP_WORDS[1]} ;;
    esac
  fi
  if [[ $command == run ]]; then
    for (( i = 2; i < COMP_CWORD; i++ )); do
      # What follows is another program's.
      if [[ ${COMP_WORDS[i]} == -- ]]; then compopt -o default 2>/dev/null; return; fi
    done
  fi
`

const bashTail = `  esac
  if [[ $cur == -* || -z $words ]]; then words=$flags; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -F _leader_elector leader-elector
`

func bashScript(b *strings.Builder) {
	all := syntaxes()
	fmt.Fprintf(b, bashHead, strings.Join(commandNames(all), "|"))
	b.WriteString("  case $flag in\n")
	var said []string
	var silent []string // flags with a value that nothing is known of
	for _, p := range all {
		for _, f := range p.flags {
			pattern := "--" + f.Name
			if f.Shorthand != "" {
				pattern += "|-" + f.Shorthand
			}
			if !takesValue(f) || slices.Contains(said, f.Name) {
				continue
			}
			said = append(said, f.Name)
			switch {
			case choices[f.Name] != nil:
				fmt.Fprintf(b, "    %s) COMPREPLY=($(compgen -P \"$lead\" -W \"%s\" -- \"$cur\")); return ;;\n", pattern, strings.Join(choices[f.Name], " "))
			case files[f.Name]:
				fmt.Fprintf(b, "    %s) local IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -P \"$lead\" -f -- \"$cur\")); return ;;\n", pattern)
			default:
				silent = append(silent, pattern)
			}
		}
	}
	fmt.Fprintf(b, "    %s) return ;;\n  esac\n  case $command in\n", strings.Join(silent, "|"))
	for _, p := range all {
		if p.dirs {
			fmt.Fprintf(b, "    %s) local IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n", p.command)
			continue
		}
		words := slices.Clone(p.words)
		if p.command == "" {
			words = commandNames(all)
		}
		fmt.Fprintf(b, "    %s) words=\"%s\" flags=\"%s\" ;;\n", quotedCommand(p.command), strings.Join(words, " "), strings.Join(bashFlags(p), " "))
	}
	b.WriteString(bashTail)
}

func quotedCommand(command string) string {
	if command == "" {
		return `""`
	}
	return command
}

// bashFlags are a subcommand's flags as they are written; bash adds no space after an
// equals sign.
func bashFlags(p syntax) (words []string) {
	for _, f := range p.flags {
		word := "--" + f.Name
		if takesValue(f) {
			word += "="
		}
		words = append(words, word)
	}
	if p.program {
		words = append(words, "--")
	}
	return words
}
