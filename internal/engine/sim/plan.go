package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// length of a schedule, in which its faults happen.
const length = 120 * time.Second

// meanGap between two faults: about sixty in a schedule.
const meanGap = 2 * time.Second

// Fault is one thing that goes wrong, or that somebody does.
type Fault struct {
	At   time.Duration
	Kind Kind
	Who  int           // whose fault it is: a candidate by number; leader: of who leads then
	For  time.Duration // how long, or by how much
	N    int           // which of several forms
}

// leader stands for who leads when the fault happens, if anybody does.
const leader = -1

func (f Fault) String() string {
	who := fmt.Sprintf("candidate %d", f.Who)
	if f.Who == leader {
		who = "the leader"
	}
	return fmt.Sprintf("%9.3fs %s (%s, %v, form %d)", f.At.Seconds(), kinds[f.Kind].name, who, f.For.Round(time.Millisecond), f.N)
}

// Plan is a schedule: with the same plan, Play gives the same dialogue.
type Plan struct {
	Seed   uint64
	Mix    Mix
	Pods   int
	TTL    time.Duration
	Faults []Fault
}

func (p Plan) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "mix %s, seed %d: %d candidates, D %v, %d faults\n", p.Mix.Name, p.Seed, p.Pods, p.TTL, len(p.Faults))
	for _, f := range p.Faults {
		fmt.Fprintf(&s, "  %v\n", f)
	}
	return s.String()
}

// Draw makes the schedule of a seed.
func Draw(seed uint64, mix Mix) Plan {
	rng := rand.New(rand.NewPCG(seed, 4711))
	p := Plan{Seed: seed, Mix: mix, Pods: 2 + rng.IntN(3), TTL: time.Duration(4+rng.IntN(9)) * time.Second}
	total := 0.0
	for k := range kinds {
		total += mix.Weights[Kind(k)]
	}
	for at := exponential(rng, meanGap); at < length; at += exponential(rng, meanGap) {
		f := Fault{At: at, Who: rng.IntN(p.Pods), N: rng.IntN(1 << 16)}
		if rng.IntN(2) == 0 {
			f.Who = leader // faults of standbys are dull
		}
		pick := rng.Float64() * total
		for k := range kinds {
			if pick -= mix.Weights[Kind(k)]; pick < 0 {
				f.Kind = Kind(k)
				break
			}
		}
		if span := kinds[f.Kind].span; span != nil {
			f.For = span(rng, p.TTL)
		}
		p.Faults = append(p.Faults, f)
	}
	return p
}

func exponential(rng *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(rng.ExpFloat64() * float64(mean))
}

// heavy is a delay with a heavy tail: mostly far below a second, at most 12 s.
func heavy(rng *rand.Rand, _ time.Duration) time.Duration {
	pareto := 0.05 / math.Pow(1-rng.Float64(), 1/0.7)
	return time.Duration(min(pareto, 12) * float64(time.Second))
}

// stretch is a span about as long as a lease, at most 15 s.
func stretch(rng *rand.Rand, ttl time.Duration) time.Duration {
	return min(exponential(rng, ttl), 15*time.Second)
}

// moment is a few seconds.
func moment(rng *rand.Rand, _ time.Duration) time.Duration {
	return min(exponential(rng, 4*time.Second), 15*time.Second)
}

// leap is a jump of a wall clock, forward or back.
func leap(rng *rand.Rand, _ time.Duration) time.Duration {
	return time.Duration(rng.NormFloat64() * float64(5*time.Second))
}
