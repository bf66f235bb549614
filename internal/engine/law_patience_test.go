package engine_test

import (
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// Each of these differs from what the seal says, as after a write by somebody
// who keeps our annotation.
var breaks = map[string]func(*engine.Record){
	"holder":      func(r *engine.Record) { r.Holder = "c" },
	"duration":    func(r *engine.Record) { r.Duration = 5 * time.Second },
	"acquired":    func(r *engine.Record) { r.Acquired = r.Acquired.Add(time.Second) },
	"renewed":     func(r *engine.Record) { r.Renewed = r.Renewed.Add(time.Second) },
	"transitions": func(r *engine.Record) { r.Transitions++ },
	"lock": func(r *engine.Record) {
		seal := *r.Seal
		seal.Lock = "the uid of another lock"
		r.Seal = &seal
	},
	"malformed": func(r *engine.Record) { r.Malformed = "the renew time is no time" },
}

func TestLaw02_EveryHoldersWriteRepeatsTheFieldsInTheSeal(t *testing.T) {
	s := leading(t, inPod)
	s.pass(6 * time.Second)
	s.step(engine.HandOver{ID: 1})
	s.step(engine.Stop{})
	s.pass(time.Millisecond)
	s.appStops()
	s.pass(time.Second)
	swaps := did[engine.Swap](s)
	if len(swaps) < 4 || !release(swaps[len(swaps)-1]) {
		t.Fatalf("want an acquisition, renewals and a release, got %+v", swaps)
	}
	for _, sw := range swaps {
		p, seal := sw.Put, sw.Put.Seal
		if seal.Lock != sw.On.UID || seal.Holder != p.Holder || seal.Duration != p.Duration ||
			!seal.Acquired.Equal(p.Acquired) || !seal.Renewed.Equal(p.Renewed) || seal.Transitions != p.Transitions {
			t.Errorf("the seal %+v does not repeat %+v", *seal, p)
		}
		if seal.PodUID != "pod-1" || seal.Start != "s1" || seal.Nonce == "" || seal.Term != 40 {
			t.Errorf("the seal %+v does not say who wrote what", *seal)
		}
	}
}

func TestLaw02_ABrokenSealIsNoReleaseOfOurs(t *testing.T) {
	for name, change := range breaks {
		t.Run(name, func(t *testing.T) {
			s := before(t, released("a"))
			s.fate, s.blind = held, true
			s.edit(change)
			s.settle()
			s.pass(ttl - time.Second)
			none[engine.Swap](s, "on a record whose release does not count")
		})
	}
}

func TestLaw02_ABrokenSealHasNoStartOfOurs(t *testing.T) {
	for name, change := range breaks {
		t.Run(name, func(t *testing.T) {
			s := leading(t)
			s.mark()
			s.edit(change)
			s.pass(2 * time.Millisecond)
			s.ended(engine.Lost)
			s.appStops()
			s.pass(ttl - time.Second)
			none[engine.Swap](s, "on a record that is mine no more")
		})
	}
}

func TestLaw02_ABrokenSealHasNoTermAndNoOffer(t *testing.T) {
	for name, change := range breaks {
		t.Run(name, func(t *testing.T) {
			s := before(t, sealed("a", offering("o1", "")))
			s.fate, s.blind = held, true
			s.edit(change)
			s.settle()
			s.pass(time.Second)
			none[engine.Swap](s, "accepts an offer of a broken seal")
			if v := s.m.View(s.now()); v.Term != 0 || v.Leader == "" {
				t.Errorf("%+v tells a term of a broken seal", v)
			}
		})
	}
}

func TestLaw02_ATombstoneIsNotSealed(t *testing.T) {
	s := curtain(t)
	s.open()
	s.pass(time.Second)
	if put := last[engine.Create](s).Put; put.Seal != nil {
		t.Errorf("created %+v", put)
	}
}

func TestLaw04_AHeldLockIsTakenWhenItsVersionWasKnownForD(t *testing.T) {
	s := before(t, sealed("a"))
	s.pass(time.Minute)
	s.swapsAt(trip+ttl, "D after the answer that showed the version")
	if sw := did[engine.Swap](s)[0]; sw.On.Version != 40 || sw.On.UID != "uid-1" {
		t.Errorf("%+v is not a swap on the version that was known", sw)
	}
}

func TestLaw04_PatienceCountsFromArrival(t *testing.T) {
	s := before(t, sealed("a"))
	s.fate = held
	s.freeze(9 * time.Second)
	s.settle()
	s.fate = served
	s.pass(time.Minute)
	s.swapsAt(9*time.Second+ttl, "the version arrived at 9s, however old it was")
}

func TestLaw04_EveryNewVersionRestartsPatience(t *testing.T) {
	s := waiting(t)
	s.pass(10 * time.Second)
	s.edit(label)
	s.pass(time.Minute)
	s.swapsAt(2*trip+10*time.Second+time.Millisecond+ttl, "even a label restarts patience")
}

func TestLaw04_TheDurationIsTheRecordsWhereTheSealIsIntact(t *testing.T) {
	s := before(t, sealed("a", func(r *engine.Record) { r.Duration = 4 * time.Second }))
	s.pass(time.Minute)
	s.swapsAt(trip+4*time.Second, "its holder counts on 4s")
}

func TestLaw04_WithoutTheSealTheLongestDurationCounts(t *testing.T) {
	short := func(r *engine.Record) { r.Duration = time.Second }
	long := func(r *engine.Record) { r.Duration = time.Minute }
	for name, c := range map[string]struct {
		rec  engine.Record
		edit func(*engine.Record)
		want time.Duration
	}{
		"edited to be shorter: mine and the sealed one":      {sealed("a"), short, ttl},
		"edited to be longer: the record's":                  {sealed("a"), long, time.Minute},
		"sealed to be longer: the sealed one":                {sealed("a", long), short, time.Minute},
		"emptied":                                            {sealed("a"), func(r *engine.Record) { r.Holder, r.Duration = "", time.Second }, ttl},
		"a tombstone of another lock's longer lease":         {sealed("a"), func(r *engine.Record) { *r = tombstone(); r.Duration = 20 * time.Second }, 20 * time.Second},
		"never held":                                         {engine.Record{}, label, ttl},
		"foreign, and 7s more":                               {foreign("x"), label, ttl + 7*time.Second},
		"taken by a foreign candidate, which keeps our seal": {sealed("a"), func(r *engine.Record) { r.Holder = "x" }, ttl + 7*time.Second},
		"malformed, which may be foreign":                    {sealed("a"), breaks["malformed"], ttl + 7*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := before(t, c.rec)
			s.fate = held
			s.edit(c.edit)
			s.settle()
			s.fate, s.blind, s.queue = served, true, nil
			s.pass(2 * time.Minute)
			s.swapsAt(c.want, "the longest duration counts")
		})
	}
}

