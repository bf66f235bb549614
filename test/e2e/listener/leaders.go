package listener

import (
	"fmt"
	"slices"
	"time"
)

// Leaders is what the pods' own answers tell.
type Leaders struct {
	// Lapsed is how long nobody said that he leads, at the longest: answers are
	// a twentieth of a second apart.
	Lapsed time.Duration `json:"lapsed"`
	// Took is the time from the fault to the first "I lead" of another pod; 0 if
	// the lead stayed where it was.
	Took time.Duration `json:"took,omitempty"`
	// Back is the time from the mending to the first "I lead" after it.
	Back time.Duration `json:"back,omitempty"`
	// Two names an instant at which two pods led by their own answers.
	Two string `json:"two,omitempty"`
}

// Reign judges the answers from the fault on. Before is who led then; mended
// may be zero.
func Reign(records []Record, begin, mended time.Time, before string) Leaders {
	var l Leaders
	byPod := map[string][]Record{}
	slices.SortFunc(records, func(a, b Record) int { return a.Sent.Compare(b.Sent) })
	last := begin
	for _, r := range records {
		byPod[r.Pod] = append(byPod[r.Pod], r)
		if !r.Leads || r.Done.Before(begin) {
			continue
		}
		l.Lapsed = max(l.Lapsed, r.Done.Sub(last))
		last = r.Done
		if l.Took == 0 && r.Pod != before {
			l.Took = r.Done.Sub(begin)
		}
		if l.Back == 0 && !mended.IsZero() && r.Sent.After(mended) {
			l.Back = r.Done.Sub(mended)
		}
	}
	for a, answers := range byPod {
		for b, others := range byPod {
			if a != b && l.Two == "" {
				l.Two = within(a, answers, b, others, begin)
			}
		}
	}
	return l
}

// within finds a "yes" of b that lies wholly between two "yes" of a that follow
// each other without a "no" or a failure: then both led at once. Anything less
// could be a lead that moved between the questions.
func within(a string, answers []Record, b string, others []Record, begin time.Time) string {
	for i := 1; i < len(answers); i++ {
		from, to := answers[i-1], answers[i]
		if !from.Leads || !to.Leads {
			continue
		}
		for _, o := range others {
			if o.Leads && o.Sent.After(from.Done) && o.Done.Before(to.Sent) {
				return fmt.Sprintf("%s said that it leads %v and %v after the fault, and %s between", a,
					from.Done.Sub(begin).Round(time.Millisecond), to.Sent.Sub(begin).Round(time.Millisecond), b)
			}
		}
	}
	return ""
}
