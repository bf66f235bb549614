package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The test binary is the apps of the candidates too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "actor" {
		if err := actor(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// The same as `make chaos`, with a handful of faults.
func TestUnderRealFaultsNoLawIsBroken(t *testing.T) {
	dir, err := os.MkdirTemp("", "leader-elector-chaos-") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	sidecar, err := build(t.Context(), filepath.Join(dir, "leader-elector"))
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := newWorld(options{sidecar: sidecar, self: self, faults: 8, seed: 5, gap: 500 * time.Millisecond, dir: dir, out: &out})
	r, err := w.run(t.Context())
	if err != nil || len(w.violations) > 0 {
		t.Fatalf("%v, %d violations; the logs of all processes are in %s\n%s", err, len(w.violations), dir, &out)
	}
	if r.faults != 8 || r.leads == 0 || w.deeds.acts == 0 || w.store.taken == 0 || r.verdict.operations == 0 {
		t.Errorf("the judge has not seen what it is to judge:\n%s", r.markdown())
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

func TestASeedIsAPlanAndEveryKindOccurs(t *testing.T) {
	one, two, other := plan(7, 500, time.Second), plan(7, 500, time.Second), plan(8, 500, time.Second)
	if fmt.Sprint(one) != fmt.Sprint(two) || fmt.Sprint(one) == fmt.Sprint(other) {
		t.Error("a seed does not give one plan, or two seeds give the same")
	}
	seen := map[string]int{}
	faults := 0
	for _, f := range one {
		seen[f.kind.name]++
		if !f.kind.request {
			faults++
		}
	}
	for _, k := range kinds {
		if seen[k.name] == 0 {
			t.Errorf("%q does not occur among 500 faults", k.name)
		}
	}
	if faults != 500 {
		t.Errorf("%d faults, want 500", faults)
	}
}

func TestTheLawsThatCanBeBrokenAreInTheSource(t *testing.T) {
	for law := range brokenLaws {
		if _, err := overlay(law, t.TempDir()); err != nil {
			t.Error(err)
		}
	}
	if _, err := overlay("gravity", t.TempDir()); err == nil {
		t.Error("a law that is none can be broken")
	}
}

func TestOnlyTheFiguresOfThePageAreReplaced(t *testing.T) {
	page, err := replaceFigures("# Chaos\n"+firstLine+"old\n"+lastLine+"\nmore\n", "new\n")
	if want := "# Chaos\n" + firstLine + "new\n" + lastLine + "\nmore\n"; err != nil || page != want {
		t.Errorf("got %q, %v", page, err)
	}
	if _, err := replaceFigures("# Chaos\n", "new\n"); err == nil {
		t.Error("a page without the two lines was taken")
	}
}
