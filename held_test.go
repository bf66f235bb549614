package elector_test

import (
	"context"
	"errors"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

func TestEachConfirmedRenewalMovesTheEndOfTrust(t *testing.T) {
	t.Parallel()
	ns := testplane.Get(t).Namespace(t)
	leader := make(chan context.Context, 1)
	r := &recorder{leads: func(ctx context.Context) error { leader <- ctx; return nil }}
	a := followed(t, ns, "a", r, nil)
	ctx := <-leader
	last, moved := elector.Trusted(ctx)
	for range 2 {
		if now := elector.BootTime(); last <= now || last > now+4*time.Second {
			t.Errorf("trust ends at %v of the boot clock, which shows %v; the ttl is 4s", last, now)
		}
		select {
		case <-moved:
		case <-time.After(20 * time.Second):
			t.Fatal("no renewal moved the end of trust")
		}
		before := last
		if last, moved = elector.Trusted(ctx); last <= before {
			t.Errorf("a renewal moved the end of trust from %v to %v", before, last)
		}
	}
	elector.GiveUp(ctx, errors.New("enough"))
	<-ctx.Done()
	if after, _ := elector.Trusted(ctx); after < last {
		t.Errorf("the end of the lead moved the end of trust back, from %v to %v", last, after)
	}
	a.stop()
	<-a.ended
	elector.GiveUp(ctx, nil) // of a lead that is over, and after Run
	if until, moved := elector.Trusted(t.Context()); until != 0 || moved != nil {
		t.Error("a context without a lead is trusted")
	}
}
