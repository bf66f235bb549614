// Package report writes what the trials found into the project's documents.
package report

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/fault"
	"github.com/leader-elector/leader-elector/test/e2e/workload"
)

// baselines are leader-elector:0.5's silences on this testbed, in the
// reference's manifest, heard in the same way.
var baselines = map[string]string{
	"delete": "41.6 s", "app-killed": "6.9 s", "app-frozen": "never ends (43 s watched)",
	"sidecar-killed": "0.1 s", "cut": "12.4 s and 13.1 s", "second-cut": "never ends (98 s watched)",
}

// Facts are what the figures hold for.
type Facts struct {
	Date     string
	Machine  string
	Versions string
}

//go:embed failover.md.tmpl
var text string

// Write writes the document.
func Write(w io.Writer, facts Facts, results []fault.Result) error {
	t, err := template.New("failover.md").Parse(text)
	if err != nil {
		return err
	}
	tables := map[string]string{"promises": promises(results), "churn": ChurnTable(results), "m": Table(workload.Moving, results)}
	for _, form := range workload.Forms {
		tables[form.Name] = Table(form, results)
	}
	bad := 0
	for _, r := range results {
		if len(r.Problems) > 0 {
			bad++
		}
	}
	return t.Execute(w, map[string]any{"Facts": facts, "Tables": tables, "Trials": len(results), "Bad": bad, "Commits": commits(results)})
}

// commits says of which source the figures are: a matrix is made in parts.
func commits(results []fault.Result) string {
	forms := map[string][]string{}
	var order []string
	for _, r := range results {
		if forms[r.Commit] == nil {
			order = append(order, r.Commit)
		}
		if !slices.Contains(forms[r.Commit], r.Form) {
			forms[r.Commit] = append(forms[r.Commit], r.Form)
		}
	}
	for i, commit := range order {
		slices.Sort(forms[commit])
		order[i] = fmt.Sprintf("%s (%s)", commit, strings.Join(forms[commit], ", "))
	}
	return strings.Join(order, ", ")
}

// Table is the table of one form, in Markdown.
func Table(form workload.Form, results []fault.Result) string {
	if form.AllReady() || form.Name == workload.Moving.Name {
		return routedTable(form.Name, false, results)
	}
	var b strings.Builder
	b.WriteString("| fault | trials | silence of 0.5 | silence, median (worst) | requests fail for | failed | two pods answer | the lead | the kept connection |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, f := range fault.All {
		if of := pick(results, f.Name, form.Name, false); len(of) > 0 {
			b.WriteString(row(f, of))
		}
	}
	return b.String()
}

// pick takes the results of one fault in one form.
func pick(results []fault.Result, f, form string, churn bool) (of []fault.Result) {
	for _, r := range results {
		if r.Fault == f && r.Form == form && r.Churn == churn {
			of = append(of, r)
		}
	}
	return of
}

func row(f fault.Fault, of []fault.Result) string {
	old := baselines[f.Name]
	if old == "" {
		old = "-"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", f.Title, trials(of), old,
		silence(of), heavy(of), share(of), both(of), lead(f, of), streams(of))
}

func trials(of []fault.Result) string {
	trials := fmt.Sprint(len(of))
	if bad := troubled(of); bad > 0 {
		trials += fmt.Sprintf(", %d with problems", bad)
	}
	return trials
}

func troubled(of []fault.Result) (n int) {
	for _, r := range of {
		if len(r.Problems) > 0 {
			n++
		}
	}
	return n
}

func silence(of []fault.Result) string {
	lasting := 0
	for _, r := range of {
		if r.Heard.Lasting {
			lasting++
		}
	}
	m, w := spread(of, func(r fault.Result) time.Duration { return r.Heard.Silence })
	s := fmt.Sprintf("**%s** (%s)", seconds(m), seconds(w))
	if lasting > 0 {
		s += fmt.Sprintf(", in %d of %d to the end of the watch", lasting, len(of))
	}
	return s
}

func heavy(of []fault.Result) string {
	if !slices.ContainsFunc(of, func(r fault.Result) bool { return r.Heard.Failed > 0 }) {
		return "none fails"
	}
	m, w := spread(of, func(r fault.Result) time.Duration { return r.Heard.Heavy })
	_, last := spread(of, func(r fault.Result) time.Duration { return r.Heard.Unstable })
	return fmt.Sprintf("%s (%s), the last one after %s", seconds(m), seconds(w), seconds(last))
}

// both tells for how long an old pod answered beside the new one.
func both(of []fault.Result) string {
	m, w := spread(of, func(r fault.Result) time.Duration { return r.Heard.Both })
	if w == 0 {
		return "never"
	}
	return fmt.Sprintf("for %s (%s)", seconds(m), seconds(w))
}

func share(of []fault.Result) string {
	failed, all := 0, 0
	for _, r := range of {
		failed += r.Heard.Failed
		all += r.Heard.Requests
	}
	return fmt.Sprintf("%d %%", 100*failed/max(1, all))
}

// lead tells where the lead went. Answers are a twentieth of a second apart,
// so a lapse under half a second is none that can be seen.
func lead(f fault.Fault, of []fault.Result) string {
	moved, lapsed := 0, 0
	for _, r := range of {
		switch {
		case r.Lead.Took > 0:
			moved++
		case r.Lead.Lapsed > 500*time.Millisecond:
			lapsed++
		}
	}
	var parts []string
	if moved > 0 {
		m, w := spread(of, func(r fault.Result) time.Duration { return r.Lead.Took })
		parts = append(parts, fmt.Sprintf("moves after %s (%s)", seconds(m), seconds(w)))
	}
	if f.Outage && moved+lapsed > 0 {
		m, w := spread(of, func(r fault.Result) time.Duration { return r.Lead.Back })
		parts = append(parts, fmt.Sprintf("back %s (%s) after the end of it", seconds(m), seconds(w)))
	}
	if stayed := len(of) - moved - lapsed; stayed > 0 {
		parts = append(parts, times("stays", stayed, len(of)))
	}
	if lapsed > 0 {
		_, w := spread(of, func(r fault.Result) time.Duration { return r.Lead.Lapsed })
		parts = append(parts, times("lapses for at most "+seconds(w), lapsed, len(of)))
	}
	return strings.Join(parts, "; ")
}

func times(what string, n, of int) string {
	if n == of {
		return what
	}
	return fmt.Sprintf("%s (%d of %d)", what, n, of)
}

// streams lists the fates, without their times.
func streams(of []fault.Result) string {
	var kinds []string
	for _, r := range of {
		kind := "silent, never closed"
		if r.Heard.Stream == "stayed" {
			kind = "stays"
		} else if strings.HasPrefix(r.Heard.Stream, "closed") {
			kind = "closed"
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return strings.Join(kinds, " or ")
}

// spread is the median and the worst of a figure, of those that are not zero
// if any is not.
func spread(of []fault.Result, figure func(fault.Result) time.Duration) (median, worst time.Duration) {
	var all []time.Duration
	for _, r := range of {
		if d := figure(r); d > 0 {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2, all[len(all)-1]
}

func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
