package engine_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

// TestDialogues plays every dialogue in testdata: what happens to a candidate,
// and below each event, indented, what it asks for. A line may begin with a
// hash and say what goes on. The file's name begins with the law that it keeps.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := play(want)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is answered differently (go test ./internal/engine -update shows it as a diff):\n%s", file, got)
			}
		})
	}
}

// dialogue is one candidate and the lock as it was last seen or written.
type dialogue struct {
	machine *engine.Machine
	at      time.Duration
	last    engine.Record
	put     engine.Record // of the last swap or create
	accept  bool          // the last swap was an acceptance
	deaf    bool          // the watch does not bring what answers show
	out     bytes.Buffer
}

// noon is when every dialogue begins.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func play(script []byte) ([]byte, error) {
	d := &dialogue{}
	lines := bufio.NewScanner(bytes.NewReader(script))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if strings.HasPrefix(line, "        ") {
			continue // an old answer
		}
		fmt.Fprintln(&d.out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := d.line(line); err != nil {
			return nil, fmt.Errorf("line %d, %q: %w", n, line, err)
		}
	}
	return d.out.Bytes(), lines.Err()
}

func (d *dialogue) line(line string) error {
	if rest, ok := strings.CutPrefix(line, "candidate "); ok {
		return d.begin(strings.Fields(rest))
	}
	at, what, _ := strings.Cut(line, " ")
	span, err := time.ParseDuration(at)
	if err != nil {
		return err
	}
	if d.machine == nil || span < d.at {
		return fmt.Errorf("a dialogue begins with its candidate, and time does not fall")
	}
	d.at = span
	ev, err := d.event(strings.TrimSpace(what))
	if err != nil {
		return err
	}
	d.step(ev)
	if a, ok := ev.(engine.Answer); ok && a.Outcome == engine.OK && !d.deaf {
		d.step(engine.Observation{Record: a.Record})
	}
	return nil
}

func (d *dialogue) step(ev engine.Event) {
	for _, a := range d.machine.Step(d.now(), ev) {
		d.answer(a)
	}
}

func (d *dialogue) now() engine.Now {
	return engine.Now{Boot: time.Hour + d.at, Wall: noon.Add(d.at)}
}

// begin reads "b ttl=15s pod=P immediate". Unless it is deaf, the watch brings
// what an answer shows in the same instant.
func (d *dialogue) begin(words []string) error {
	cfg := engine.Config{ID: words[0], Start: "s" + words[0], TTL: 15 * time.Second}
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		var err error
		switch name {
		case "ttl":
			cfg.TTL, err = time.ParseDuration(value)
		case "pod":
			cfg.PodUID = value
		case "start":
			cfg.Start = value
		case "deaf":
			d.deaf = true
		case "immediate":
			cfg.Immediate = true
		default:
			err = fmt.Errorf("unknown word %q", w)
		}
		if err != nil {
			return err
		}
	}
	d.machine = engine.New(cfg)
	return nil
}

func (d *dialogue) event(text string) (engine.Event, error) {
	verb, rest, _ := strings.Cut(text, " ")
	switch verb {
	case "time":
		return engine.Tick{}, nil
	case "answer":
		op, what, _ := strings.Cut(rest, ": ")
		n, err := strconv.ParseUint(op, 10, 64)
		if err != nil {
			return nil, err
		}
		return d.reply(engine.Op(n), what)
	case "watch:":
		if rest == "nothing" {
			return engine.Observation{Deleted: true}, nil
		}
		if v, ok := strings.CutPrefix(rest, "deleted at "); ok {
			version, err := parseVersion(v)
			return engine.Observation{Deleted: true, Record: engine.Record{UID: d.last.UID, Version: version}}, err
		}
		rec, err := d.record(rest)
		return engine.Observation{Record: rec}, err
	case "watching":
		return engine.Watching{OK: rest != "is forbidden"}, nil
	case "fit":
		return engine.Fitness{Fit: true}, nil
	case "unfit:":
		return engine.Fitness{Reason: rest}, nil
	case "yield":
		return engine.Yield{Reason: "asked"}, nil
	case "stop":
		return engine.Stop{}, nil
	case "handover":
		return engine.HandOver{ID: 1, To: strings.TrimPrefix(rest, "to ")}, nil
	case "stopped":
		term, unsure := strings.CutSuffix(rest, " unconfirmed")
		n, err := strconv.ParseUint(term, 10, 64)
		return engine.Stopped{Term: engine.Term(n), Confirmed: !unsure}, err
	}
	return nil, fmt.Errorf("unknown event %q", verb)
}

// reply reads "unknown", "absent", "conflict", "refused retry 3s", "stored as
// v41" (the last write, as it was put), or a record.
func (d *dialogue) reply(op engine.Op, what string) (engine.Event, error) {
	a := engine.Answer{Op: op, Outcome: engine.OK}
	switch word, rest, _ := strings.Cut(what, " "); word {
	case "unknown":
		a.Outcome = engine.Unknown
	case "absent":
		a.Outcome = engine.Absent
	case "conflict":
		a.Outcome = engine.Conflict
	case "refused":
		a.Outcome = engine.Refused
		if after, ok := strings.CutPrefix(rest, "retry "); ok {
			var err error
			if a.RetryAfter, err = time.ParseDuration(after); err != nil {
				return nil, err
			}
		}
	default:
		rec, err := d.record(what)
		a.Record = rec
		return a, err
	}
	return a, nil
}

func parseVersion(s string) (engine.Version, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "v"), 10, 64)
	return engine.Version(n), err
}
