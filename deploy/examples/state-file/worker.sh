#!/bin/sh
# A worker that acts only while its pod leads, by the sidecar's --state-file:
#
#   worker.sh STATE-FILE COMMAND...
#
# COMMAND is one short act. It is run again and again, with the lead's term in
# $TERM_TOKEN, under a lock that a hand-over waits for. It must take less time
# than --handover-timeout, and much less than the lease.
set -u
trap 'exit 0' TERM INT # process 1 of a container has no other way to end
state=$1
shift
until [ -e "$state.lock" ]; do sleep 1; done
exec 9<"$state.lock"

# leads says whether this pod may act now. The file is read once, so that what it
# says is of one moment. Seconds are cut off on both sides, so that a tie is a no.
leads() {
  said=$(cat "$state") || return 1
  case $said in *'"isLeader": true'*) ;; *) return 1 ;; esac
  TERM_TOKEN=$(printf '%s\n' "$said" | sed -n 's/^ *"term": "\([0-9]*\)".*/\1/p')
  deadline=$(printf '%s\n' "$said" | sed -n 's/^ *"deadline": \([0-9]*\).*/\1/p')
  read -r now rest </proc/uptime
  [ -n "$TERM_TOKEN" ] && [ "${now%%.*}" -lt "${deadline:-0}" ]
}

while :; do
  flock -s 9
  if leads; then
    export TERM_TOKEN
    "$@"
  fi
  flock -u 9
  sleep "${PAUSE:-0.2}"
done