func TestLaw04_EveryDurationEverKnownOnTheLockCounts(t *testing.T) {
	s := before(t, sealed("a", func(r *engine.Record) { r.Duration = 40 * time.Second }))
	s.pass(time.Second)
	s.put(foreign("x"))
	s.pass(time.Second)
	s.edit(func(r *engine.Record) { r.Holder = "" })
	s.pass(time.Millisecond)
	seen := s.at
	s.pass(2 * time.Minute)
	if at := firstAt[engine.Swap](s); at < seen+40*time.Second {
		t.Errorf("swapped %v after the emptied version was seen, although a lease of 40s was known", at-seen)
	}
}

func TestLaw04_AfterAConflictTheLockIsReadBeforeTheNextSwap(t *testing.T) {
	s := waiting(t)
	s.blind = true
	s.fate = held
	s.pass(ttl)
	s.edit(label) // unseen
	s.mark()
	s.settle()
	none[engine.Swap](s, "before the conflict was explained")
	last[engine.Read](s)
	s.fate = served
	read := s.at
	s.pass(time.Minute)
	s.swapsAt(read+trip+ttl, "the read shows a newer version: patience starts anew")
}

func TestLaw04_AConflictOverTheSameVersionKeepsPatienceAndBacksOff(t *testing.T) {
	s := waiting(t)
	s.fate = held
	s.pass(ttl)
	var swaps []time.Duration
	for range 8 {
		swaps = append(swaps, s.at)
		s.answer(engine.Answer{Outcome: engine.Conflict})
		s.settle() // the read shows the same version
		for s.request == nil {
			s.pass(time.Millisecond)
		}
	}
	if swaps[1] != swaps[0] {
		t.Errorf("the second swap waited %v although the version is free", swaps[1]-swaps[0])
	}
	for i := 2; i < len(swaps); i++ {
		wait, before := swaps[i]-swaps[i-1], swaps[i-1]-swaps[i-2]
		if wait < before || wait == 0 || wait > time.Second {
			t.Errorf("wait %d is %v after %v: want a growing one of a second at most", i, wait, before)
		}
	}
}

