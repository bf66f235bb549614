package elector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	elector "github.com/leader-elector/leader-elector"
)

// link is one Follower of a chain; it writes down what it is told.
type link struct {
	name        string
	heard       *[]string
	leads, ends error
}

func (l link) Lead(context.Context, elector.Term) error {
	*l.heard = append(*l.heard, "lead "+l.name)
	return l.leads
}

func (l link) Stop(context.Context, elector.Reason) error {
	*l.heard = append(*l.heard, "stop "+l.name)
	return l.ends
}

func TestAChainStopsInReverse(t *testing.T) {
	cannot := errors.New("cannot")
	for _, c := range []struct {
		leads, ends error // of the one in the middle
		want        []string
	}{
		{nil, nil, []string{"lead a", "lead b", "lead c", "stop c", "stop b", "stop a"}},
		{cannot, nil, []string{"lead a", "lead b", "stop b", "stop a"}},
		{nil, cannot, []string{"lead a", "lead b", "lead c", "stop c", "stop b", "stop a"}},
	} {
		var heard []string
		chain := elector.Chain(link{name: "a", heard: &heard}, link{"b", &heard, c.leads, c.ends}, link{name: "c", heard: &heard})
		for turn := range 2 { // a later term begins anew
			heard = nil
			if err := chain.Lead(t.Context(), elector.Term(turn+1)); !errors.Is(err, c.leads) {
				t.Errorf("Lead returns %v, want %v", err, c.leads)
			}
			if err := chain.Stop(t.Context(), elector.ReasonLost); !errors.Is(err, c.ends) {
				t.Errorf("Stop returns %v, want %v", err, c.ends)
			}
			if !slices.Equal(heard, c.want) {
				t.Errorf("turn %d: %v", turn, fmt.Sprint(heard))
			}
		}
	}
}
