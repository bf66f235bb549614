package sim

import "maps"

// Mix says how often each kind of fault is drawn, and of what kind the processes
// are.
type Mix struct {
	Name    string
	Drift   float64 // clocks run at rates of 1 ± Drift
	SlowApp float64 // so many apps take long to stop
	Foreign style
	Weights map[Kind]float64
}

// style of a foreign candidate.
type style int

const (
	noForeign style = iota
	clientGo        // client-go's leaderelection, with ReleaseOnCancel
	old05           // leader-elector:0.5
)

// drift makes the rates of two clocks up to four percent apart.
const drift = 0.02

// network is the weather of every mix but the fair one.
var network = map[Kind]float64{
	LoseRequest: 1, LoseAnswer: 1, DelayRequest: 1, DelayAnswer: 1, DelayWatch: 1, WatchGap: 0.5, WatchExpired: 0.3, ServerError: 0.3, Throttle: 0.3,
}

// with is the network's weather, so many times, and more.
func with(network map[Kind]float64, times float64, more map[Kind]float64) map[Kind]float64 {
	sum := maps.Clone(more)
	for k, v := range network {
		sum[k] += v * times
	}
	return sum
}

// Mixes are the worlds that are played. What is special about each is in its name.
var Mixes = []Mix{
	{Name: "fair", Drift: drift, Weights: map[Kind]float64{Stop: 1, HandOver: 1}},
	{Name: "lossy", Drift: drift, Weights: with(network, 1, map[Kind]float64{LoseRequest: 5, LoseAnswer: 5, BreakAnswer: 2, Echo: 2, ServerError: 2, Stop: 1, Crash: 1})},
	{Name: "late", Drift: drift, Weights: with(network, 1, map[Kind]float64{DelayRequest: 6, DelayAnswer: 6, DelayWatch: 3, Stop: 1, Freeze: 2})},
	{Name: "cut", Drift: drift, Weights: with(network, 0.5, map[Kind]float64{Cut: 2, CutRequests: 2, CutAnswers: 2, DelayRequest: 2, Stop: 1})},
	{Name: "frozen", Drift: drift, Weights: with(network, 0.5, map[Kind]float64{Freeze: 6, Crash: 1})},
	{Name: "suspended", Drift: drift, Weights: with(network, 0.5, map[Kind]float64{Suspend: 4, Freeze: 2, Stop: 1})},
	{Name: "crashes", Drift: drift, SlowApp: 0.3, Weights: with(network, 0.5, map[Kind]float64{Crash: 3, CrashAlone: 5, Unfit: 2, Stop: 2, DelayAnswer: 3})},
	{Name: "stops", Drift: drift, SlowApp: 0.5, Weights: with(network, 1, map[Kind]float64{Stop: 6, Mute: 1, CutAnswers: 1})},
	{Name: "outages", Drift: drift, Weights: with(network, 0.5, map[Kind]float64{Outage: 4, Throttle: 2, ServerError: 2, Freeze: 1})},
	{Name: "deletions", Drift: drift, Weights: with(network, 1, map[Kind]float64{Delete: 2, Recreate: 2, Freeze: 2, Crash: 1, CutAnswers: 1})},
	{Name: "edits", Drift: drift, Weights: with(network, 1, map[Kind]float64{Edit: 2, Empty: 2, Label: 2, Freeze: 2, CutAnswers: 1, WallJump: 1})},
	{Name: "old copies", Drift: drift, Weights: with(network, 1, map[Kind]float64{RollBack: 2, Recreate: 1, Stop: 2, Freeze: 1, HandOver: 1})},
	{Name: "hand-overs", Drift: drift, SlowApp: 0.5, Weights: with(network, 1, map[Kind]float64{HandOver: 6, Request: 3, Echo: 1, Freeze: 1})},
	{Name: "pauses", Drift: drift, SlowApp: 0.3, Weights: with(network, 1, map[Kind]float64{Pause: 3, HandOver: 3, Stop: 2, Freeze: 1})},
	{Name: "health", Drift: drift, SlowApp: 0.5, Weights: with(network, 1, map[Kind]float64{Unfit: 6, Yield: 2, HandOver: 1, Mute: 0.5})},
	{Name: "deaf", Drift: drift, Weights: with(network, 1, map[Kind]float64{WatchGap: 3, WatchExpired: 2, Disorder: 3, StaleList: 5, DelayWatch: 3, CutAnswers: 2, Stop: 1})},
	{Name: "twins", Drift: drift, Weights: with(network, 1, map[Kind]float64{Twin: 2, Crash: 3, CrashAlone: 1, Stop: 1, Freeze: 3})},
	{Name: "restores", Drift: drift, Weights: with(network, 1, map[Kind]float64{Restore: 1, Freeze: 1, Crash: 1, Stop: 1})},
	{Name: "beside client-go", Drift: drift, Foreign: clientGo, Weights: with(network, 0.5, map[Kind]float64{ForeignEnd: 2, ForeignFreeze: 2, ForeignCut: 2, Stop: 2, Crash: 1, Freeze: 1})},
	{Name: "beside 0.5", Drift: drift, Foreign: old05, Weights: with(network, 0.5, map[Kind]float64{ForeignEnd: 2, ForeignCut: 2, Stop: 2, Crash: 1, Freeze: 1})},
	{Name: "everything", Drift: drift, SlowApp: 0.3, Weights: with(network, 1, map[Kind]float64{
		BreakAnswer: 1, Echo: 1, Disorder: 1, StaleList: 1, Cut: 1, CutRequests: 1, CutAnswers: 1, Outage: 1,
		Freeze: 2, Crash: 1, CrashAlone: 1, Twin: 0.5, WallJump: 1, Stop: 2, Mute: 0.3, Unfit: 1, Yield: 1, HandOver: 2,
		Label: 1, Edit: 1, Empty: 1, Delete: 0.5, Recreate: 0.5, Pause: 0.5, Request: 1,
	})},
}
