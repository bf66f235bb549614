package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// figure is a row of the table. They are printed in this order, whichever was
// measured first.
type figure int

const (
	handover figure = iota
	start
	crash
	crashLate
	woken
	killedLast
	killedTwo
	killedBack
	frozenLast
	frozenTwo
	frozenBack
	idleAll
	idleStandby
	memoryLeader
	memoryStandby
	memoryLater
	size
	figures
)

// rows say what each figure is, and what ours may cost.
var rows = [figures]struct{ what, budget string }{
	handover:      {`SIGTERM of the leader to the standby's own "I lead"`, "p50 30 ms, worst 150 ms"},
	start:         {`start of the program to "I lead" on a released lock`, "worst 100 ms"},
	crash:         {`SIGKILL of the leader to the standby's "I lead"`, "worst 15.2 s"},
	crashLate:     {"… of which after its patience was over", "worst 100 ms"},
	woken:         {"frozen past its ttl and woken: its very first answers are not itself, and 503", "20 of 20"},
	killedLast:    {"API server killed for 60 s: the leader's last own name", "worst 15 s"},
	killedTwo:     {"… both of a pair answer their own name", "never"},
	killedBack:    {"… from its /readyz to a leader", "worst 2 s"},
	frozenLast:    {"API server frozen for 60 s: the leader's last own name", "worst 15 s"},
	frozenTwo:     {"… both of a pair answer their own name", "never"},
	frozenBack:    {"… from its /readyz to a leader", "worst 2 s"},
	idleAll:       {"an idle pair's requests to the API server", "0.25 per second"},
	idleStandby:   {"… of which the standby's, beside its watch", "none"},
	memoryLeader:  {"memory of the leader after two minutes", "12 MiB resident, 4 MiB private"},
	memoryStandby: {"memory of the standby after two minutes", "12 MiB resident, 4 MiB private"},
	memoryLater:   {"memory of the leader after 3600 probes in a row", "12 MiB resident, 4 MiB private"},
	size:          {"size of the program, stripped", "9 MB"},
}

// measured is what one program showed.
type measured struct {
	text string
	met  bool
}

// report collects figures, from several measurements at once.
type report struct {
	peerVersion string

	mu   sync.Mutex
	rows [figures]map[string]measured // by program
}

// add notes a figure. Only ours is held against the budget.
func (r *report) add(f figure, p *program, text string, met bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	progress("  %s: %s: %s", p.name, rows[f].what, text)
	if r.rows[f] == nil {
		r.rows[f] = map[string]measured{}
	}
	r.rows[f][p.name] = measured{text: text, met: met}
}

// markdown is the table of what was measured, and on what.
func (r *report) markdown() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s on %s by `make bench`: Kubernetes %s, client-go %s at 15 s / 10 s / 2 s with release on cancel, ttl 15 s; median (least to greatest).\n\n",
		time.Now().UTC().Format("2006-01-02"), machine(), controlplane.Version, r.peerVersion)
	b.WriteString("| | leader-elector | client-go | budget |\n| --- | --- | --- | --- |\n")
	for f, of := range r.rows {
		if of == nil {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s: %s |\n", rows[f].what, cell(of, ourName), cell(of, peerName), rows[f].budget, verdict(of))
	}
	return b.String()
}

func cell(of map[string]measured, name string) string {
	if m, ok := of[name]; ok {
		return m.text
	}
	return "-"
}

func verdict(of map[string]measured) string {
	switch ours, ok := of[ourName]; {
	case !ok:
		return "not measured"
	case ours.met:
		return "met"
	default:
		return "**not met**"
	}
}

// document is the page for docs: the table under a title, and how it was made.
func (r *report) document() string {
	return "# Benchmarks\n\n<!-- Written by `make bench OUT=docs/benchmarks.md`; do not edit. -->\n\n" + r.markdown() + method
}

const method = `
## How it is measured

Pairs of processes run against one kube-apiserver on the same machine, each process with the token of its own service account under the
shipped Role. Everything is asked from outside over HTTP; "I lead" is the 200 of the standby's own ` + "`/leader`" + `. The peer is a small program
around client-go's ` + "`tools/leaderelection`" + ` with the same two answers, started, stopped and asked by the same code in the same run.

- *SIGTERM* and *start* run one at a time, asked every millisecond on one connection; SIGTERM comes at a random moment of the peer's round.
- *SIGKILL*: patience is 15 s from the arrival of the last renewal at the bench's own watch of the lock.
- *Frozen*: the questions are sent on established connections while the process is stopped (SIGSTOP), after the standby leads.
- *API server away*: killed, or frozen with its connections open. Both of a pair are asked about every 20 ms; two leaders at one instant is
  an answer of one between two answers of the other, all three their own name. That ends the bench with an error if they are ours.
- *An idle pair* is asked ` + "`/leader`" + ` every second on a new connection, as a readinessProbe does. Requests are lines of the API server's
  audit log about Leases; private memory is RssAnon. Go collects no garbage before the heap reaches its 4 MB minimum, which takes minutes,
  so the leader is read once more after 3600 probes in a row. That is as many as an hour brings, but faster: slow ones may leave less.

client-go's answers are ` + "`GetLeader`" + ` and ` + "`IsLeader`" + `, what it offers to those who ask. They tell the last record that it saw, which does not
expire; so it can name itself through an outage, and beside its successor. Its callback ` + "`OnStoppedLeading`" + ` comes once renewing has failed for
10 s and the release was tried; no row here measures it.
`

// machine says on what the figures were measured.
func machine() string {
	model := "unknown processor"
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores %s, %s/%s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// median is the middle of all, which are at least one.
func median(all []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(all))
	if len(s)%2 == 0 {
		return (s[len(s)/2-1] + s[len(s)/2]) / 2
	}
	return s[len(s)/2]
}

func worst(all []time.Duration) time.Duration { return slices.Max(all) }

// spread is the median, the least and the greatest, all in one unit.
func spread(all []time.Duration) string {
	format, unit := func(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }, "ms"
	if worst(all) >= 10*time.Second {
		format, unit = func(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }, "s"
	}
	return fmt.Sprintf("%s %s (%s to %s, n=%d)", format(median(all)), unit, format(slices.Min(all)), format(worst(all)), len(all))
}
