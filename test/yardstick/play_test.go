package yardstick_test

import (
	"math/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leader-elector/leader-elector/test/yardstick"
)

// play plays one plan in a bubble of its own.
func play(t *testing.T, plan *yardstick.Plan, kind yardstick.Kind) (r yardstick.Result) {
	t.Helper()
	//lint:ignore SA1019 client-go's jitter draws from the global source, and only this makes a seed repeat it
	rand.Seed(int64(plan.Seed))
	synctest.Test(t, func(*testing.T) { r = yardstick.Play(plan, kind) })
	return r
}

func TestSmoke(t *testing.T) {
	for _, k := range []yardstick.Kind{yardstick.ClientGo("c", true, true), yardstick.Ours("o", false)} {
		begun := time.Now()
		r := play(t, yardstick.NewPlan(1, yardstick.Mixes[0]), k)
		t.Log(time.Since(begun))
		for _, l := range r.Dialogue {
			t.Log(l)
		}
		for w, l := range r.Ledgers {
			t.Logf("%s: %+v", w, l)
		}
	}
}
