# Prints what zsh offers for a command line: zsh -f completion.zsh SCRIPT LINE.
# Completion needs an interactive zsh, so one is started on a terminal of its own
# and told to print what it would show.
zmodload zsh/zpty
zpty asked zsh -f -i
zpty -w asked "PROMPT='' RPROMPT='' ; unsetopt zle_bracketed_paste prompt_cr prompt_sp; autoload -Uz compinit; compinit -u -D; source ${(q)1}"
# With -O, -A or -D a completion function asks what would fit, and offers nothing.
zpty -w asked '
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
  local -a hits
  builtin compadd -A hits "$@"
  (( $#hits )) && print -rl -- "<offer>"$^hits"</offer>"
}
zle -C offers complete-word offer
offer() { _main_complete; compstate[insert]=; compstate[list]= }
finish() { print "<end>"; }
zle -N finish
bindkey "^I" offers
bindkey "^X" finish
print "<ready>"
'
zpty -r asked before '*<ready>*<ready>*'
zpty -w -n asked "$2"$'\t\x18'
zpty -r asked after '*<end>*'
print -r -- "$after"
zpty -d asked
