package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// requests are the instants at which anything was sent since mark.
func (s *stage) requests() (at []time.Duration) {
	for _, a := range s.acts {
		switch a.Action.(type) {
		case engine.Read, engine.Swap, engine.Create:
			at = append(at, a.at)
		}
	}
	return at
}

func TestLaw16_AnOutageEndsNothingButTheLead(t *testing.T) {
	for name, fate := range map[string]fate{"requests hang": cut, "requests are refused": refused} {
		t.Run(name, func(t *testing.T) {
			s := leading(t)
			s.fate = fate
			s.mark()
			s.pass(time.Minute)
			s.ended(engine.Expired)
			s.appStops()
			s.pass(time.Hour)
			none[engine.Finished](s, "an outage kills nobody")
			s.fate = served
			s.pass(5 * time.Second)
			s.leads(true, "it recovers by itself")
		})
	}
}

func TestLaw16_TriesBackOffToASecond(t *testing.T) {
	for name, fate := range map[string]fate{"hanging": cut, "refused": refused} {
		t.Run(name, func(t *testing.T) {
			s := waiting(t)
			s.pass(ttl - time.Second)
			s.fate = fate
			s.mark()
			s.pass(5 * time.Minute)
			at := s.requests()
			for i := 2; i < len(at); i++ {
				// delay() is how long the try before took.
				if wait := at[i] - at[i-1] - s.delay(); wait <= 0 || wait > time.Second {
					t.Errorf("try %d came %v after the end of the try before it", i, wait)
				}
			}
			if n := time.Duration(len(at)); n < 5*time.Minute/(s.delay()+1100*time.Millisecond) {
				t.Errorf("only %d tries in five minutes", n)
			}
		})
	}
}

func TestLaw16_TheBackOffIsJittered(t *testing.T) {
	gap := func(jitter float64) time.Duration {
		s := waiting(t)
		s.jitter = jitter
		s.pass(ttl - time.Second)
		s.fate = refused
		s.pass(time.Minute)
		at := s.requests()
		return at[len(at)-1] - at[len(at)-2]
	}
	if early, late := gap(0.9), gap(0); early >= late || early < late/2 {
		t.Errorf("gaps %v and %v do not depend on the jitter", early, late)
	}
}

func TestLaw16_RetryAfterIsHonouredAndCapped(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{3 * time.Second: 3 * time.Second, time.Hour: ttl} {
		s := waiting(t)
		s.fate = held
		s.pass(ttl)
		s.mark()
		s.answer(engine.Answer{Outcome: engine.Refused, RetryAfter: after})
		from := s.at
		s.pass(time.Minute)
		if got := firstAt[engine.Swap](s) - from; got != want {
			t.Errorf("a standby that is asked to wait %v waits %v, want %v", after, got, want)
		}
	}
	for after, want := range map[time.Duration]time.Duration{3 * time.Second: 3 * time.Second, time.Hour: ttl / 3} {
		s := leading(t)
		s.fate = held
		s.pass(6 * time.Second)
		s.mark()
		s.answer(engine.Answer{Outcome: engine.Refused, RetryAfter: after})
		from := s.at
		s.pass(time.Minute)
		if got := firstAt[engine.Swap](s) - from; got != want {
			t.Errorf("a leader that is asked to wait %v waits %v, want %v", after, got, want)
		}
	}
}

func TestLaw16_ARetryAfterOnAReadIsHonouredToo(t *testing.T) {
	s := curtain(t)
	s.fate = held
	s.open()
	s.mark()
	s.answer(engine.Answer{Outcome: engine.Unknown, RetryAfter: 3 * time.Second})
	s.pass(2999 * time.Millisecond)
	none[engine.Read](s, "the server asked for 3 s")
	s.pass(time.Millisecond)
	last[engine.Read](s)
}

func TestLaw16_AStandbyAtRestSendsNothing(t *testing.T) {
	s := waiting(t)
	for i := range 100 {
		s.pass(5 * time.Second)
		s.put(sealed("a", func(r *engine.Record) { r.Renewed = epoch.Add(time.Duration(i) * time.Second) }))
	}
	if n := len(s.requests()); n > 0 {
		t.Errorf("%d requests beside the watch", n)
	}
}

func TestLaw16_ALeaderWritesOncePerRenewalAndReadsNothing(t *testing.T) {
	s := leading(t)
	s.mark()
	s.pass(100 * ttl)
	none[engine.Read](s, "a leader learns from its renewals")
	if n := len(did[engine.Swap](s)); n < 290 || n > 300 {
		t.Errorf("%d renewals in 100 leases", n)
	}
	s = leading(t)
	s.jitter = 0.99
	s.pass(ttl)
	s.mark()
	s.pass(100 * ttl)
	if n := len(did[engine.Swap](s)); n < 300 || n > 335 {
		t.Errorf("%d renewals in 100 leases: the jitter only shortens", n)
	}
}

