package elector

import (
	"context"
	"errors"
)

// Chain makes one Follower of several: Lead in the order given, Stop in the
// reverse order, so that what was begun last ends first. If one cannot begin,
// those after it are not asked to. Each Stop is called whatever the others
// return; they share Config.HandoverTimeout.
func Chain(followers ...Follower) Follower { return &chain{all: followers} }

type chain struct {
	all []Follower
	led int // so many of them were asked to lead
}

func (c *chain) Lead(ctx context.Context, term Term) error {
	for c.led = 0; c.led < len(c.all); {
		f := c.all[c.led]
		c.led++
		if err := f.Lead(ctx, term); err != nil {
			return err
		}
	}
	return nil
}

func (c *chain) Stop(ctx context.Context, why Reason) error {
	var faults []error
	for ; c.led > 0; c.led-- {
		faults = append(faults, c.all[c.led-1].Stop(ctx, why))
	}
	return errors.Join(faults...)
}
