package sim

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	seedFlag = flag.Uint64("seed", 0, "of the schedule that TestReplay plays")
	mixFlag  = flag.String("mix", "", "of the schedule that TestReplay plays")
)

// schedules is how many are played over all mixes: SIM_N, or few enough for
// every test run.
func schedules(t *testing.T) int {
	if s := os.Getenv("SIM_N"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("SIM_N=%q: not a number of schedules", s)
		}
		return n
	}
	if testing.Short() {
		return 50 * len(Mixes)
	}
	return 5000
}

// tally is what the schedules of one mix showed.
type tally struct {
	schedules, leads, faults, steps int
	slowest                         time.Duration
}

// playAll plays numbers 0 to n-1 on every core until one shows a violation, and
// returns the first that did; n if none did. Each worker hands what it played to
// took, one at a time.
func playAll[R any](t *testing.T, n int, play func(i int) R, took func(i int, r R) (violated bool)) int {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // much is thrown away, and little kept
	began, cores := time.Now(), runtime.GOMAXPROCS(0)
	var lock sync.Mutex
	var work sync.WaitGroup
	next, broken := 0, n
	for range cores {
		work.Go(func() {
			for {
				lock.Lock()
				i := next
				next++
				if i > 0 && i%100_000 == 0 {
					fmt.Fprintf(os.Stderr, "%d of %d schedules, %.0f s\n", i, n, time.Since(began).Seconds())
				}
				stop := i >= n || broken < n
				lock.Unlock()
				if stop {
					return
				}
				r := play(i)
				lock.Lock()
				if took(i, r) {
					broken = min(broken, i)
				}
				lock.Unlock()
			}
		})
	}
	work.Wait()
	if broken == n {
		spent := time.Since(began)
		t.Logf("%d schedules, no violation; %.0f per second and core (%d cores, %v)", n, float64(n)/spent.Seconds()/float64(cores), cores, spent.Round(time.Second))
	}
	return broken
}

// No schedule of any mix breaks an invariant. The schedules are numbered: number
// i is of the mix i modulo the mixes, so that all of them are played evenly.
func TestSchedules(t *testing.T) {
	n := schedules(t)
	tallies := make([]tally, len(Mixes))
	drawn := func(i int) Plan { return Draw(seedOf(i), Mixes[i%len(Mixes)]) }
	broken := playAll(t, n, func(i int) Result { return drawn(i).Play(false) }, func(i int, r Result) bool {
		tallies[i%len(Mixes)].add(r)
		return r.Violation != ""
	})
	if broken < n {
		t.Fatalf("schedule %d of %d: %s\n%s", broken+1, n, drawn(broken).Play(false).Violation, replay(drawn(broken)))
	}
	var sum tally
	for i, s := range tallies {
		t.Logf("%-16s %6d schedules %8d leads %9d faults %11d steps, then led after %v at most", Mixes[i].Name, s.schedules, s.leads, s.faults, s.steps, s.slowest.Round(time.Millisecond))
		if s.leads < s.schedules/2 {
			t.Errorf("only %d leads in %d schedules of the mix %q: it plays nothing", s.leads, s.schedules, Mixes[i].Name)
		}
		sum.schedules += s.schedules
		sum.faults += s.faults
		sum.leads += s.leads
	}
	t.Logf("%d schedules of %v, %d faults, %d leads, no violation", sum.schedules, length, sum.faults, sum.leads)
}

func seedOf(i int) uint64 { return uint64(i/len(Mixes)) + 1 }

func (s *tally) add(r Result) {
	s.schedules++
	s.leads += r.Leads
	s.faults += r.Faults
	s.steps += r.Steps
	s.slowest = max(s.slowest, r.Led)
}

// replay says how to see the schedule, and what is left of it when all that it
// does not need is taken away.
func replay(p Plan) string {
	var s strings.Builder
	fmt.Fprintf(&s, "replay: make sim SEED=%d MIX=%q\n", p.Seed, p.Mix.Name)
	short, r := Shrink(p)
	fmt.Fprintf(&s, "shrunk from %d faults to %d: %v", len(p.Faults), len(short.Faults), short)
	fmt.Fprintf(&s, "  %s\n", r.Violation)
	return s.String()
}

func TestTheSameSeedIsTheSameSchedule(t *testing.T) {
	for _, mix := range Mixes {
		a, b := Draw(7, mix).Play(true), Draw(7, mix).Play(true)
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("mix %s: two runs of seed 7 differ", mix.Name)
		}
	}
}

// A fault that is taken away leaves the rest of the schedule as it was, or
// nothing could be shrunk.
func TestASchedulePlaysItsFaultsInOrderAndNoOthers(t *testing.T) {
	for _, mix := range Mixes {
		p := Draw(3, mix)
		if !slices.IsSortedFunc(p.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) }) {
			t.Errorf("mix %s: the faults are out of order", mix.Name)
		}
		if n := len(p.Faults); n < 30 || n > 100 {
			t.Errorf("mix %s: %d faults in a schedule; about 60 were meant", mix.Name, n)
		}
		p.Faults = nil
		if r := p.Play(false); r.Faults != 0 || r.Violation != "" {
			t.Errorf("mix %s without its faults: %d faults, %q", mix.Name, r.Faults, r.Violation)
		}
	}
}

// Every kind of fault is drawn in some mix.
func TestEveryKindOfFaultIsPlayed(t *testing.T) {
	for k := range kinds {
		played := slices.ContainsFunc(Mixes, func(m Mix) bool { return m.Weights[Kind(k)] > 0 })
		if !played || kinds[k].name == "" {
			t.Errorf("kind %d %q is in no mix", k, kinds[k].name)
		}
	}
}

func TestReplay(t *testing.T) {
	if *mixFlag == "" {
		t.Log("give -seed and -mix to see a schedule")
		return
	}
	i := slices.IndexFunc(Mixes, func(m Mix) bool { return m.Name == *mixFlag })
	if i < 0 {
		t.Fatalf("there is no mix %q", *mixFlag)
	}
	p := Draw(*seedFlag, Mixes[i])
	short, r := Shrink(p)
	if r.Violation != "" {
		t.Logf("shrunk from %d faults to %d:\n%v", len(p.Faults), len(short.Faults), short)
	}
	for _, line := range short.Play(true).Trace {
		t.Log(line)
	}
	if r.Violation != "" {
		t.Error(r.Violation)
	}
}