func TestLaw16_ThreeTriesFitBetweenAFailedRenewalAndTheEndOfTrust(t *testing.T) {
	s := leading(t)
	until := s.until()
	s.fate = cut
	s.mark()
	s.pass(until - s.at - 1)
	if at := s.requests(); len(at) < 4 {
		t.Errorf("only %d tries after the failed renewal: %v", len(at)-1, at)
	}
}

func TestLaw16_WithoutAWatchALockIsPolled(t *testing.T) {
	s := waiting(t)
	s.blind = true
	s.step(engine.Watching{})
	s.mark()
	for range 30 {
		s.pass(2 * time.Second)
		s.put(sealed("a", func(r *engine.Record) { r.Renewed = epoch.Add(s.at) }))
	}
	if n := len(did[engine.Read](s)); n < 28 || n > 40 {
		t.Errorf("%d reads in a minute", n)
	}
	s.put(released("a"))
	s.mark()
	s.pass(3 * time.Second)
	s.leads(true, "polling finds a release too")
	s.mark()
	s.pass(time.Minute)
	none[engine.Read](s, "a leader learns from its renewals")
	none[engine.Rewatch](s, "there is no watch to mend")
	s.step(engine.Watching{OK: true})
	s.blind = false
}

func TestLaw16_WhenTheWatchIsBackPollingEnds(t *testing.T) {
	s := waiting(t)
	s.step(engine.Watching{})
	s.pass(3 * time.Second)
	s.step(engine.Watching{OK: true})
	s.mark()
	s.pass(10 * time.Second)
	none[engine.Read](s, "the watch brings what is new")
}

func TestLaw16_AWatchThatMissesAnAnswersNewsIsGivenUp(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.blind = true
	s.mark()
	s.step(engine.HandOver{ID: 1})
	s.pass(trip)
	s.pass(999 * time.Millisecond)
	none[engine.Rewatch](s, "the watch may be a second late")
	s.pass(time.Millisecond)
	last[engine.Rewatch](s)
	s.mark()
	s.pass(30 * time.Second)
	if n := len(did[engine.Rewatch](s)); n < 4 || n > 8 {
		t.Errorf("given up %d times in 30s", n)
	}
}

func TestLaw16_EveryRequestHasADeadlineOfASixthOfTheLease(t *testing.T) {
	s := leading(t)
	s.pass(20 * time.Second)
	s.delete()
	s.pass(time.Second)
	s.appStops()
	s.pass(time.Second)
	for _, a := range s.acts {
		var timeout time.Duration
		switch r := a.Action.(type) {
		case engine.Read:
			timeout = r.Timeout
		case engine.Swap:
			timeout = r.Timeout
		case engine.Create:
			timeout = r.Timeout
		default:
			continue
		}
		if timeout != ttl/6 {
			t.Errorf("%T with a deadline of %v", a.Action, timeout)
		}
	}
	last[engine.Create](s)
}

func TestLaw16_UnknownIsToldAsUnknown(t *testing.T) {
	s := curtain(t)
	s.fate = cut
	s.open()
	s.pass(time.Minute)
	if v := s.m.View(s.now()); v.Known || v.Leader != "" || !strings.Contains(v.Waiting, "not been read") {
		t.Errorf("%+v", v)
	}
	s = waiting(t)
	s.fate, s.blind = cut, true
	s.pass(ttl - 2*trip)
	if v := s.m.View(s.now()); v.Leader != "a" || v.HolderExpired {
		t.Errorf("%+v: a's lease may still run", v)
	}
	s.pass(2 * trip)
	if v := s.m.View(s.now()); v.Leader != "" || !v.HolderExpired {
		t.Errorf("%+v: a's lease is over by all that is known", v)
	}
	if a := last[engine.Announce](s); a.Leader != "" {
		t.Errorf("%+v", a)
	}
}

func TestLaw16_WritesThatFailWhileReadsSucceedBackOff(t *testing.T) {
	for name, s := range map[string]*stage{"a standby": waiting(t), "a leader": leading(t)} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.pass(ttl / 4)
			s.fate, s.blind = spurned, true
			s.mark()
			s.pass(time.Minute)
			if n := len(did[engine.Swap](s)); n > 80 || n < 20 {
				t.Errorf("%d writes in a minute", n)
			}
		})
	}
}

func TestLaw16_ATickThatComesEarlyIsAskedForAgain(t *testing.T) {
	s := waiting(t)
	s.pass(2 * time.Second)
	early := s.wake - 1
	s.mark()
	s.freeze(early - s.at)
	s.step(engine.Tick{})
	if w := last[engine.WakeAt](s); w.At != boot+early+1 {
		t.Errorf("%+v", w)
	}
}

func TestLaw16_AWatchOfALockThatIsGoneIsNotGivenUpForEver(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.step(engine.Fitness{Reason: "sick"})
	s.blind = true
	s.appStops()
	s.pass(100 * time.Millisecond) // released, which the watch does not bring
	s.delete()
	s.pass(2 * time.Second)
	s.step(engine.Observation{Deleted: true})
	s.pass(2 * time.Second)
	s.step(engine.Observation{Deleted: true})
	s.mark()
	s.pass(time.Hour)
	none[engine.Rewatch](s, "there is nothing that the watch could bring")
}
