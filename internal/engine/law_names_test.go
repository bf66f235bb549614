package engine_test

import (
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// ofMyPod is a record of a process with my name that held the socket of a pod.
func ofMyPod(pod string, change ...func(*engine.Record)) engine.Record {
	return sealed("me", append([]func(*engine.Record){func(r *engine.Record) { r.Seal.Start, r.Seal.PodUID = "s0", pod }}, change...)...)
}

func TestLaw11_MyOwnDeadPredecessorIsFollowedAtOnce(t *testing.T) {
	s := before(t, ofMyPod("pod-1"), inPod)
	s.pass(time.Second)
	s.swapsAt(trip, "the pod's socket was free, so the predecessor is dead")
	s.leads(true, "it took its predecessor's record")
	if term := last[engine.Lead](s).Term; term != 40 {
		t.Errorf("term %v, want a new one", term)
	}
}

// The app that my dead predecessor left behind may act for as long as it knew
// to. If I cannot lead any more when the lock is mine, I cannot stop it either,
// so the lease runs out (found by the simulation: see TestFound).
func TestLaw11_APredecessorsLeadIsNotReleasedByWhoNeverLed(t *testing.T) {
	s := before(t, ofMyPod("pod-1"), inPod)
	s.pass(s.trip + time.Millisecond)
	s.swapsAt(trip, "the predecessor is dead")
	s.step(engine.Fitness{Reason: "the check failed"})
	s.mark()
	s.pass(time.Minute)
	none[engine.Swap](s, "its app may act still")
	s.step(engine.Stop{})
	s.pass(time.Second)
	last[engine.Finished](s)
}

func TestLaw11_AnybodyElseWithMyNameIsWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		rec    engine.Record
		config func(*engine.Config)
	}{
		"another pod":               {ofMyPod("pod-2"), inPod},
		"no pod in the seal":        {ofMyPod(""), inPod},
		"I do not hold the socket":  {ofMyPod("pod-1"), func(*engine.Config) {}},
		"neither knows a pod":       {ofMyPod(""), func(*engine.Config) {}},
		"foreign":                   {foreign("me"), inPod},
		"the seal is broken":        {edited(ofMyPod("pod-1")), inPod},
		"another name in my pod":    {sealed("you", func(r *engine.Record) { r.Seal.PodUID = "pod-1" }), inPod},
		"my start, but not my name": {sealed("you", func(r *engine.Record) { r.Seal.Start = "s1" }), inPod},
	} {
		t.Run(name, func(t *testing.T) {
			s := before(t, c.rec, c.config)
			s.pass(ttl - time.Second)
			none[engine.Swap](s, "it is somebody else's")
			s.leads(false, "it is somebody else's")
			if v := s.m.View(s.now()); v.Leader == "me" {
				t.Errorf("it tells its own name: %+v", v)
			}
		})
	}
}

// edited breaks the seal of a record that one of ours wrote.
func edited(r engine.Record) engine.Record {
	r.Transitions++
	return r
}

func TestLaw11_ATwinIsReportedOnce(t *testing.T) {
	s := before(t, ofMyPod("pod-2"), inPod)
	s.pass(time.Second)
	s.reports(engine.TwinHolder, `"me"`)
	s.mark()
	s.put(ofMyPod("pod-2", func(r *engine.Record) { r.Renewed = epoch }))
	s.pass(time.Second)
	none[engine.Report](s, "the same twin is reported again")
}

func TestLaw11_AnEditedRecordOfMineIsNoTwin(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.edit(breaks["transitions"])
	s.pass(time.Second)
	none[engine.Report](s, "somebody edited my record")
}

func TestLaw11_WhileAnotherHoldsMyNameNobodyIsTold(t *testing.T) {
	s := leading(t)
	s.pass(time.Second)
	s.put(ofMyPod("pod-2"))
	s.mark()
	s.pass(time.Second)
	if v := s.m.View(s.now()); v.Leader != "" || v.Leading {
		t.Errorf("%+v", v)
	}
	if a := last[engine.Announce](s); a.Leader != "" {
		t.Errorf("%+v", a)
	}
}

func TestLaw11_OnlyTheOwnerOfTheSocketSealsItsPod(t *testing.T) {
	s := leading(t)
	if pod := did[engine.Swap](s)[0].Put.Seal.PodUID; pod != "" {
		t.Errorf("sealed with pod %q", pod)
	}
	s = leading(t, inPod)
	if pod := did[engine.Swap](s)[0].Put.Seal.PodUID; pod != "pod-1" {
		t.Errorf("sealed with pod %q", pod)
	}
}