func TestLaw04_AConflictThatComesLateIsReadToo(t *testing.T) {
	s := waiting(t)
	s.fate = held
	s.pass(ttl)
	s.commit()
	s.pass(2 * time.Millisecond) // the watch brings my write
	s.leads(true, "the watch shows my nonce")
	s.mark()
	s.answer(engine.Answer{Outcome: engine.Conflict})
	last[engine.Read](s)
	s.settle()
	s.leads(true, "the conflict was my own committed write")
}

func TestLaw04_WritesThatKeepRestartingPatienceAreReported(t *testing.T) {
	s := waiting(t)
	for range 3 {
		none[engine.Report](s, "too early")
		s.pass(5 * time.Second)
		s.edit(label)
		s.pass(2 * time.Millisecond)
	}
	s.reports(engine.PatienceRestart, "in a row")
}

func TestLaw04_AHolderWhoRenewsIsNotReported(t *testing.T) {
	s := waiting(t)
	for i := range 10 {
		s.pass(5 * time.Second)
		s.put(sealed("a", func(r *engine.Record) { r.Renewed = epoch.Add(time.Duration(i) * time.Second) }))
	}
	none[engine.Report](s, "although the holder renews")
	none[engine.Swap](s, "although the holder renews")
}

func TestLaw04_AnOldVersionFromALaggingWatchIsNoNews(t *testing.T) {
	s := waiting(t)
	old := *s.lock
	s.put(sealed("a", func(r *engine.Record) { r.Renewed = epoch }))
	s.pass(time.Millisecond)
	seen := s.at
	s.pass(time.Second)
	s.step(engine.Observation{Record: old})
	s.pass(time.Second)
	s.step(engine.Observation{Record: *s.lock})
	s.pass(time.Minute)
	s.swapsAt(seen+ttl, "the same version and an older one restart nothing")
}

func TestLaw05_OurOwnReleaseIsFreeAtOnce(t *testing.T) {
	s := before(t, released("a"))
	s.pass(time.Second)
	s.swapsAt(trip, "nothing is to be waited for")
}

func TestLaw05_AReleaseThatTheWatchBringsIsFreeAtOnce(t *testing.T) {
	s := waiting(t)
	s.put(released("a"))
	seen := s.at + time.Millisecond
	s.pass(time.Second)
	s.swapsAt(seen, "a release is seen in one event")
}

func TestLaw05_NoOtherEmptyRecordIsFree(t *testing.T) {
	for name, rec := range map[string]engine.Record{
		"client-go's release":      {Duration: time.Second, Transitions: 3},
		"our seal, not released":   sealed(""),
		"a release without a term": released("a", func(r *engine.Record) { r.Seal.Term = 0 }),
		"without a duration":       released("a", func(r *engine.Record) { r.Duration = 0 }),
		"released, yet held":       sealed("a", func(r *engine.Record) { r.Seal.Released = true }),
	} {
		t.Run(name, func(t *testing.T) {
			s := before(t, rec)
			s.pass(time.Minute)
			if at := firstAt[engine.Swap](s); at < trip+ttl {
				t.Errorf("swapped at %v", at)
			}
		})
	}
}

func TestLaw05_OurReleaseThatSomebodyEmptiesAgainIsNotFree(t *testing.T) {
	// A client-go process that wakes from a freeze writes its release over ours.
	s := before(t, released("a"))
	s.fate = held
	s.edit(func(r *engine.Record) { r.Duration, r.Renewed = time.Second, epoch })
	s.settle()
	s.fate = served
	s.pass(ttl - trip)
	none[engine.Swap](s, "the duration is not the sealed one")
}

// News that comes out of order tells of a lease all the same.
func TestLaw04_TheDurationInOlderNewsCountsToo(t *testing.T) {
	s := waiting(t)
	s.pass(trip)
	s.blind = true
	s.put(foreign("x"))
	older := *s.lock
	older.Duration = 2 * ttl
	s.put(engine.Record{})
	s.step(engine.Observation{Record: *s.lock})
	known := s.at
	s.pass(ttl / 2)
	s.mark()
	s.step(engine.Observation{Record: older})
	s.pass(time.Minute)
	s.swapsAt(known+2*ttl+engine.ForeignSlack, "x, who was there before, may act still")
}
