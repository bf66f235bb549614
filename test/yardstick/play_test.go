package yardstick

import (
	"math/rand"
	"os"
	"strconv"
	"strings"
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

// seeds is how many schedules of each mix are played: YARDSTICK_SEEDS, or few.
func seeds(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("YARDSTICK_SEEDS")
	if text == "" {
		return 4
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatal("YARDSTICK_SEEDS: ", err)
	}
	return n
}

// The mixes of faults, with both kinds: ours never has two leaders, client-go
// has some. YARDSTICK_OUT is the file that gets the table.
func TestOursNeverHasTwoLeadersAndClientGoHas(t *testing.T) {
	n := seeds(t)
	begun := time.Now()
	table := newTable(n)
	for _, m := range Mixes {
		for _, k := range []Kind{clientGo, clientGoRelease, clientGoUnbounded, ours, oursSlow} {
			for seed := range n {
				r := play(t, NewPlan(seed, m), k)
				table.add(m, k, seed, r)
				if strings.HasPrefix(k.Name, ours.Name) {
					judge(t, seed, m, r)
				}
			}
		}
		t.Logf("%s: %v since the start", m.Name, time.Since(begun).Round(time.Second))
	}
	if two := table.violated(clientGo, clientGoRelease, clientGoUnbounded); two == 0 {
		t.Error("client-go never has two leaders: is this yardstick still right?")
	}
	text := table.markdown(time.Since(begun))
	t.Log("\n" + text)
	if out := os.Getenv("YARDSTICK_OUT"); out != "" && !t.Failed() {
		if err := insert(out, text); err != nil {
			t.Error(err)
		}
	}
}

// judge holds a schedule of ours against what is promised.
func judge(t *testing.T, seed uint64, m Mix, r Result) {
	t.Helper()
	bad := r.Writes != (Writes{})
	for _, word := range []string{ByContext, BySlowApp, ByAsking} {
		bad = bad || r.overlaps(word) != nil
	}
	if asked := r.Ledgers[ByAsking]; asked == nil || asked.AtEnd != 1 {
		bad = true
	}
	if bad {
		logAll(t, r)
		t.Errorf("mix %s, seed %d: two leaders, or none at the end: %+v", m.Name, seed, r.Writes)
		for word, l := range r.Ledgers {
			t.Errorf("%s: %+v", word, l)
		}
	}
}

// TestOneSchedule shows the dialogue of one: YARDSTICK_SHOW="cut 43 client-go, release".
func TestOneSchedule(t *testing.T) {
	mix, rest, _ := strings.Cut(os.Getenv("YARDSTICK_SHOW"), " ")
	seed, name, _ := strings.Cut(rest, " ")
	if mix == "" {
		t.Skip(`YARDSTICK_SHOW="cut 43 client-go, release" names the mix, the seed and the kind`)
	}
	n, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range Mixes {
		for _, k := range []Kind{clientGo, clientGoRelease, clientGoUnbounded, ours, oursSlow} {
			if m.Name == mix && k.Name == name {
				r := play(t, NewPlan(n, m), k)
				logAll(t, r)
				for word, l := range r.Ledgers {
					t.Logf("%s: %+v", word, *l)
				}
				return
			}
		}
	}
	t.Fatalf("there is no mix %q with a kind %q", mix, name)
}
