package yardstick

import (
	"math/rand"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// play plays one plan in a bubble of its own.
func play(t *testing.T, plan *Plan, kind Kind) (r Result) {
	t.Helper()
	//lint:ignore SA1019 client-go's jitter draws from the global source, and only this makes a seed repeat it
	rand.Seed(int64(plan.Seed))
	synctest.Test(t, func(*testing.T) { r = Play(plan, kind) })
	return r
}

func TestOnce(t *testing.T) {
	seed, _ := strconv.Atoi(os.Getenv("SEED"))
	for _, m := range Mixes {
		if m.Name != os.Getenv("MIX") {
			continue
		}
		for _, k := range kinds {
			if k.Name != os.Getenv("KIND") {
				continue
			}
			a := play(t, NewPlan(uint64(seed), m), k)
			b := play(t, NewPlan(uint64(seed), m), k)
			for i, l := range a.Dialogue {
				if os.Getenv("SHOW") != "" {
					t.Log(l)
				}
				if i < len(b.Dialogue) && b.Dialogue[i] != l {
					t.Log("DIFFERS", l, b.Dialogue[i])
					if os.Getenv("SHOW") == "" {
						break
					}
				}
			}
			for w, l := range a.Ledgers {
				t.Logf("%s: %+v", w, l)
			}
		}
	}
}

var kinds = []Kind{ClientGo("client-go", false, true), ClientGo("client-go release", true, true),
	ClientGo("client-go example", true, false), Ours("ours", false), Ours("ours slow", true)}

func TestExplore(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("SEEDS"))
	for _, m := range Mixes {
		for _, k := range []Kind{ClientGo("client-go", false, true), ClientGo("client-go release", true, true),
			ClientGo("client-go example", true, false), Ours("ours", false), Ours("ours slow", true)} {
			begun := time.Now()
			sums := map[string]*Sum{}
			for seed := range uint64(n) {
				r := play(t, NewPlan(seed, m), k)
				for w, l := range r.Ledgers {
					if sums[w] == nil {
						sums[w] = &Sum{}
					}
					sums[w].Add(seed, l)
				}
			}
			for w, s := range sums {
				med, worst, all := s.Gap()
				t.Logf("%-8s %-18s %-17s violated %d/%d overlaps %d both %.1fs worst %.1fs (seed %d) | leads %d gaps %d med %.2fs worst %.1fs share %.2f%% leaderless %d", m.Name, k.Name, w, s.Violated, s.Schedules, s.Overlaps, s.Both.Seconds(), s.Worst.Seconds(), s.WorstSeed, s.Leads, len(s.Gaps), med.Seconds(), worst.Seconds(), 100*all.Seconds()/s.Led.Seconds(), s.Leaderless)
			}
			t.Log(m.Name, k.Name, time.Since(begun))
		}
	}
}
