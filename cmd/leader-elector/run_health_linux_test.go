package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// A standby has nothing to check; a command that runs and is not well gives the
// lead up, whether it fell ill or never got well.
func TestLaw13_ACommandThatIsNotWellGivesTheLeadUp(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
	folder := t.TempDir()
	file := filepath.Join(folder, "deeds")
	well := func(pod string) string { return filepath.Join(folder, "well-"+pod) }
	is := func(pod string) {
		if err := os.WriteFile(well(pod), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	is("a")
	checked := func(pod string) []string {
		return []string{"--health-check=file://" + well(pod), "--health-interval=20ms", "--health-start-wait=300ms", "--stop-grace=300ms"}
	}
	a := runs(t, p, c, places[0], file, stubborn, append(checked("a"), "--new-lock=immediate")...)
	first := a.acts(t, 0)
	c.Pod = "b"
	b := runs(t, p, c, places[0], file, stubborn, checked("b")...)
	eventually(t, "b knowing a", func() bool { return b.names("a") })
	if n := len(b.status(t).Health.Checks); n != 0 {
		t.Errorf("a standby shows %d checks; its command does not run", n)
	}
	if n := len(a.status(t).Health.Checks); n != 1 {
		t.Errorf("the leader shows %d checks", n)
	}

	if err := os.Remove(well("a")); err != nil {
		t.Fatal(err)
	}
	second := b.acts(t, first) // b never gets well …
	is("a")
	a.acts(t, second) // … so that it gives up too
	a.lives(t)
	b.lives(t)
	inOrder(t, deeds(t, file))
}
