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

// report collects figures in the order in which they are first added.
type report struct {
	mu   sync.Mutex
	rows []*row
}

type row struct {
	what, budget string
	of           map[string]string // by program
	met          bool
}

// add notes a figure. Only ours is held against the budget.
func (r *report) add(what, budget string, p *program, figure string, met bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	progress("  %s: %s: %s", p.name, what, figure)
	i := slices.IndexFunc(r.rows, func(x *row) bool { return x.what == what })
	if i < 0 {
		r.rows = append(r.rows, &row{what: what, budget: budget, of: map[string]string{}})
		i = len(r.rows) - 1
	}
	r.rows[i].of[p.name] = figure
	if p.name == "leader-elector" {
		r.rows[i].met = met
	}
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s on %s by `make bench`: Kubernetes %s, client-go v0.37.2 at 15 s / 10 s / 2 s with release on cancel, ttl 15 s; median (least to greatest).\n\n",
		time.Now().UTC().Format("2006-01-02"), machine(), controlplane.Version)
	b.WriteString("| | leader-elector | client-go | budget |\n| --- | --- | --- | --- |\n")
	for _, x := range r.rows {
		met := "met"
		if !x.met {
			met = "**not met**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s: %s |\n", x.what, dash(x.of["leader-elector"]), dash(x.of["client-go"]), x.budget, met)
	}
	return b.String()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

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

func sorted(all []time.Duration) []time.Duration {
	s := slices.Clone(all)
	slices.Sort(s)
	return s
}

func median(all []time.Duration) time.Duration {
	s := sorted(all)
	if len(s)%2 == 0 {
		return (s[len(s)/2-1] + s[len(s)/2]) / 2
	}
	return s[len(s)/2]
}

func worst(all []time.Duration) time.Duration { return slices.Max(all) }

// spread is the median, the least and the greatest.
func spread(all []time.Duration, unit time.Duration) string {
	show := func(d time.Duration) string {
		if unit == time.Millisecond && worst(all) < 10*time.Second {
			return fmt.Sprintf("%d", d.Milliseconds())
		}
		return fmt.Sprintf("%.1f", d.Seconds())
	}
	name := "s"
	if unit == time.Millisecond && worst(all) < 10*time.Second {
		name = "ms"
	}
	return fmt.Sprintf("%s %s (%s to %s, n=%d)", show(median(all)), name, show(slices.Min(all)), show(worst(all)), len(all))
}
