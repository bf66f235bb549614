package engine_test

import (
	"math"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

func TestLaw17_EveryWriteIsALaterWholeSecond(t *testing.T) {
	for name, ahead := range map[string]time.Duration{
		"the wall clock is right": 0, "it is an hour behind": -time.Hour, "it is set back meanwhile": -time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			s := leading(t)
			s.pass(time.Second)
			s.ahead = ahead
			for range 5 { // writes in quick succession
				s.step(engine.HandOver{ID: 1})
				s.pass(1100 * time.Millisecond)
			}
			s.step(engine.Stop{})
			s.appStops()
			for _, sw := range did[engine.Swap](s) {
				if later := sw.Put.Renewed.Sub(sw.On.Renewed); later < time.Second || sw.Put.Renewed.Nanosecond() != 0 {
					t.Errorf("renewed %v after %v", sw.Put.Renewed, sw.On.Renewed)
				}
			}
		})
	}
}

func TestLaw17_TheRenewTimeIsTheWallClockWhereThatIsLater(t *testing.T) {
	s := leading(t)
	s.mark()
	s.pass(6 * time.Second)
	sw := s.is(renewal, "in its time")
	if want := epoch.Add(s.sentAt).Truncate(time.Second); !sw.Put.Renewed.Equal(want) {
		t.Errorf("renewed at %v, want %v", sw.Put.Renewed, want)
	}
}

func TestLaw17_AFractionOfASecondIsRoundedUp(t *testing.T) {
	s := before(t, released("a", func(r *engine.Record) { r.Renewed = epoch.Add(time.Hour + 300*time.Millisecond) }))
	s.pass(time.Second)
	if got, want := did[engine.Swap](s)[0].Put.Renewed, epoch.Add(time.Hour+2*time.Second); !got.Equal(want) {
		t.Errorf("renewed at %v, want %v", got, want)
	}
}

func TestLaw17_ARenewTimeBeyondTheCalendarIsNotContinued(t *testing.T) {
	s := before(t, released("a", func(r *engine.Record) { r.Renewed = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }))
	s.pass(time.Second)
	if got := did[engine.Swap](s)[0].Put.Renewed; got.Year() > 9999 || got.Year() < 2030 {
		t.Errorf("renewed at %v, which no API server stores", got)
	}
}

func TestLaw17_AForeignHolderIsWaitedForLonger(t *testing.T) {
	s := before(t, foreign("x"))
	s.pass(time.Minute)
	s.swapsAt(trip+ttl+engine.ForeignSlack, "client-go acts for up to 7 s longer than its lease says")
}

func TestLaw17_TheForeignHoldersOwnDurationCounts(t *testing.T) {
	s := before(t, engine.Record{Holder: "x", Duration: 40 * time.Second})
	s.pass(time.Minute)
	s.swapsAt(trip+40*time.Second+engine.ForeignSlack, "it waits and acts by its own duration")
}

func TestLaw17_AForeignHolderWhoRenewsKeepsTheLock(t *testing.T) {
	s := before(t, foreign("x"))
	for i := range 60 {
		s.pass(10 * time.Second)
		s.edit(func(r *engine.Record) { r.Renewed = epoch.Add(time.Duration(i) * time.Second) })
	}
	none[engine.Swap](s, "over a live foreign holder")
	if v := s.m.View(s.now()); v.Leader != "x" || v.Term != 0 {
		t.Errorf("%+v", v)
	}
}

func TestLaw17_WhatIsNotOursIsCarriedBackToTheLock(t *testing.T) {
	s := before(t, released("a"))
	s.fate = held
	s.edit(func(r *engine.Record) { r.Object = "as it was read" })
	s.settle()
	if sw := last[engine.Swap](s); sw.On.Object != "as it was read" {
		t.Errorf("the swap carries %v", sw.On.Object)
	}
}

func TestLaw17_TransitionsCountAsTheApiDoes(t *testing.T) {
	for name, c := range map[string]struct {
		rec  engine.Record
		want int
	}{
		"another holder": {released("a"), 4},
		"never held":     {engine.Record{}, 1},
		"my predecessor": {ofMyPod("pod-1"), 3},
		"the greatest":   {released("a", func(r *engine.Record) { r.Transitions = math.MaxInt32 }), math.MaxInt32},
	} {
		s := before(t, c.rec, inPod)
		s.pass(20 * time.Second)
		if got := did[engine.Swap](s)[0].Put.Transitions; got != c.want {
			t.Errorf("%s: %d transitions, want %d", name, got, c.want)
		}
	}
	s := leading(t)
	s.pass(20 * time.Second)
	for _, sw := range did[engine.Swap](s) {
		if sw.Put.Transitions != 4 || !sw.Put.Acquired.Equal(epoch) {
			t.Errorf("a renewal says %d transitions, acquired %v", sw.Put.Transitions, sw.Put.Acquired)
		}
	}
}
