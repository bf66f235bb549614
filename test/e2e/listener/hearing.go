package listener

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Hearing is what a listener heard of a fault.
type Hearing struct {
	Requests int `json:"requests"`
	Failed   int `json:"failed"`
	// Silence is the longest time between two answers that followed each other.
	Silence time.Duration `json:"silence"`
	// Unstable is the time from the first failed request to the last.
	Unstable time.Duration `json:"unstable"`
	// Heavy is the time from the first failed request to the end of the last
	// second in which at least a quarter failed. Single failures follow later:
	// where a new connection gets the port of one that never came about, the
	// kernel still translates it to the lost pod.
	Heavy time.Duration `json:"heavy"`
	// Lasting is true if nobody answered at the end.
	Lasting bool `json:"lasting,omitempty"`
	// Switches counts how often another pod answered than just before. A clean
	// change is one.
	Switches int `json:"switches"`
	// Both is the time from the first answer of a new pod to the last of the old.
	Both time.Duration `json:"both,omitempty"`
	// Stray counts the requests that were asked after another pod had answered
	// for the first time, and failed or were answered by the old one; Astray is
	// the time from that answer to the last of them.
	Stray  int           `json:"stray,omitempty"`
	Astray time.Duration `json:"astray,omitempty"`
	// Stream says what became of the connection that was kept.
	Stream string `json:"stream"`
}

// Hear judges what was heard from the fault at begin to end.
func Hear(records []Record, begin, end time.Time) Hearing {
	var h Hearing
	var answers, failures, streams []Record
	var first, last time.Time
	var before Record                             // the last answer before the fault: who answers then is the old pod
	asked, failed := map[int]int{}, map[int]int{} // by the second from the beginning
	for _, r := range records {
		if r.Done.Before(begin) && r.Stream == 0 && r.Error == "" && r.Done.After(before.Done) {
			before = r
		}
		switch {
		case r.Done.Before(begin) || r.Done.After(end): // what ends later, the mending may have woken
		case r.Stream > 0:
			streams = append(streams, r)
		case r.Error != "":
			asked[int(r.Sent.Sub(begin).Seconds())]++
			failed[int(r.Sent.Sub(begin).Seconds())]++
			h.Failed++
			failures = append(failures, r)
			first, last = earlier(first, r.Sent), later(last, r.Sent)
		default:
			asked[int(r.Sent.Sub(begin).Seconds())]++
			answers = append(answers, r)
		}
	}
	h.Requests = h.Failed + len(answers)
	if h.Failed > 0 {
		h.Unstable = last.Sub(first)
		h.Heavy = max(0, heavy(asked, failed)-first.Sub(begin))
	}
	slices.SortFunc(answers, func(a, b Record) int { return a.Done.Compare(b.Done) })
	h.Silence, h.Lasting = silence(answers, begin, end)
	old := before.Pod
	if old == "" && len(answers) > 0 {
		old = answers[0].Pod
	}
	h.Switches, h.Both = changes(answers, old)
	h.Stray, h.Astray = strays(answers, failures, old)
	h.Stream = fate(streams, begin, end)
	return h
}

// heavy is when the last second ends in which a quarter of the requests failed.
func heavy(asked, failed map[int]int) time.Duration {
	last := 0
	for second, n := range failed {
		if 4*n >= asked[second] {
			last = max(last, second+1)
		}
	}
	return time.Duration(last) * time.Second
}

// silence is the longest time without an answer, and whether it lasted to the end.
func silence(answers []Record, begin, end time.Time) (longest time.Duration, lasting bool) {
	before := begin
	for _, a := range answers {
		longest = max(longest, a.Done.Sub(before))
		before = a.Done
	}
	if rest := end.Sub(before); rest > patience && rest >= longest {
		return rest, true
	}
	return longest, false
}

// changes counts the switches, and measures for how long an old pod still
// answered questions that were asked after a new one had answered.
func changes(answers []Record, old string) (switches int, both time.Duration) {
	debut := map[string]time.Time{old: {}}
	order := []string{old}
	last := old
	for _, a := range answers {
		if last != a.Pod {
			switches++
		}
		last = a.Pod
		if _, known := debut[a.Pod]; !known {
			debut[a.Pod] = a.Done
			order = append(order, a.Pod)
			continue
		}
		at := slices.Index(order, a.Pod)
		if at+1 < len(order) {
			if next := debut[order[at+1]]; a.Sent.After(next) {
				both = max(both, a.Done.Sub(next))
			}
		}
	}
	return switches, both
}

// strays are the requests that missed the new pod once there was one.
func strays(answers, failures []Record, old string) (n int, last time.Duration) {
	debut := time.Time{}
	for _, a := range answers {
		if a.Pod != old {
			debut = a.Done
			break
		}
	}
	if debut.IsZero() {
		return 0, 0
	}
	for _, r := range slices.Concat(answers, failures) {
		if r.Sent.After(debut) && (r.Error != "" || r.Pod == old) {
			n++
			last = max(last, r.Sent.Sub(debut))
		}
	}
	return n, last
}

// fate tells what became of the kept connection, in words for a table.
func fate(records []Record, begin, end time.Time) string {
	slices.SortFunc(records, func(a, b Record) int { return cmp.Or(cmp.Compare(a.Stream, b.Stream), a.Done.Compare(b.Done)) })
	if len(records) == 0 {
		return "silent from the start, not closed"
	}
	first := records[0].Stream
	var lastAnswer time.Time
	for _, r := range records {
		switch {
		case r.Stream == first && r.Error == "":
			lastAnswer = r.Done
		case r.Stream == first:
			return fmt.Sprintf("closed after %.1f s", r.Done.Sub(begin).Seconds())
		}
	}
	if end.Sub(lastAnswer) > 2*patience {
		return fmt.Sprintf("silent from %.1f s, never closed", max(0, lastAnswer.Sub(begin)).Seconds())
	}
	return "stayed"
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