func TestLaw12_ATermIsTheVersionThatTheAcquisitionReplaced(t *testing.T) {
	s := leading(t)
	sw := did[engine.Swap](s)[0]
	if sw.On.Version != 40 || sw.Put.Seal.Term != 40 {
		t.Errorf("%+v", sw)
	}
	s.mark()
	s.pass(time.Minute)
	for _, lead := range did[engine.Lead](s) {
		if lead.Term != 40 || lead.Begin {
			t.Errorf("%+v changes the term by a renewal", lead)
		}
	}
	for _, sw := range did[engine.Swap](s) {
		if sw.Put.Seal.Term != 40 {
			t.Errorf("renewed with term %v", sw.Put.Seal.Term)
		}
	}
}

func TestLaw12_TermsRiseOverLossesForeignSpellsAndDeletions(t *testing.T) {
	s := leading(t)
	losses := []func(){
		func() { s.put(foreign("x")) },
		func() { s.edit(func(r *engine.Record) { r.Holder = "" }) },
		func() { s.delete() },
		func() { s.put(sealed("b")) },
		func() { s.edit(breaks["renewed"]) },
		func() { s.put(ofMyPod("pod-1")) },
	}
	term := engine.Term(40)
	for i, lose := range losses {
		s.pass(time.Second)
		s.mark()
		lose()
		s.pass(10 * time.Millisecond)
		s.ended(engine.Lost)
		s.appStops()
		s.pass(time.Minute)
		if lead := last[engine.Lead](s); lead.Term <= term {
			t.Errorf("loss %d: term %v after %v", i, lead.Term, term)
		} else {
			term = lead.Term
		}
	}
}

// restored brings etcd back to a version from before the candidate's last news.
func (s *stage) restored(rec engine.Record, version engine.Version) {
	s.version, s.term = version-1, 0
	s.queue = nil
	if rec.Seal != nil {
		seal := *rec.Seal
		seal.Term = min(seal.Term, engine.Term(version-1)) // of an acquisition that is not lost
		rec.Seal = &seal
	}
	s.put(rec)
	s.queue = nil
}

func TestLaw12_AFallenVersionEndsTheLead(t *testing.T) {
	s := leading(t)
	s.pass(4 * time.Second)
	s.restored(released("a"), 38)
	s.mark()
	s.pass(2 * time.Second) // the renewal conflicts, the read shows an older version
	s.ended(engine.Restored)
	s.reports(engine.EtcdRestored, "version 38")
	last[engine.Rewatch](s)
}

func TestLaw12_AfterARestoreNothingIsWrittenForTheLongestD(t *testing.T) {
	for name, rec := range map[string]engine.Record{
		"a release":       released("a"),
		"a short lease":   sealed("a", func(r *engine.Record) { r.Duration = time.Second }),
		"my own record":   ofMyPod("pod-1", func(r *engine.Record) { r.Seal.Start = "s1" }),
		"my predecessor":  ofMyPod("pod-1"),
		"an offer for me": sealed("a", offering("o9", "me")),
	} {
		t.Run(name, func(t *testing.T) {
			s := leading(t, inPod)
			s.pass(4 * time.Second)
			s.restored(rec, 38)
			s.mark()
			s.blind = true
			s.pass(2 * time.Second)
			read := firstAt[engine.StopLeading](s)
			s.appStops()
			s.mark()
			s.pass(time.Minute)
			s.swapsAt(read+ttl, "an unknown leader may act for the longest D")
			s.leads(true, "the longest D is over")
			if lead := did[engine.Lead](s)[0]; lead.Term != 38 {
				t.Errorf("term %v: after a restore terms may fall", lead.Term)
			}
		})
	}
}

func TestLaw12_AReadThatNewsOvertookIsNoRestore(t *testing.T) {
	s := before(t, sealed("a"))
	s.fate = held
	answer := s.commit() // version 40
	s.put(sealed("b"))   // version 41, which the watch brings first
	s.pass(time.Millisecond)
	s.answer(answer)
	none[engine.Report](s, "the read was only overtaken")
	if v := s.m.View(s.now()); v.Leader != "b" {
		t.Errorf("the older read replaced the newer news: %+v", v)
	}
}

func TestLaw12_AnObservationBelowTheKnownVersionIsNoRestore(t *testing.T) {
	s := leading(t)
	s.mark()
	s.step(engine.Observation{Record: engine.Record{UID: "uid-1", Version: 3, Holder: "x"}})
	none[engine.Report](s, "a list or a watch may lag")
	s.leads(true, "a list or a watch may lag")
}

