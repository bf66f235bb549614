package yardstick

import (
	"slices"
	"time"
)

// Sum adds up the tallies of many schedules by one reading.
type Sum struct {
	Schedules  int
	Violated   int // schedules with two leaders at once
	Overlaps   int
	Both       time.Duration // in all
	Worst      time.Duration
	Leads      int
	Gaps       []time.Duration
	Led        time.Duration
	Leaderless int    // schedules at whose end nobody led
	WorstSeed  uint64 // of Worst
}

// Add adds one schedule's tally; nil is one in which nobody ever led.
func (s *Sum) Add(seed uint64, t *Tally) {
	s.Schedules++
	if t == nil {
		s.Leaderless++
		return
	}
	if len(t.Overlaps) > 0 {
		s.Violated++
	}
	for _, d := range t.Overlaps {
		s.Overlaps++
		s.Both += d
		if d > s.Worst {
			s.Worst, s.WorstSeed = d, seed
		}
	}
	s.Leads += t.Leads
	s.Gaps = append(s.Gaps, t.Gaps...)
	s.Led += t.Led
	if t.AtEnd == 0 {
		s.Leaderless++
	}
}

// Gap is the median and the longest time without a leader, and all of it.
func (s *Sum) Gap() (median, worst, all time.Duration) {
	if len(s.Gaps) == 0 {
		return 0, 0, 0
	}
	sorted := slices.Sorted(slices.Values(s.Gaps))
	for _, d := range sorted {
		all += d
	}
	return sorted[len(sorted)/2], sorted[len(sorted)-1], all
}
