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
	if err := Write(&out, Facts{Date: "2026-11-23", Commit: "abc"}, results); err != nil {
		t.Fatal(err)
	}
	want := "| `kubectl delete pod` | 3 | 41.6 s | **2.0 s** (3.0 s) | 2.0 s (3.0 s), the last one after 0.00 s | 10 % | never | moves after 0.20 s (0.30 s) | closed |"
	if !strings.Contains(out.String(), want) {
		t.Errorf("no line %q in\n%s", want, out.String())
	}
}
