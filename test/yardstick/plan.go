package yardstick

import (
	"math/rand/v2"
	"time"
)

// Spans of a schedule: faults, then a quiet time in which somebody has to lead.
const (
	length = 120 * time.Second
	quiet  = 60 * time.Second
)

// Mix is a world: how often each fault happens. Late and Loss are probabilities
// of each message, the rest weights of the next fault.
type Mix struct {
	Name, Tells                    string
	Late, Loss                     float64
	Cut, CutThere, CutBack         float64
	Hang, Refuse, Throttle, Fail   float64
	Delete, Empty, Rename, Shorten float64
	Stop, Crash                    float64
	Every                          time.Duration // the mean time between two faults
	Longest                        time.Duration // of a cut or an outage
}

// Mixes are the worlds of the table.
var Mixes = []Mix{
	{Name: "calm", Tells: "no fault; pods are told to end, and come back", Stop: 1, Every: 20 * time.Second},
	{Name: "late", Tells: "15 % of messages come up to 12 s late, by a heavy tail", Late: 0.15, Stop: 1, Every: 30 * time.Second},
	{Name: "lost", Tells: "10 % of requests are lost, and 10 % of answers after the commit", Loss: 0.1, Stop: 1, Every: 30 * time.Second},
	{Name: "cut", Tells: "one candidate, mostly the leader, is cut off for up to 25 s", Cut: 1, Every: 15 * time.Second, Longest: 25 * time.Second},
	{Name: "one-way", Tells: "its requests alone, or the answers alone, for up to 25 s", CutThere: 1, CutBack: 2, Every: 15 * time.Second, Longest: 25 * time.Second},
	{Name: "outage", Tells: "the API server hangs or is gone for up to 25 s", Hang: 1, Refuse: 1, Every: 25 * time.Second, Longest: 25 * time.Second},
	{Name: "errors", Tells: "70 % of requests get 429, or 500 (half of them after the commit), for up to 25 s", Throttle: 1, Fail: 2, Every: 15 * time.Second, Longest: 25 * time.Second},
	{Name: "grey", Tells: "30 % of messages are late, and one candidate, mostly the leader, is cut off for up to 25 s", Late: 0.3, Cut: 1, Every: 25 * time.Second, Longest: 25 * time.Second},
	{Name: "crash", Tells: "a process ends without a word, and comes back", Crash: 1, Every: 25 * time.Second},
	{Name: "hands", Tells: "the lock is deleted, emptied, given to another name, or its duration set to 1 s", Delete: 1, Empty: 1, Rename: 1, Shorten: 1, Every: 25 * time.Second},
	{Name: "delete", Tells: "the lock is deleted", Delete: 1, Every: 30 * time.Second},
	{Name: "all", Tells: "all of them", Late: 0.05, Loss: 0.03, Cut: 1, CutThere: 1, CutBack: 1, Hang: 0.5, Refuse: 0.5, Throttle: 0.5, Fail: 0.5,
		Delete: 0.2, Empty: 0.2, Rename: 0.2, Shorten: 0.2, Stop: 1, Crash: 0.5, Every: 10 * time.Second, Longest: 15 * time.Second},
}

// trouble is a kind of fault that lasts.
type trouble int

const (
	cutThere trouble = iota // requests do not arrive
	cutBack                 // answers do not
	hanging                 // the API server takes requests, and answers when that is over
	refusing                // nobody listens, and connections break
	throttling
	failing
)

// deed is one thing that happens to the world.
type deed struct {
	at, lasts time.Duration
	what      string
	troubles  []trouble
	leader    bool // whoever leads then, else slot
	slot      int
	name      string // that a person writes into the lock
}

// Plan is a schedule before it is played: the same for both kinds of candidate.
type Plan struct {
	Seed       uint64
	Mix        Mix
	Candidates int
	deeds      []deed
	born       []time.Duration // when each slot starts first
	back       []time.Duration // how long a slot takes to come back, by turns

	// A test that knows what it wants plays a script in place of deeds.
	script   func(*world)
	holds    bool   // cuts hold every message until they end, and lose none
	identity string // all processes have this one
}

// NewPlan draws the schedule of a seed.
func NewPlan(seed uint64, m Mix) *Plan {
	r := rand.New(rand.NewPCG(seed, 4711))
	p := &Plan{Seed: seed, Mix: m, Candidates: 2 + r.IntN(3)}
	for range p.Candidates {
		p.born = append(p.born, within(r, 3*time.Second))
		p.back = append(p.back, slowness+within(r, 3*time.Second))
	}
	kinds := []struct {
		weight   float64
		what     string
		troubles []trouble
		everyone bool
	}{
		{m.Cut, "cut", []trouble{cutThere, cutBack}, false},
		{m.CutThere, "cut there", []trouble{cutThere}, false},
		{m.CutBack, "cut back", []trouble{cutBack}, false},
		{m.Hang, "hang", []trouble{hanging}, true},
		{m.Refuse, "refuse", []trouble{refusing}, true},
		{m.Throttle, "throttle", []trouble{throttling}, true},
		{m.Fail, "fail", []trouble{failing}, true},
		{weight: m.Delete, what: "delete"}, {weight: m.Empty, what: "empty"},
		{weight: m.Rename, what: "rename"}, {weight: m.Shorten, what: "shorten"},
		{weight: m.Stop, what: "stop"}, {weight: m.Crash, what: "crash"},
	}
	total := 0.0
	for _, k := range kinds {
		total += k.weight
	}
	// The first lead is given time: what leads at once on a new lock, and what
	// waits for a lease, are compared after that.
	for at := 20*time.Second + within(r, m.Every); at < length && total > 0; at += m.Every/4 + within(r, m.Every*3/2) {
		pick := r.Float64() * total
		for _, k := range kinds {
			if pick -= k.weight; pick >= 0 {
				continue
			}
			d := deed{at: at, what: k.what, troubles: k.troubles, leader: r.IntN(3) > 0, slot: r.IntN(p.Candidates), name: "nobody"}
			if len(k.troubles) > 0 {
				d.lasts = min(time.Second+within(r, m.Longest), length-at)
			}
			if k.everyone {
				d.leader, d.slot = false, everyone
			}
			if r.IntN(2) == 0 {
				d.name = name(r.IntN(p.Candidates), 1)
			}
			p.deeds = append(p.deeds, d)
			break
		}
	}
	return p
}

const everyone = -1

func within(r *rand.Rand, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(r.Int64N(int64(d)))
}
