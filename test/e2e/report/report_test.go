package report

import (
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/fault"
	"github.com/leader-elector/leader-elector/test/e2e/listener"
)

func TestTheReportShowsMedianAndWorstBesideTheBaseline(t *testing.T) {
	var results []fault.Result
	for _, s := range []time.Duration{3, 1, 2} {
		results = append(results, fault.Result{Fault: "delete", Form: "b",
			Heard: listener.Hearing{Requests: 100, Failed: 10, Silence: s * time.Second, Heavy: s * time.Second, Stream: "closed after 0.1 s"},
			Lead:  listener.Leaders{Took: 100 * s * time.Millisecond}})
	}
	var out strings.Builder
	if err := Write(&out, Facts{Date: "2026-11-23"}, results); err != nil {
		t.Fatal(err)
	}
	want := "| `kubectl delete pod` | 3 | 41.6 s | **2.0 s** (3.0 s) | 2.0 s (3.0 s), the last one after 0.00 s | 10 % | never | moves after 0.20 s (0.30 s) | closed |"
	if !strings.Contains(out.String(), want) {
		t.Errorf("no line %q in\n%s", want, out.String())
	}
}

func TestThePromisesAreHeldAgainstTheMedians(t *testing.T) {
	heard := func(name string, silence time.Duration, failed, stray int, problems ...string) fault.Result {
		return fault.Result{Fault: name, Form: "c", Problems: problems,
			Heard: listener.Hearing{Requests: 1000, Failed: failed, Silence: silence, Stray: stray}}
	}
	results := []fault.Result{
		heard("delete", 20*time.Millisecond, 0, 0), heard("delete", 30*time.Millisecond, 0, 0), heard("delete", 900*time.Millisecond, 7, 3),
		heard("step-down", 51*time.Millisecond, 0, 0),
		heard("app-killed", 100*time.Millisecond, 5, 0, "two pods led"),
		heard("cut", 10*time.Second, 2000, 0),
	}
	got := promises(results)
	for _, want := range []string{
		"| delete: **30 ms** (900 ms), 0 (7), at most 3, 0 ms (0 ms) | yes | not measured yet |",
		"| step-down: **51 ms** (51 ms), 0 (0), none | **no** |",
		"| app-killed: **100 ms** (100 ms), 5 (5), none | **no** |",
		"| cut: **10.0 s** (10.0 s), 2000 (2000), none | yes |",
		"| app frozen | at most 2.5 s | not measured yet | - |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestTrialsUnderChurnAreInATableOfTheirOwn(t *testing.T) {
	quiet := fault.Result{Fault: "delete", Form: "c", Heard: listener.Hearing{Silence: 10 * time.Millisecond}}
	busy := quiet
	busy.Churn, busy.Heard.Silence = true, 700*time.Millisecond
	var out strings.Builder
	if err := Write(&out, Facts{}, []fault.Result{quiet, busy}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 1 | **10 ms** (10 ms) |", "| 1 | **700 ms** (700 ms) |"} {
		if strings.Count(out.String(), want) != 1 {
			t.Errorf("%q is there %d times", want, strings.Count(out.String(), want))
		}
	}
}
