package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	seedFlag = flag.Uint64("seed", 0, "of the schedule that TestReplay plays")
	mixFlag  = flag.String("mix", "", "of the schedule that TestReplay plays")
)

// seeds is how many schedules of each mix are played: SIM_SEEDS, or few enough
// for every test run.
func seeds(t *testing.T) uint64 {
	if s := os.Getenv("SIM_SEEDS"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("SIM_SEEDS=%q: %v", s, err)
		}
		return n
	}
	if testing.Short() {
		return 50
	}
	return 300
}

func TestSchedules(t *testing.T) {
	n := seeds(t)
	for _, mix := range Mixes {
		t.Run(mix.Name, func(t *testing.T) {
			t.Parallel()
			var next, leads, faults, steps atomic.Uint64
			var work sync.WaitGroup
			for range runtime.GOMAXPROCS(0) {
				work.Go(func() {
					for {
						seed := next.Add(1)
						if seed > n || t.Failed() {
							return
						}
						r := Run(seed, Options{Mix: mix})
						leads.Add(uint64(r.Leads))
						faults.Add(uint64(r.Faults))
						steps.Add(uint64(r.Steps))
						if r.Violation != "" {
							t.Errorf("seed %d: %s\nreplay: go test ./internal/engine/sim -run TestReplay -seed=%d -mix=%s -v", seed, r.Violation, seed, mix.Name)
						}
					}
				})
			}
			work.Wait()
			if leads.Load() < n/2 {
				t.Errorf("only %d leads in %d schedules: the mix plays nothing", leads.Load(), n)
			}
			t.Logf("%d schedules, %d leads, %d faults, %d steps", n, leads.Load(), faults.Load(), steps.Load())
		})
	}
}

func TestTheSameSeedIsTheSameSchedule(t *testing.T) {
	for _, mix := range Mixes {
		a, b := Run(7, Options{Mix: mix, Trace: true}), Run(7, Options{Mix: mix, Trace: true})
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("mix %s: two runs of seed 7 differ", mix.Name)
		}
	}
}

func TestReplay(t *testing.T) {
	if *mixFlag == "" {
		t.Log("give -seed and -mix to see a schedule")
		return
	}
	for _, mix := range Mixes {
		if mix.Name == *mixFlag {
			r := Run(*seedFlag, Options{Mix: mix, Trace: true})
			for _, line := range r.Trace {
				t.Log(line)
			}
			if r.Violation != "" {
				t.Error(r.Violation)
			}
			return
		}
	}
	t.Fatalf("there is no mix %q", *mixFlag)
}