func TestLaw12_TheTermIsInEveryViewAndSeal(t *testing.T) {
	s := leading(t)
	if v := s.m.View(s.now()); v.Term != 40 {
		t.Errorf("%+v", v)
	}
	s = waiting(t)
	if v := s.m.View(s.now()); v.Term != 7 || v.Leader != "a" {
		t.Errorf("%+v", v)
	}
}

func TestLaw12_ARestoreIsRememberedOverLaterWrites(t *testing.T) {
	for name, rec := range map[string]engine.Record{
		"a release":      released("a"),
		"my own record":  ofMyPod("pod-1", func(r *engine.Record) { r.Seal.Start = "s1" }),
		"my predecessor": ofMyPod("pod-1"),
	} {
		t.Run(name, func(t *testing.T) {
			s := leading(t, inPod)
			s.pass(4 * time.Second)
			s.restored(rec, 38)
			s.mark()
			s.pass(2 * time.Second)
			read := firstAt[engine.StopLeading](s)
			s.appStops()
			s.pass(time.Second)
			s.edit(label)
			s.mark()
			s.pass(time.Minute)
			if at := firstAt[engine.Swap](s); at < read+ttl {
				t.Errorf("swapped at %v, %v after the restore was noticed: a label made it forget", at, at-read)
			}
		})
	}
}

func TestLaw12_ARestoredForeignHolderHasItsSevenSeconds(t *testing.T) {
	s := leading(t)
	s.pass(4 * time.Second)
	s.restored(foreign("x"), 38)
	s.mark()
	s.pass(2 * time.Second)
	read := firstAt[engine.StopLeading](s)
	s.appStops()
	s.mark()
	s.pass(time.Minute)
	s.swapsAt(read+ttl+7*time.Second, "a foreign holder acts longer than its lease says")
}

func TestLaw12_AForeignLeaderThatTheRestoreForgotHasItsSevenSeconds(t *testing.T) {
	s := before(t, foreign("x"))
	s.pass(time.Second)
	s.restored(released("a"), 38)
	s.step(engine.Observation{Deleted: true}) // a reason to read
	s.pass(trip)
	read := s.at
	s.mark()
	s.pass(time.Minute)
	s.swapsAt(read+ttl+7*time.Second, "x may still act")
}

// An old copy of the lock, sealed as it was, is what somebody wrote back: it has
// a lower term than one that was seen. It counts for no more than an edit.
func TestLaw12_AnOldCopyIsNoReleaseOfOurs(t *testing.T) {
	s := waiting(t)
	s.pass(trip)
	old := released("a")
	later := sealed("b", func(r *engine.Record) { r.Seal.Term = 40 }) // it was acquired after that release
	s.put(later)
	s.pass(time.Second)
	s.mark()
	written := s.at
	old.Seal.Lock, old.Seal.Nonce = "uid-1", "a1-1"
	s.edit(func(r *engine.Record) {
		r.Holder, r.Seal, r.Renewed, r.Acquired = old.Holder, old.Seal, old.Renewed, old.Acquired
	})
	s.pass(time.Minute)
	s.swapsAt(written+time.Millisecond+ttl, "b may act still, whatever the copy says")
}

// A term is a version that was replaced, so one above the record's own version
// was made up; believed, it would make every later term an old one.
func TestLaw12_ATermAboveTheVersionIsMadeUp(t *testing.T) {
	s := waiting(t)
	s.pass(trip)
	s.put(sealed("b", func(r *engine.Record) { r.Seal.Term = 1 << 40 }))
	s.pass(time.Second)
	s.mark()
	s.put(released("b", func(r *engine.Record) { r.Seal.Term = engine.Term(s.version) }))
	s.pass(time.Second)
	s.leads(true, "a real release followed")
}

func TestLaw12_OlderNewsUnmasksAnOldCopy(t *testing.T) {
	s := waiting(t)
	s.pass(trip)
	s.blind = true
	s.put(sealed("b", func(r *engine.Record) { r.Seal.Term = 40 }))
	between := *s.lock
	s.term = 0 // what follows is an old copy
	s.put(released("a", func(r *engine.Record) { r.Seal.To = "you" }))
	s.step(engine.Observation{Record: *s.lock})
	known := s.at
	s.pass(100 * time.Millisecond) // it holds off for the acceptor
	s.mark()
	s.step(engine.Observation{Record: between})
	s.pass(time.Minute)
	s.swapsAt(known+ttl, "b may act still")
}
