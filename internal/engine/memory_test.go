package engine

import (
	"fmt"
	"testing"
	"time"
)

// TestLaw16_WhatFailsForEverIsNotRememberedForEver looks inside: a Role that
// lacks a verb, or a webhook that is down, may last for months.
func TestLaw16_WhatFailsForEverIsNotRememberedForEver(t *testing.T) {
	held := Record{UID: "uid-1", Version: 40, Holder: "a", Duration: 15 * time.Second}
	for name, lock := range map[string]Answer{
		"swaps":   {Outcome: OK, Record: held},
		"creates": {Outcome: Absent},
	} {
		for _, outcome := range []Outcome{Refused, Unknown, Conflict} {
			t.Run(fmt.Sprintf("%s of outcome %d", name, outcome), func(t *testing.T) {
				m := New(Config{ID: "me", Start: "s1", TTL: 15 * time.Second})
				now := Now{Boot: time.Hour}
				acts := m.Step(now, Tick{})
				for writes := 0; writes < 1000; {
					ev := Event(Tick{})
					for _, a := range acts {
						switch r := a.(type) {
						case Read:
							lock.Op = r.Op
							ev = lock
						case Swap:
							writes++
							ev = Answer{Op: r.Op, Outcome: outcome}
						case Create:
							writes++
							ev = Answer{Op: r.Op, Outcome: outcome}
						}
					}
					now.Boot += time.Second
					acts = m.Step(now, ev)
				}
				if len(m.writes) > 2*maxUnknown || len(m.creates) > 2*maxUnknown {
					t.Errorf("%d writes and %d creations are remembered", len(m.writes), len(m.creates))
				}
			})
		}
	}
}
