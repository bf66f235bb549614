package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/fault"
)

// routedTable is the table of a form whose traffic follows the sidecar's own
// writing. What is to be seen there is milliseconds and single requests.
func routedTable(form string, churn bool, results []fault.Result) string {
	var b strings.Builder
	b.WriteString("| fault | trials | silence, median (worst) | failed requests, median (worst) | astray, and the last after | two pods answer | another leads after | the kept connection |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, f := range fault.All {
		of := pick(results, f.Name, form, churn)
		if len(of) == 0 {
			continue
		}
		took := "stays"
		if m, w := middle(of, func(r fault.Result) time.Duration { return r.Lead.Took }); w > 0 {
			took = fmt.Sprintf("%s (%s)", short(m), short(w))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", f.Title, trials(of), quiet(of), failures(of), astray(of), bothShort(of), took, streams(of))
	}
	return b.String()
}

// ChurnTable is that of the trials in which other Services changed meanwhile.
func ChurnTable(results []fault.Result) string {
	var b strings.Builder
	for _, form := range []string{"c", "d"} {
		if slices.ContainsFunc(results, func(r fault.Result) bool { return r.Churn && r.Form == form }) {
			fmt.Fprintf(&b, "%s\n\n%s\n", map[string]string{"c": "EndpointSlice:", "d": "Label:"}[form], routedTable(form, true, results))
		}
	}
	if b.Len() == 0 {
		return "Not measured yet.\n"
	}
	return b.String()
}

// promise is what the recommended form must show.
type promise struct {
	faults []string
	title  string
	says   string
	// keeps judges the results of one fault.
	silence  time.Duration
	failures int // in the median; -1: not judged
}

var promised = []promise{
	{[]string{"step-down", "switchover"}, "step-down or switch by hand", "at most 50 ms, no failed request", 50 * time.Millisecond, 0},
	{[]string{"delete", "drain", "rollout"}, "delete pod, drain, rolling update", "at most 100 ms, no failed request in the median", 100 * time.Millisecond, 0},
	{[]string{"app-killed"}, "app killed", "at most 400 ms", 400 * time.Millisecond, -1},
	{[]string{"app-frozen"}, "app frozen", "at most 2.5 s", 2500 * time.Millisecond, -1},
	{[]string{"cut", "second-cut", "power"}, "node cut off, or its power pulled", "at most 11 s, and then not one request to the lost node", 11 * time.Second, -1},
}

// promises holds the medians of the forms c and d against what was promised of c.
func promises(results []fault.Result) string {
	var b strings.Builder
	b.WriteString("| fault | promised | EndpointSlice: silence, failed, astray | kept | label: silence, failed, astray |\n| --- | --- | --- | --- | --- |\n")
	for _, p := range promised {
		c, kept := p.shown("c", results)
		d, _ := p.shown("d", results)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", p.title, p.says, c, kept, d)
	}
	return b.String()
}

// shown tells the figures of each of the promise's faults in a form, and
// whether they keep it.
func (p promise) shown(form string, results []fault.Result) (figures, kept string) {
	var each []string
	kept = "yes"
	for _, name := range p.faults {
		of := pick(results, name, form, false)
		if len(of) == 0 {
			continue
		}
		each = append(each, fmt.Sprintf("%s: %s, %s, %s", name, quiet(of), failures(of), astray(of)))
		m, _ := middle(of, func(r fault.Result) time.Duration { return r.Heard.Silence })
		stray, _ := middleOf(of, func(r fault.Result) int { return r.Heard.Stray })
		failed, _ := middleOf(of, func(r fault.Result) int { return r.Heard.Failed })
		if m > p.silence || stray > 0 || p.failures >= 0 && failed > p.failures || troubled(of) > 0 {
			kept = "**no**"
		}
	}
	if len(each) == 0 {
		return "not measured yet", "-"
	}
	return strings.Join(each, "; "), kept
}

func quiet(of []fault.Result) string {
	m, w := middle(of, func(r fault.Result) time.Duration { return r.Heard.Silence })
	return fmt.Sprintf("**%s** (%s)", short(m), short(w))
}

func failures(of []fault.Result) string {
	m, w := middleOf(of, func(r fault.Result) int { return r.Heard.Failed })
	return fmt.Sprintf("%d (%d)", m, w)
}

func astray(of []fault.Result) string {
	_, n := middleOf(of, func(r fault.Result) int { return r.Heard.Stray })
	if n == 0 {
		return "none"
	}
	m, w := middle(of, func(r fault.Result) time.Duration { return r.Heard.Astray })
	return fmt.Sprintf("at most %d, %s (%s)", n, short(m), short(w))
}

func bothShort(of []fault.Result) string {
	m, w := middle(of, func(r fault.Result) time.Duration { return r.Heard.Both })
	if w == 0 {
		return "never"
	}
	return fmt.Sprintf("for %s (%s)", short(m), short(w))
}

// middle is the median and the worst, zeros and all.
func middle(of []fault.Result, figure func(fault.Result) time.Duration) (median, worst time.Duration) {
	m, w := middleOf(of, func(r fault.Result) int { return int(figure(r)) })
	return time.Duration(m), time.Duration(w)
}

func middleOf(of []fault.Result, figure func(fault.Result) int) (median, worst int) {
	var all []int
	for _, r := range of {
		all = append(all, figure(r))
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2, all[len(all)-1]
}

// short is a time in milliseconds, or in seconds from one second on.
func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
