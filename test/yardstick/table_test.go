package yardstick

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"
)

// table gathers what the schedules showed.
type table struct {
	seeds uint64
	rows  map[string]*row // by mix and kind
}

// row is one kind of candidate in one mix.
type row struct {
	sums   map[string]*Sum // by the word for acting
	writes Writes
}

func newTable(seeds uint64) *table { return &table{seeds: seeds, rows: map[string]*row{}} }

func key(m Mix, k Kind) string { return m.Name + "/" + k.Name }

func (t *table) add(m Mix, k Kind, seed uint64, r Result) {
	at := t.rows[key(m, k)]
	if at == nil {
		at = &row{sums: map[string]*Sum{}}
		for _, word := range []string{ByContext, BySlowApp, ByStopped, ByAsking} {
			at.sums[word] = &Sum{}
		}
		t.rows[key(m, k)] = at
	}
	for word, s := range at.sums {
		s.Add(seed, r.Ledgers[word])
	}
	at.writes.Early += r.Writes.Early
	at.writes.EarlySlow += r.Writes.EarlySlow
	at.writes.Wiped += r.Writes.Wiped
	at.writes.Fell += r.Writes.Fell
}

// violated counts the schedules in which an app that ends with its context
// acted beside another.
func (t *table) violated(kinds ...Kind) (n int) {
	for _, m := range Mixes {
		for _, k := range kinds {
			n += t.rows[key(m, k)].sums[ByContext].Violated
		}
	}
	return n
}

// column is one kind by one reading.
type column struct {
	title string
	kind  Kind
	word  string
}

func (t *table) markdown(took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s on %d cores %s, %s/%s, %s by `make yardstick SEEDS=%d` in %v: client-go %s.\n\n",
		time.Now().Format(time.DateOnly), runtime.NumCPU(), processor(), runtime.GOOS, runtime.GOARCH, runtime.Version(), t.seeds,
		took.Round(time.Second), version("k8s.io/client-go"))
	fmt.Fprintf(&b, "Two leaders at once, of %d schedules of %v each: in how many, for how long in all, and the worst.\n\n", t.seeds, length+quiet)
	t.write(&b, []column{
		{"client-go", clientGo, ByContext}, {"… release on cancel", clientGoRelease, ByContext}, {"… and no request time-out", clientGoUnbounded, ByContext},
		{"leader-elector", ours, ByContext},
	}, both)
	fmt.Fprintf(&b, "\nThe same with an app that needs %v to stop, and by the answers of `IsLeader()` and `Leads()`.\n\n", slowness)
	t.write(&b, []column{
		{"client-go, slow app", clientGo, BySlowApp}, {"… release on cancel", clientGoRelease, BySlowApp}, {"leader-elector, slow app", oursSlow, BySlowApp},
		{"client-go, asked", clientGo, ByAsking}, {"… release on cancel", clientGoRelease, ByAsking}, {"leader-elector, asked", ours, ByAsking},
	}, both)
	fmt.Fprintf(&b, "\nNo leader, after the first: median and longest, the share of the time, and leads in a schedule.\n\n")
	t.write(&b, []column{
		{"client-go", clientGo, ByContext}, {"… release on cancel", clientGoRelease, ByContext}, {"leader-elector", ours, ByContext},
	}, none)
	fmt.Fprintf(&b, "\nReleases that should not have been written, and leads whose term did not rise, in all mixes.\n\n"+
		"| | released before the app was told to stop | while the told app still stopped | over a successor that acted | terms that did not rise |\n| --- | --- | --- | --- | --- |\n")
	for _, k := range []Kind{clientGo, clientGoRelease, clientGoUnbounded, ours, oursSlow} {
		var w Writes
		for _, m := range Mixes {
			r := t.rows[key(m, k)].writes
			w.Early += r.Early
			w.EarlySlow += r.EarlySlow
			w.Wiped += r.Wiped
			w.Fell += r.Fell
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", k.Name, w.Early, w.EarlySlow, w.Wiped, w.Fell)
	}
	return b.String()
}

func (t *table) write(b *strings.Builder, columns []column, cell func(*Sum) string) {
	b.WriteString("| mix |")
	for _, c := range columns {
		b.WriteString(" " + c.title + " |")
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(columns)+1) + "\n")
	for _, m := range Mixes {
		fmt.Fprintf(b, "| %s |", m.Name)
		for _, c := range columns {
			fmt.Fprintf(b, " %s |", cell(t.rows[key(m, c.kind)].sums[c.word]))
		}
		b.WriteString("\n")
	}
}

// both is a cell about two leaders at once.
func both(s *Sum) string {
	if s.Violated == 0 {
		return "0"
	}
	return fmt.Sprintf("**%d**, %s, worst %.1f s", s.Violated, long(s.Both), s.Worst.Seconds())
}

// none is a cell about no leader.
func none(s *Sum) string {
	median, worst, all := s.Gap()
	if worst == 0 {
		return fmt.Sprintf("never, %.1f", float64(s.Leads)/float64(s.Schedules))
	}
	text := fmt.Sprintf("%s, %.1f s, %.1f %%, %.1f", short(median), worst.Seconds(), 100*all.Seconds()/s.Led.Seconds(), float64(s.Leads)/float64(s.Schedules))
	if s.Leaderless > 0 {
		text += fmt.Sprintf(" (nobody at the end of %d)", s.Leaderless)
	}
	return text
}

func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func long(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

// version of a module, by this one's go.mod: a test binary does not know it.
func version(module string) string {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		return "unknown"
	}
	_, after, _ := strings.Cut(string(text), "\t"+module+" ")
	line, _, _ := strings.Cut(after, "\n")
	return line
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(text), "model name\t: ")
	name, _, _ := strings.Cut(after, "\n")
	return name
}

// The marks in docs/yardstick.md, so that each table has its own writer.
const (
	begin = "<!-- client-go -->\n"
	end   = "<!-- /client-go -->\n"
)

// insert puts the text between its marks, or at the end of a page without them.
func insert(file, text string) error {
	page, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	head, rest, found := strings.Cut(string(page), begin)
	_, tail, closed := strings.Cut(rest, end)
	if found && !closed {
		return fmt.Errorf("%s has no mark %q", file, strings.TrimSpace(end))
	}
	text = "<!-- Written by `make yardstick`; do not edit. -->\n\n" + text
	return os.WriteFile(file, []byte(head+begin+text+end+tail), 0o644)
}
