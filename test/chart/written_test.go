package chart

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write anew what follows from other files")

// TestWhatIsWrittenFollowsTheProgramAndTheManifests: each flag is a value with
// the program's own words, type and choices; each Role is the shipped one.
func TestWhatIsWrittenFollowsTheProgramAndTheManifests(t *testing.T) {
	files, err := written()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if is, err := os.ReadFile(path); err != nil || string(is) != want {
			t.Errorf("%s is out of date (%v): write it with `go test . -update` in test/chart", path, err)
		}
	}
}
