package elector

import (
	"math/rand/v2"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// look reads the clocks once. The wall clock loses its monotonic reading, so
// that a suspended machine shows as wall time running ahead of the boot clock.
func look() engine.Now {
	return engine.Now{
		Boot:   bootTime(),
		Wall:   time.Now().Round(0),
		Jitter: rand.Float64(),
	}
}
