package yardstick

import "time"

// ledger keeps who acts, by one reading of what acting is.
type ledger struct {
	acting  map[string]bool
	since   time.Time // when the number of those who act changed last
	led     bool      // somebody has acted
	gapFrom time.Time // nobody acts since then
	twoFrom time.Time // two act since then
	tally   Tally
}

// Tally is what a ledger counted. Two leaders at once for no time at all, as in
// a hand-over within one instant, are not counted.
type Tally struct {
	Leads    int
	Overlaps []time.Duration // each time that more than one acted
	Gaps     []time.Duration // each time that nobody did, after the first lead
	Led      time.Duration   // from the first lead to the end
	First    time.Duration   // until the first lead
	AtEnd    int             // who acted at the end
}

func newLedger(begun time.Time) *ledger {
	return &ledger{acting: map[string]bool{}, since: begun}
}

// set notes that someone acts or does not, and says whether that is new.
func (l *ledger) set(who string, yes bool) bool {
	if l.acting[who] == yes {
		return false
	}
	before, now := len(l.acting), time.Now()
	if yes {
		l.acting[who] = true
		l.tally.Leads++
	} else {
		delete(l.acting, who)
	}
	after := len(l.acting)
	if !l.led {
		l.led = true
		l.tally.First = now.Sub(l.since)
		l.since = now
		return true
	}
	switch {
	case before == 1 && after == 2:
		l.twoFrom = now
	case before == 2 && after == 1:
		if d := now.Sub(l.twoFrom); d > 0 {
			l.tally.Overlaps = append(l.tally.Overlaps, d)
		}
	case before == 1 && after == 0:
		l.gapFrom = now
	case before == 0 && after == 1:
		if d := now.Sub(l.gapFrom); d > 0 {
			l.tally.Gaps = append(l.tally.Gaps, d)
		}
	}
	return true
}

// close ends the count.
func (l *ledger) close(now time.Time) *Tally {
	t := l.tally
	t.AtEnd = len(l.acting)
	switch {
	case t.AtEnd == 0 && l.led:
		t.Gaps = append(t.Gaps, now.Sub(l.gapFrom))
	case t.AtEnd > 1:
		t.Overlaps = append(t.Overlaps, now.Sub(l.twoFrom))
	}
	if l.led {
		t.Led = now.Sub(l.since)
	}
	return &t
}
