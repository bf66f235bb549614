package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/leader-elector/leader-elector/internal/status"
)

// tell prints a status for people, a fact per line.
func (q *question) tell(raw json.RawMessage, w io.Writer) error {
	var v status.View
	if err := json.Unmarshal(raw, &v); err != nil || v.Election == "" {
		return fmt.Errorf("what answers on %s is no leader-elector", q.http)
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-10s"+format+"\n", append([]any{name}, args...)...)
	}
	line("election", "%s/%s (%s)", v.Namespace, v.Election, v.Lock)
	leader := v.Leader
	if leader == "" {
		leader = "nobody, or nobody known"
	}
	if v.Term != nil {
		leader += ", term " + *v.Term
	}
	line("leader", "%s", leader)
	switch {
	case v.IsLeader:
		line("this pod", "%s leads", v.Identity)
	case v.CanTakeOver:
		line("this pod", "%s stands by: %s", v.Identity, v.Waiting)
	default:
		line("this pod", "%s does not lead and cannot take over: %s", v.Identity, v.Waiting)
	}
	for _, l := range v.Locks {
		holder := l.Leader
		switch {
		case l.Held:
			holder = "held by this pod"
		case holder == "":
			holder = l.Waiting
		default:
			holder = "held by " + holder
		}
		line(l.Lock, "%s", holder)
	}
	if !v.Health.Fit {
		line("app", "unfit: %s", v.Health.Reason)
	}
	if v.Paused {
		line("paused", "nobody but the holder acquires the lock")
	}
	if v.LastError != "" {
		line("wrong", "%s", v.LastError)
	}
	return nil
}
