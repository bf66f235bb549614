package engine_test

import (
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

func TestLaw10_AMissingLockGetsATombstoneAndThenPatience(t *testing.T) {
	s := curtain(t)
	s.open()
	s.pass(time.Minute)
	s.reports(engine.LockMissing, "15s later")
	created := firstAt[engine.Create](s) + trip // when its answer was decoded
	s.swapsAt(created+ttl, "a leader of a deleted lock may still act")
	s.leads(true, "nobody else is there")
	if len(did[engine.Create](s)) != 1 || last[engine.Lead](s).Term != 40 {
		t.Errorf("%+v, term %v", did[engine.Create](s), last[engine.Lead](s).Term)
	}
}

func TestLaw10_ATombstoneIsShownAsNobody(t *testing.T) {
	s := before(t, tombstone())
	s.pass(time.Second)
	if v := s.m.View(s.now()); v.Leader != "" || v.HolderExpired || v.Waiting == "" {
		t.Errorf("%+v", v)
	}
	none[engine.Announce](s, "of a placeholder")
}

func TestLaw10_TheTombstoneCarriesTheLongestDurationKnown(t *testing.T) {
	s := before(t, sealed("a", func(r *engine.Record) { r.Duration = 40 * time.Second }))
	s.pass(time.Second)
	s.delete()
	s.pass(time.Second)
	if put := last[engine.Create](s).Put; put.Duration != 40*time.Second {
		t.Errorf("the tombstone's duration is %v", put.Duration)
	}
	created := firstAt[engine.Create](s) + trip
	s.pass(time.Minute)
	s.swapsAt(created+40*time.Second, "the deleted lock's leader counts on 40s")
}

func TestLaw10_ADeletionIsReadBeforeTheTombstone(t *testing.T) {
	s := waiting(t)
	s.fate = held
	s.delete()
	s.pass(time.Millisecond)
	none[engine.Create](s, "before a consistent read")
	last[engine.Read](s)
}

func TestLaw10_ADeletedForeignLocksHolderHasItsSevenSeconds(t *testing.T) {
	s := before(t, foreign("x"))
	s.pass(time.Second)
	s.delete()
	s.pass(time.Minute)
	s.swapsAt(firstAt[engine.Create](s)+trip+ttl+7*time.Second, "the foreign leader of the deleted lock may still act")
}

func TestLaw10_AConflictOnCreateIsLaw4Too(t *testing.T) {
	s := curtain(t)
	s.fate = held
	s.open()
	s.settle() // absent
	s.uids = 1
	s.store(tombstone())
	s.mark()
	s.answer(engine.Answer{Outcome: engine.Conflict})
	last[engine.Read](s)
	s.fate = served
	read := s.at + trip
	s.pass(time.Minute)
	none[engine.Create](s, "the lock exists")
	s.swapsAt(firstAt[engine.Swap](s), "")
	if at := firstAt[engine.Swap](s); at < read+ttl-trip || at > read+ttl {
		t.Errorf("swapped at %v, the tombstone of somebody else was seen about %v", at, read)
	}
}

func TestLaw10_ACreationOfUnknownOutcomeIsRead(t *testing.T) {
	s := curtain(t)
	s.fate, s.blind = held, true
	s.open()
	s.settle() // absent
	s.commit()
	s.mark()
	s.answer(engine.Answer{Outcome: engine.Unknown})
	last[engine.Read](s)
	s.fate = served
	s.pass(time.Minute)
	none[engine.Create](s, "the read shows my tombstone")
	s.swapsAt(trip+ttl, "counted from the read")
}

func TestLaw10_ImmediateTakesItsOwnTombstoneAtOnce(t *testing.T) {
	s := curtain(t, immediate)
	s.open()
	s.pass(time.Second)
	s.swapsAt(2*trip, "the first install needs no patience")
	if sw := did[engine.Swap](s)[0]; sw.On.Version != 40 || sw.On.Tombstone != last[engine.Create](s).Put.Tombstone {
		t.Errorf("%+v is not a swap on exactly my own tombstone", sw.On)
	}
	s.leads(true, "a first install")
}

func TestLaw10_ImmediateTakesNobodyElsesTombstone(t *testing.T) {
	s := curtain(t, immediate)
	s.fate = held
	s.open()
	s.settle() // absent
	s.uids = 1
	s.store(tombstone())
	s.answer(engine.Answer{Outcome: engine.Conflict})
	s.fate = served
	s.pass(ttl - time.Second)
	none[engine.Swap](s, "on the tombstone of somebody else")
}

func TestLaw10_ImmediateConcernsOnlyTheFirstRead(t *testing.T) {
	for name, rec := range map[string]engine.Record{"held": sealed("a"), "free": released("a")} {
		t.Run(name, func(t *testing.T) {
			s := before(t, rec, immediate)
			s.fate = held
			s.settle() // the first read shows it
			if s.request != nil {
				s.answer(engine.Answer{Outcome: engine.Refused})
			}
			s.delete()
			s.fate, s.request = served, nil
			s.pass(time.Second)
			s.mark()
			s.pass(ttl - 2*time.Second)
			none[engine.Swap](s, "the lock existed when this process first looked")
		})
	}
}

func TestLaw10_ImmediateIsNotForAPredecessorsTombstone(t *testing.T) {
	s := before(t, tombstone(), immediate)
	s.pass(ttl - time.Second)
	none[engine.Swap](s, "the lock was not missing at the first read")
}

func TestLaw10_WritesCarryUIDAndVersion(t *testing.T) {
	s := leading(t)
	s.pass(20 * time.Second)
	s.step(engine.Stop{})
	s.appStops()
	for _, sw := range did[engine.Swap](s) {
		if sw.On.UID == "" || sw.On.Version == 0 {
			t.Errorf("%+v has no uid or version", sw.On)
		}
	}
}

func TestLaw10_WhoIsNotFitCreatesNothing(t *testing.T) {
	s := curtain(t)
	s.fate = held
	s.open()
	s.step(engine.Fitness{Reason: "sick"})
	s.settle()
	none[engine.Create](s, "it does not campaign")
	s.step(engine.Fitness{Fit: true})
	last[engine.Create](s)
}

func TestLaw10_ImmediateIsOverWhenTheLockWasSeen(t *testing.T) {
	s := curtain(t, immediate)
	s.open()
	s.pass(time.Second)
	s.put(sealed("b")) // a successor leads
	s.pass(time.Second)
	s.ended(engine.Lost)
	s.appStops()
	s.mark()
	s.delete()
	s.pass(ttl - time.Second)
	last[engine.Create](s)
	none[engine.Swap](s, "the lock's leader may still act")
}

func TestLaw10_ImmediateIsNotForALockThatTheWatchShowedFirst(t *testing.T) {
	s := before(t, sealed("a"), immediate)
	s.fate = held
	s.step(engine.Observation{Record: *s.lock})
	s.delete()
	s.fate = served
	s.pass(ttl - time.Second)
	last[engine.Create](s)
	none[engine.Swap](s, "the deleted lock's leader may still act")
}

func TestLaw10_TheSevenSecondsOfAForeignHolderOutliveAnUnseenDeletion(t *testing.T) {
	for name, rec := range map[string]engine.Record{"a tombstone": tombstone(), "an empty record": {Duration: time.Second}} {
		t.Run(name, func(t *testing.T) {
			s := before(t, foreign("x"))
			s.pass(time.Second)
			s.put(rec)
			s.pass(time.Millisecond)
			seen := s.at
			s.pass(time.Minute)
			s.swapsAt(seen+ttl+7*time.Second, "the foreign leader may still act")
		})
	}
}

func TestLaw10_TheSevenSecondsOutliveALaggingWatch(t *testing.T) {
	s := before(t, foreign("x"))
	s.pass(time.Second)
	old := *s.lock
	s.delete()
	s.queue = nil
	s.fate = held
	s.step(engine.Observation{Deleted: true})
	s.settle() // absent
	s.step(engine.Observation{Record: old})
	s.settle() // created
	created := s.at
	s.fate = served
	s.pass(time.Minute)
	s.swapsAt(created+ttl+7*time.Second, "the foreign leader may still act")
}
