package example

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/listener"
	"github.com/leader-elector/leader-elector/test/e2e/workload"
)

func TestThePipeThatIsTriedIsTheDocuments(t *testing.T) {
	text, err := os.ReadFile("../../../docs/inject.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "```sh\n"+pipe+"\nkubectl rollout status deployment/nginx\n```\n") {
		t.Errorf("docs/inject.md does not show %q", pipe)
	}
}

func TestASecondAddressAfterTheSwitchIsSeen(t *testing.T) {
	start := time.Now()
	moves := func(all ...string) (m []workload.Move) {
		for i, to := range all {
			m = append(m, workload.Move{At: start.Add(time.Duration(i) * 10 * time.Second), To: strings.Fields(to)})
		}
		return m
	}
	for what, m := range map[string][]workload.Move{"a second": moves("a b", "a", "a b"), "none": moves("a b", "a", ""), "never one": moves("a b")} {
		if moved(m) == nil {
			t.Errorf("%s is not seen", what)
		}
	}
	if err := moved(moves("a b", "a", "c")); err != nil {
		t.Error(err)
	}
	said := func(pod string, after time.Duration) listener.Record {
		return listener.Record{Pod: pod, Sent: start.Add(after), Done: start.Add(after)}
	}
	heard := []listener.Record{said("x", time.Second), said("y", 2*time.Second), said("y", 11*time.Second), said("x", 15*time.Second)}
	if err := alone(heard, moves("a b", "a", "c"), start.Add(30*time.Second)); err != nil {
		t.Error(err)
	}
	if alone(append(heard, said("y", 16*time.Second)), moves("a b", "a", "c"), start.Add(30*time.Second)) == nil {
		t.Error("a second pod that answers is not seen")
	}
}
