package sim

// Shrink takes away from a schedule what its violation does not need: faults in
// ever smaller pieces, then the time that they last. What is left breaks the
// same invariant. It gives back the plan and what it shows.
func Shrink(p Plan) (Plan, Result) {
	best, shown := p, p.Play(false)
	if shown.Violation == "" {
		return p, shown
	}
	try := func(faults []Fault) bool {
		next := best
		next.Faults = faults
		r := next.Play(false)
		if r.Violation == "" || r.Broken != shown.Broken {
			return false
		}
		best, shown = next, r
		return true
	}
	for size := (len(best.Faults) + 1) / 2; size > 0; {
		removed := false
		for from := 0; from < len(best.Faults); {
			till := min(from+size, len(best.Faults))
			rest := append(append([]Fault(nil), best.Faults[:from]...), best.Faults[till:]...)
			if try(rest) {
				removed = true
			} else {
				from = till
			}
		}
		if !removed || size > 1 {
			if size == 1 {
				break
			}
			size /= 2
		}
	}
	for i := range best.Faults {
		for best.Faults[i].For > 1e6 {
			shorter := append([]Fault(nil), best.Faults...)
			shorter[i].For /= 2
			if !try(shorter) {
				break
			}
		}
	}
	return best, shown
}
