package main

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
)

func TestTwoLeadersAreOneThatLedBeforeAndAfterTheOtherDid(t *testing.T) {
	for _, c := range []struct {
		name     string
		answers  [][2]bool // of both, at each question
		led, two bool
	}{
		{"nobody", [][2]bool{{}, {}, {}}, false, false},
		{"one", [][2]bool{{true, false}, {true, false}, {true, false}}, true, false},
		{"the other", [][2]bool{{false, true}, {false, true}, {false, true}}, true, false},
		{"the lead moves between two answers", [][2]bool{{true, false}, {false, true}, {false, true}}, true, false},
		{"both at once", [][2]bool{{true, true}, {true, true}, {true, true}}, true, true},
	} {
		asked := 0
		led, two := round(func(i int) bool { asked++; return c.answers[asked-1][i] })
		if led != c.led || two != c.two {
			t.Errorf("%s: led %v, two %v; want %v, %v", c.name, led, two, c.led, c.two)
		}
	}
}

func TestRequestsAreCountedByRoleAndVerbInTheirNamespacesOnly(t *testing.T) {
	log := `{"verb":"update","user":{"username":"system:serviceaccount:x:a"},"objectRef":{"namespace":"x"}}
{"verb":"watch","user":{"username":"system:serviceaccount:x:b"},"objectRef":{"namespace":"x"}}
{"verb":"update","user":{"username":"system:serviceaccount:y:a"},"objectRef":{"namespace":"y"}}
{"verb":"update","user":{"username":"system:serviceaccount:x:a"},"objectRef":{"namespace":"x"}}
{"verb":"upd`
	got, err := countRequests(strings.NewReader(log), map[string]bool{"x": true})
	want := map[request]int{{verb: "update"}: 2, {standby: true, verb: "watch"}: 1}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestTheTableSaysWhatOursMissesAndKeepsItsOrder(t *testing.T) {
	ours, peer := &program{name: ourName}, &program{name: peerName}
	var r report
	r.add(size, ours, "7.9 MB", true)
	r.add(handover, peer, "1670 ms", false)
	r.add(handover, ours, "31 ms", false)
	r.add(start, peer, "20 ms", false)
	_, table, _ := strings.Cut(r.markdown(), "| --- | --- | --- | --- |\n")
	want := `| SIGTERM of the leader to the standby's own "I lead" | 31 ms | 1670 ms | p50 30 ms, worst 150 ms: **not met** |
| start of the program to "I lead" on a released lock | - | 20 ms | worst 100 ms: not measured |
| size of the program, stripped | 7.9 MB | - | 9 MB: met |
`
	if table != want {
		t.Errorf("got\n%s\nwant\n%s", table, want)
	}
}

func TestEveryFigureHasARow(t *testing.T) {
	for f, row := range rows {
		if row.what == "" || row.budget == "" {
			t.Errorf("figure %d has no row", f)
		}
	}
}

func TestASpreadIsInOneUnit(t *testing.T) {
	for want, all := range map[string][]time.Duration{
		"3 ms (1 to 4, n=3)":          {4 * time.Millisecond, time.Millisecond, 3 * time.Millisecond},
		"12.5 s (0.5 to 16.0, n=4)":   {16 * time.Second, 500 * time.Millisecond, 12 * time.Second, 13 * time.Second},
		"9999 ms (-20 to 9999, n=3)":  {9999 * time.Millisecond, -20 * time.Millisecond, 9999 * time.Millisecond},
		"12.9 s (11.1 to 14.9, n=3)":  {14900 * time.Millisecond, 11100 * time.Millisecond, 12900 * time.Millisecond},
		"1500 ms (1000 to 2000, n=2)": {time.Second, 2 * time.Second},
		"20.0 s (20.0 to 20.0, n=1)":  {20 * time.Second},
		"0 ms (0 to 0, n=1)":          {0},
		"10.0 s (0.1 to 10.0, n=3)":   {10 * time.Second, 10 * time.Second, 100 * time.Millisecond},
		"564 ms (41 to 564, n=3)":     {41 * time.Millisecond, 564 * time.Millisecond, 564 * time.Millisecond},
	} {
		if got := spread(all); got != want {
			t.Errorf("%v: %s, want %s", all, got, want)
		}
	}
}

func TestOnlyRefusesWhatIsNoSection(t *testing.T) {
	b := &bench{}
	if _, err := b.choose("idle,sigterm"); err == nil || !strings.Contains(err.Error(), `"sigterm"`) {
		t.Errorf("got %v", err)
	}
	stages, err := b.choose("outage,crash")
	var names []string
	for _, stage := range stages {
		for _, s := range stage {
			names = append(names, s.name)
		}
	}
	if err != nil || strings.Join(names, ",") != "crash,outage" {
		t.Errorf("got %v, %v", names, err)
	}
}

func TestTheFirstErrorEndsWhatRunsBesideIt(t *testing.T) {
	broken := errors.New("broken")
	err := together(t.Context(),
		func(context.Context) error { return broken },
		func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestNoTwoProcessesShareAnAddress(t *testing.T) {
	b := &bench{network: 7}
	seen := map[string]bool{}
	for range 1000 {
		address := b.address()
		if seen[address] {
			t.Fatalf("%s was given twice", address)
		}
		seen[address] = true
	}
	if !seen["127.7.4.1:4040"] {
		t.Error("the thousandth address is another")
	}
}
