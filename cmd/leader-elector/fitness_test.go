package main

import (
	"testing"

	elector "github.com/leader-elector/leader-elector"
)

func TestAnAppIsFitOnlyIfAllSaySo(t *testing.T) {
	e, err := elector.New(elector.Config{Election: "x", Namespace: "x", ID: "a", Server: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	f := &fitness{e: e}
	health, told := f.voice(), f.voice()
	for i, step := range []struct {
		say  func(bool, string)
		fit  bool
		want bool
	}{
		{told, false, false}, {health, true, false}, {health, false, false}, {told, true, false}, {health, true, true}, {told, false, false}, {told, true, true},
	} {
		step.say(step.fit, "why")
		if got := e.Status().Fit; got != step.want {
			t.Errorf("step %d: fit is %v, want %v", i, got, step.want)
		}
	}
}
