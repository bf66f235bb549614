# Prints what bash offers for a command line: bash completion.bash SCRIPT LINE.
# It breaks the line into words as readline does, at spaces, "=" and ":".
source "$1"
line=$2
COMP_WORDS=() word=""
for (( i = 0; i < ${#line}; i++ )); do
  c=${line:i:1}
  case $c in
    ' ') [[ -n $word ]] && COMP_WORDS+=("$word"); word="" ;;
    '='|':') [[ -n $word ]] && COMP_WORDS+=("$word"); COMP_WORDS+=("$c"); word="" ;;
    *) word+=$c ;;
  esac
done
# Behind "=" or ":" with nothing after it, the cursor is on that character.
case $line in
  *[=:]) ;;
  *) COMP_WORDS+=("$word") ;;
esac
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
compopt() { :; }
_leader_elector leader-elector "$word" "${COMP_WORDS[COMP_CWORD-1]}"
complete -p leader-elector >&2
printf '%s\n' "${COMPREPLY[@]}"
