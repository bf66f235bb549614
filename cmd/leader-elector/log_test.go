package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// varying is what differs between two runs, and what stands for it. The length
// of a lead is left as it is in kind: a duration must be there.
var varying = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z`), "TIME"},
	{regexp.MustCompile(`https?://[\d.]+:\d+`), "SERVER"},
	{regexp.MustCompile(`127\.\d+\.\d+\.\d+:\d+`), "HTTP"},
	{regexp.MustCompile(`\bt-[a-z0-9]{10}\b`), "NAMESPACE"},
	{regexp.MustCompile(`((?:previous_led|nobody_led|led)"?[=:]"?)[\dhm.µs]+s\b`), "${1}DURATION"},
	{regexp.MustCompile(`(term"?[=:]"?)\d+`), "${1}TERM"},
	{regexp.MustCompile(`(version"?[=:])("[^"]+"|\S+)`), "${1}VERSION"},
}

// told is a log without what varies, and without the lines of a busy machine,
// whose API server may answer late.
func (k *process) told() string {
	var kept []string
	for line := range strings.Lines(k.log.String()) {
		if !strings.Contains(line, "concern") {
			kept = append(kept, line)
		}
	}
	text := strings.Join(kept, "")
	for _, v := range varying {
		text = v.what.ReplaceAllString(text, v.as)
	}
	return text
}

// golden holds a text against a file, which -update writes.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "log", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: the log says\n%s\nwant\n%s", name, got, want)
	}
}

// A hand-over is one line per change, with who, why, the term and how long.
func TestTheLogOfAHandOver(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			p := testplane.Get(t)
			c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
			a := launch(t, p, c, "--new-lock=immediate", "--log-format="+format)
			eventually(t, "a leading and ready", func() bool { return a.leads() && a.status(t).Ready })
			c.Pod = "b"
			b := launch(t, p, c, "--log-format="+format)
			eventually(t, "b knowing a", func() bool { code, _ := b.get("/standby"); return b.names("a") && code == 200 })
			if code, answer := a.stepDown(t, `{"to":"b"}`); code != 200 {
				t.Fatalf("a does not hand over: %d %+v", code, answer)
			}
			eventually(t, "b leading", b.leads)
			eventually(t, "a knowing b", func() bool { return a.names("b") })
			// The standby ends first: a leader that ends may or may not hear who
			// follows it.
			a.cmd.Process.Signal(syscall.SIGTERM)
			<-a.exited
			b.cmd.Process.Signal(syscall.SIGTERM)
			<-b.exited
			golden(t, "handover-a."+format, a.told())
			golden(t, "handover-b."+format, b.told())
		})
	}
}
