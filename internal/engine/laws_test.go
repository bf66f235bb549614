package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// Most laws are kept by the dialogues in testdata, whose names begin with the
// law. Here are those that a dialogue cannot show.

func TestEveryLawHasItsTest(t *testing.T) {
	for _, law := range []string{"01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16", "17"} {
		files, err := filepath.Glob("testdata/law" + law + "-*.txt")
		if err != nil || len(files) == 0 {
			t.Errorf("no dialogue keeps law %s (%v)", law, err)
		}
	}
	text, err := os.ReadFile("doc.go")
	if err != nil || !strings.Contains(string(text), "17. Foreign candidates") {
		t.Errorf("doc.go does not name the laws: %v", err)
	}
}

// leader is a candidate b that leads since now, by version 41.
func leader(t *testing.T, now engine.Now) (*engine.Machine, engine.Record) {
	t.Helper()
	m := engine.New(engine.Config{ID: "b", Start: "sb", TTL: 15 * time.Second})
	read := actions[engine.Read](m.Step(now, engine.Tick{}))[0]
	free := engine.Record{UID: "u1", Version: 40, Duration: 15 * time.Second, Renewed: now.Wall.Add(-time.Minute)}
	free.Seal = &engine.Seal{Lock: "u1", Duration: free.Duration, Renewed: free.Renewed, Start: "sa", Nonce: "sa-1", Term: 7, Released: true}
	swap := actions[engine.Swap](m.Step(now, engine.Answer{Op: read.Op, Outcome: engine.OK, Record: free}))[0]
	rec := stored(swap, 41)
	if len(actions[engine.Lead](m.Step(now, engine.Answer{Op: swap.Op, Outcome: engine.OK, Record: rec}))) != 1 {
		t.Fatal("a confirmed acquisition did not lead")
	}
	m.Step(now, engine.Observation{Record: rec})
	return m, rec
}

func stored(s engine.Swap, v engine.Version) engine.Record {
	rec := s.Put
	rec.UID, rec.Version = s.On.UID, v
	return rec
}

func actions[A engine.Action](all []engine.Action) (found []A) {
	for _, a := range all {
		if one, ok := a.(A); ok {
			found = append(found, one)
		}
	}
	return found
}

func at(d time.Duration) engine.Now {
	return engine.Now{Boot: time.Hour + d, Wall: noon.Add(d)}
}

func TestLaw02_EverySealRepeatsItsRecordAndNoNonceRepeats(t *testing.T) {
	m, _ := leader(t, at(0))
	seen := map[string]bool{}
	version := engine.Version(41)
	for now := time.Duration(0); now < time.Minute; now += 100 * time.Millisecond {
		for _, s := range actions[engine.Swap](m.Step(at(now), engine.Tick{})) {
			p, seal := s.Put, s.Put.Seal
			if seal.Lock != "u1" || seal.Holder != p.Holder || seal.Duration != p.Duration || !seal.Acquired.Equal(p.Acquired) ||
				!seal.Renewed.Equal(p.Renewed) || seal.Transitions != p.Transitions || seal.Start != "sb" {
				t.Errorf("the seal %+v does not repeat %+v", seal, p)
			}
			if seen[seal.Nonce] {
				t.Errorf("the nonce %s is used twice", seal.Nonce)
			}
			seen[seal.Nonce] = true
			version++
			m.Step(at(now), engine.Answer{Op: s.Op, Outcome: engine.OK, Record: stored(s, version)})
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d renewals in a minute at ttl 15s", len(seen))
	}
}

func TestLaw07_AWallClockThatRanAheadEndsTrust(t *testing.T) {
	m, _ := leader(t, at(0))
	now := at(time.Second)
	if _, _, ok := m.Leads(now); !ok {
		t.Fatal("it does not lead")
	}
	now.Wall = now.Wall.Add(1500*time.Millisecond + 1) // the margin of 15 s
	if _, _, ok := m.Leads(now); ok {
		t.Error("the machine was stopped for 1.5 s that its boot clock does not know, and it leads on")
	}
	if v := m.View(now); v.Leading || v.Leader == "b" {
		t.Errorf("the view says %+v", v)
	}
	if len(actions[engine.StopLeading](m.Step(now, engine.Tick{}))) != 1 {
		t.Error("the next step does not end the lead")
	}
	behind := at(2 * time.Second)
	m, _ = leader(t, at(0))
	behind.Wall = behind.Wall.Add(-time.Hour)
	if _, _, ok := m.Leads(behind); !ok {
		t.Error("a wall clock that was set back ended the lead")
	}
}

func TestLaw12_AReadThatNewerNewsOvertookIsIgnored(t *testing.T) {
	m := engine.New(engine.Config{ID: "b", Start: "sb", TTL: 15 * time.Second})
	read := actions[engine.Read](m.Step(at(0), engine.Tick{}))[0]
	newer := engine.Record{UID: "u1", Version: 50, Holder: "x", Duration: 15 * time.Second}
	m.Step(at(0), engine.Observation{Record: newer})
	older := newer
	older.Version, older.Holder = 45, "y"
	if reports := actions[engine.Report](m.Step(at(0), engine.Answer{Op: read.Op, Outcome: engine.OK, Record: older})); len(reports) > 0 {
		t.Errorf("an overtaken read is reported: %v", reports)
	}
	if v := m.View(at(0)); v.Leader != "x" {
		t.Errorf("an overtaken read replaced newer news: %+v", v)
	}
}

func TestLaw17_EveryWriteIsInASecondOfItsOwn(t *testing.T) {
	m, rec := leader(t, at(0))
	before := rec.Renewed
	// The offer is written 100 ms after the acquisition.
	offer := actions[engine.Swap](m.Step(at(100*time.Millisecond), engine.HandOver{ID: 1, To: "c"}))[0]
	if d := offer.Put.Renewed.Sub(before); d < time.Second || d%time.Second != 0 {
		t.Errorf("the renew time went from %v to %v", before, offer.Put.Renewed)
	}
	// Where the wall clock is behind what the lock says, time still goes on.
	m = engine.New(engine.Config{ID: "b", Start: "sb", TTL: 15 * time.Second})
	read := actions[engine.Read](m.Step(at(0), engine.Tick{}))[0]
	ahead := engine.Record{UID: "u1", Version: 40, Duration: 15 * time.Second, Renewed: noon.Add(time.Hour + 300*time.Millisecond)}
	m.Step(at(0), engine.Answer{Op: read.Op, Outcome: engine.OK, Record: ahead})
	swap := actions[engine.Swap](m.Step(at(15*time.Second), engine.Tick{}))[0]
	if d := swap.Put.Renewed.Sub(ahead.Renewed); d < time.Second || d > 2*time.Second {
		t.Errorf("the renew time went from %v to %v", ahead.Renewed, swap.Put.Renewed)
	}
}

func TestAViewChangesNothing(t *testing.T) {
	m, _ := leader(t, at(0))
	first := m.View(at(time.Second))
	for d := time.Duration(0); d < 30*time.Second; d += time.Second {
		m.View(at(d))
		m.Leads(at(d))
	}
	if again := m.View(at(time.Second)); again != first {
		t.Errorf("the view was %+v and is %+v", first, again)
	}
}
