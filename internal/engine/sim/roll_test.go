package sim

import (
	"flag"
	"testing"
	"time"
)

var rollFlag = flag.Uint64("roll", 0, "the seed of the roll that TestReplayRoll plays")

// Law 18: through both rolls, in every order of starting, stopping and crashing,
// one leads at most, and in the end one does.
func TestTwoRollsFrom05ToLeasesHaveOneLeaderAtMost(t *testing.T) {
	n := schedules(t) / 2
	var leads, steps int
	var by [3]int
	gaps := map[bool]time.Duration{}
	seed := func(i int) uint64 { return uint64(i) + 1 }
	broken := playAll(t, n, func(i int) RollResult { return Roll(seed(i), false) }, func(_ int, r RollResult) bool {
		leads += r.Leads
		steps += r.Steps
		gaps[r.Rough] = max(gaps[r.Rough], r.Gap)
		for i, k := range r.ByForm {
			by[i] += k
		}
		return r.Violation != ""
	})
	if broken < n {
		t.Fatalf("seed %d: %s\nreplay: go test ./internal/engine/sim -run TestReplayRoll -roll=%d -v", seed(broken), Roll(seed(broken), false).Violation, seed(broken))
	}
	t.Logf("%d rolls, %d leads (0.5 %d, both %d, leases %d), %d steps; longest without a leader %v, with faults %v", n, leads, by[0], by[1], by[2], steps, gaps[false], gaps[true])
	for f, k := range by {
		if k < n/2 {
			t.Errorf("only %d leads of %v: the rolls play nothing", k, form(f))
		}
	}
}

func TestReplayRoll(t *testing.T) {
	if *rollFlag == 0 {
		t.Log("give -roll to see a schedule")
		return
	}
	r := Roll(*rollFlag, true)
	for _, line := range r.Trace {
		t.Log(line)
	}
	if r.Violation != "" {
		t.Error(r.Violation)
	}
}
