package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/leader-elector/leader-elector/test/controlplane"
)

// Limits of a sidecar that was asked 200 times a second through all faults.
// Its budget at rest is in docs/benchmarks.md.
const (
	maxPrivate = 24 << 10 // KiB
	maxFiles   = 100
)

// report is what a run showed.
type report struct {
	w       *world
	took    time.Duration
	faults  int
	leads   int
	moves   int
	led     time.Duration
	asked   int
	verdict verdict
}

// judge looks at all that was written down, once nothing moves any more.
func (w *world) judge() *report {
	r := &report{w: w, took: time.Since(w.begun)}
	w.referee.judgeNames()
	r.leads, r.moves, r.led, r.asked = w.referee.summary()
	r.verdict = w.history.check(3 * time.Minute)
	for _, fault := range r.verdict.faults {
		w.broken(fault)
	}
	if r.verdict.result != porcupine.Ok {
		path := w.file("history.html")
		if err := porcupine.VisualizePath(register, r.verdict.info, path); err != nil {
			path = err.Error()
		}
		w.broken(fmt.Sprintf("the lock's history is not that of a compare-and-swap register: %s; see %s", r.verdict.result, path))
	}
	for _, refused := range w.store.refused {
		w.broken("the store refused " + refused)
	}
	if w.rss > maxPrivate || w.files > maxFiles {
		w.broken(fmt.Sprintf("a sidecar has grown to %d KiB of private memory and %d open files", w.rss, w.files))
	}
	w.grep()
	r.faults = w.at
	return r
}

// grep looks for a panic or a data race in the sidecars' logs: after an exit code
// that was to be expected nobody would look there.
func (w *world) grep() {
	for _, c := range w.candidates {
		data, err := os.ReadFile(w.file("sidecar-" + c.id + ".log"))
		for _, bad := range []string{"panic:", "fatal error:", "DATA RACE"} {
			if err != nil || strings.Contains(string(data), bad) {
				w.broken(fmt.Sprintf("the log of %s has %q (%v)", c.id, bad, err))
			}
		}
	}
}

// markdown is the tables of what was seen.
func (r *report) markdown() string {
	w := r.w
	var b strings.Builder
	fmt.Fprintf(&b, "Seen %s on %s by `make chaos FAULTS=%d SEED=%d`, in %v: Kubernetes %s, ttl %v, three candidates.\n\n",
		time.Now().UTC().Format("2006-01-02"), machine(), w.faults, w.seed, r.took.Round(time.Second), controlplane.Version, ttl)
	fmt.Fprintf(&b, "| the judge | |\n| --- | --- |\n| violations | %d |\n| faults | %d |\n", len(w.violations), r.faults)
	fmt.Fprintf(&b, "| leads (terms), and how many went to another candidate | %d, %d |\n", r.leads, r.moves)
	fmt.Fprintf(&b, "| time with a provable leader | %.0f %% |\n", 100*r.led.Seconds()/r.took.Seconds())
	fmt.Fprintf(&b, "| questions answered to the referee | %d |\n", r.asked)
	fmt.Fprintf(&b, "| acts of the apps: by `run`, by file, told | %d, %d, %d, in %d terms |\n", w.deeds.by["a"], w.deeds.by["b"], w.deeds.by["c"], w.deeds.terms)
	fmt.Fprintf(&b, "| writes that the store took, and refused for a lower term | %d, %d |\n", w.store.taken, len(w.store.refused))
	fmt.Fprintf(&b, "| operations on the lock, how many of unknown outcome, and of those seen to be carried out | %d, %d, %d |\n", r.verdict.operations, r.verdict.unknown, r.verdict.carried)
	fmt.Fprintf(&b, "| … linearizable (porcupine) | %s, in %v |\n", r.verdict.result, r.verdict.took.Round(time.Millisecond))
	fmt.Fprintf(&b, "| the API's answers: 2xx, 401, 404, 409, 429, 5xx, none | %s |\n", w.tally.String())
	fmt.Fprintf(&b, "| most private memory of a sidecar, most open files | %.1f MiB, %d |\n", float64(w.rss)/1024, w.files)
	for _, what := range w.others() {
		fmt.Fprintf(&b, "| %s | %d |\n", what, w.counts[what])
	}
	b.WriteString("\n| fault | times |\n| --- | --- |\n")
	for _, k := range kinds {
		if !k.request {
			fmt.Fprintf(&b, "| %s | %d |\n", k.name, w.counts[k.name])
		}
	}
	b.WriteString("\n| beside the faults, asked for | times |\n| --- | --- |\n")
	for _, k := range kinds {
		if k.request {
			fmt.Fprintf(&b, "| %s | %d |\n", k.name, w.counts[k.name])
		}
	}
	return b.String()
}

// others are the counts that are no kinds.
func (w *world) others() (names []string) {
	for name := range w.counts {
		if !slices.ContainsFunc(kinds, func(k kind) bool { return k.name == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := func(least, most int) (n int) {
		for status, times := range t.status {
			if least <= status && status <= most {
				n += times
			}
		}
		return n
	}
	return fmt.Sprintf("%d, %d, %d, %d, %d, %d, %d", of(200, 299), of(401, 401), of(404, 404), of(409, 409), of(429, 429), of(500, 599), t.cutOff)
}

// The figures stand between these two lines of the page.
const (
	firstLine = "<!-- chaos -->\n<!-- Written by `make chaos OUT=docs/chaos.md`; do not edit. -->\n\n"
	lastLine  = "<!-- /chaos -->\n"
)

// into puts the figures into the page.
func (r *report) into(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page, err := replaceFigures(string(data), r.markdown())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(page), 0o644)
}

func replaceFigures(page, figures string) (string, error) {
	before, rest, ok := strings.Cut(page, firstLine)
	_, after, ok2 := strings.Cut(rest, lastLine)
	if !ok || !ok2 {
		return "", fmt.Errorf("it has no lines %q and %q", firstLine, lastLine)
	}
	return before + firstLine + figures + lastLine + after, nil
}

// machine says on what it was seen.
func machine() string {
	model := "unknown processor"
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%d cores %s, %s/%s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH)
}

func sortTerms(terms []uint64) { slices.Sort(terms) }
