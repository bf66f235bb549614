package fault

import (
	"strings"
	"testing"

	"github.com/leader-elector/leader-elector/internal/page"
	"github.com/leader-elector/leader-elector/test/e2e/workload"
)

func TestTheStepsOfTheDocumentAreWhatItsReaderSees(t *testing.T) {
	blocks, err := page.Typed("../../..", moving)
	if err != nil {
		t.Fatal(err)
	}
	script := page.Script(steps(blocks))
	for _, want := range []string{"--namespace=music\n", "deploy/endpointslice\n", "switchover-to=", "rollout status"} {
		if !strings.Contains(script, want) {
			t.Errorf("no %q in the steps; the trial means nothing without it", want)
		}
	}
	if strings.Contains(script, "deploy/readiness") {
		t.Errorf("what the trial has put there is in the steps:\n%s", script)
	}
}

func TestAPlainRunTriesEachFormAndAHandOver(t *testing.T) {
	for _, form := range workload.Forms {
		var names []string
		for _, f := range All {
			if strings.Contains(f.Brief, form.Name) && f.In(form.Name) {
				names = append(names, f.Name)
			}
		}
		want := "delete app-killed cut"
		if form.Name == "c" {
			want = "delete step-down app-killed cut"
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("form %s: %s, want %s", form.Name, got, want)
		}
	}
}
