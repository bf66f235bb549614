package yardstick

import (
	"testing"
	"time"
)

// The kinds of candidate that are compared.
var (
	clientGo          = ClientGo("client-go", false, true)
	clientGoRelease   = ClientGo("client-go, release", true, true)
	clientGoUnbounded = ClientGo("client-go, release, no time-out", true, false)
	ours              = Ours("leader-elector", false)
	oursSlow          = Ours("leader-elector, slow app", true)
)

// scripted plays one script with one kind, by some seeds: they differ in the
// jitter and in who leads first.
func scripted(t *testing.T, kind Kind, seeds int, tweak func(*Plan)) (all []Result) {
	t.Helper()
	for seed := range uint64(seeds) {
		plan := NewPlan(seed, Mix{})
		for plan.Candidates < 4 {
			plan.Candidates++
			plan.born = append(plan.born, time.Second)
			plan.back = append(plan.back, time.Second)
		}
		tweak(plan)
		all = append(all, play(t, plan, kind))
	}
	return all
}

// known holds what client-go does in a script against what we do in the same.
func known(t *testing.T, word string, theirs, ours Kind, tweak func(*Plan), shown func(Result) bool) {
	t.Helper()
	const seeds = 8
	n, worst := 0, time.Duration(0)
	for _, r := range scripted(t, theirs, seeds, tweak) {
		if shown(r) {
			n++
		}
		for _, d := range r.overlaps(word) {
			worst = max(worst, d)
		}
	}
	t.Logf("%s: in %d of %d schedules; two leaders for %v at worst", theirs.Name, n, seeds, worst)
	if n == 0 {
		t.Errorf("%s does not show it: is this yardstick still right?", theirs.Name)
	}
	for seed, r := range scripted(t, ours, seeds, tweak) {
		for word := range r.Ledgers {
			if r.overlaps(word) != nil || r.Writes != (Writes{}) {
				t.Errorf("seed %d: %s has two leaders (%s): %v, %+v", seed, ours.Name, word, r.overlaps(word), r.Writes)
				logAll(t, r)
			}
		}
		if l := r.Ledgers[word]; l == nil || l.AtEnd != 1 {
			t.Errorf("seed %d: %s has no leader at the end", seed, ours.Name)
		}
	}
}

func (r Result) overlaps(word string) []time.Duration {
	if l := r.Ledgers[word]; l != nil {
		return l.Overlaps
	}
	return nil
}

func two(word string) func(Result) bool {
	return func(r Result) bool { return r.overlaps(word) != nil }
}

func logAll(t *testing.T, r Result) {
	t.Helper()
	for _, line := range r.Dialogue {
		t.Log(line)
	}
}

// await looks every millisecond, for a minute at most.
func (w *world) await(yes func() bool) bool {
	for range 60_000 {
		w.mu.Lock()
		ok := yes()
		w.mu.Unlock()
		if ok {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	w.log("it never came")
	return false
}

// leads says whether a process of this slot leads, or of any other. The mutex is held.
func (w *world) leads(slot int, other bool) bool {
	for _, word := range []string{ByContext, BySlowApp} {
		if l := w.ledgers[word]; l != nil {
			for who := range l.acting {
				if (int(who[0]-'a') == slot) != other {
					return true
				}
			}
		}
	}
	return false
}

// settled is the slot of a leader that has led for a while.
func (w *world) settled() (slot int) {
	time.Sleep(25 * time.Second)
	w.await(func() bool { return w.leads(everyone, true) })
	return w.leader(0)
}

// A leader that is cut off gives up and releases: what it reads and overwrites
// may be its successor's record by then.
func TestClientGoReleasesOverItsSuccessor(t *testing.T) {
	script := func(p *Plan) {
		p.holds = true
		p.script = func(w *world) {
			old := w.settled()
			w.trouble(cutThere, old, time.Hour)
			w.trouble(cutBack, old, time.Hour)
			w.await(func() bool { return w.leads(old, true) })
			time.Sleep(100 * time.Millisecond)
			w.heal(old)
			time.Sleep(30 * time.Second)
		}
	}
	wiped := func(r Result) bool { return r.Writes.Wiped > 0 && r.overlaps(ByContext) != nil }
	known(t, ByContext, clientGoRelease, ours, script, wiped)
	known(t, ByContext, clientGoUnbounded, ours, script, wiped)
}

// The app of a leader that could not renew is told only after the release.
func TestClientGoReleasesBeforeItTellsItsApp(t *testing.T) {
	known(t, ByContext, clientGoRelease, ours, func(p *Plan) {
		p.holds = true
		p.script = func(w *world) {
			old := w.settled()
			before := 0
			w.await(func() bool { before = w.commits; return true })
			w.await(func() bool { return w.commits > before })
			w.trouble(cutThere, old, time.Hour)
			w.trouble(cutBack, old, time.Hour)
			// It gives up 10 s after its next try began, and the release takes 5 s more.
			time.Sleep(13500 * time.Millisecond)
			w.mu.Lock()
			w.lags[old] = 2300 * time.Millisecond
			w.mu.Unlock()
			w.heal(old)
			time.Sleep(30 * time.Second)
		}
	}, func(r Result) bool { return r.Writes.Early > 0 && r.overlaps(ByContext) != nil })
}

// A pod that is told to end releases while its app still stops.
func TestClientGoReleasesBeforeItsAppHasStopped(t *testing.T) {
	known(t, BySlowApp, clientGoRelease, oursSlow, func(p *Plan) {
		p.script = func(w *world) {
			w.end(w.settled(), false)
			time.Sleep(30 * time.Second)
		}
	}, func(r Result) bool { return r.Writes.EarlySlow > 0 && r.overlaps(BySlowApp) != nil })
}

// The renewal is stored, its answer is late, and then the leader is cut off: its
// time begins with the answer, that of the others with the renewal.
func TestClientGoTrustsFromTheAnswer(t *testing.T) {
	late := func(by time.Duration) func(*Plan) {
		return func(p *Plan) {
			p.script = func(w *world) {
				old := w.settled()
				w.mu.Lock()
				w.lags[old] = by
				before := w.commits
				w.mu.Unlock()
				w.await(func() bool { return w.commits > before })
				w.trouble(cutThere, old, time.Hour)
				time.Sleep(40 * time.Second)
				w.heal(old)
			}
		}
	}
	known(t, ByContext, ClientGo("client-go, no time-out", false, false), ours, late(9800*time.Millisecond), two(ByContext))
	known(t, ByContext, clientGo, ours, late(4900*time.Millisecond), two(ByContext))
	// Ours gives a request up after a sixth of the ttl, so its own worst is less.
	for seed, r := range scripted(t, ours, 8, late(2450*time.Millisecond)) {
		if r.overlaps(ByContext) != nil || r.overlaps(ByAsking) != nil {
			t.Errorf("seed %d: two leaders of ours: %v", seed, r.overlaps(ByContext))
			logAll(t, r)
		}
	}
}

func TestClientGoTakesADeletedLeaseForAFreeOne(t *testing.T) {
	known(t, ByContext, clientGo, ours, func(p *Plan) {
		p.script = func(w *world) {
			w.settled()
			w.server.remove()
			time.Sleep(30 * time.Second)
		}
	}, two(ByContext))
}

// Two pods that somebody gave one identity.
func TestClientGoWithOneIdentityLeadsTwice(t *testing.T) {
	known(t, ByContext, clientGo, ours, func(p *Plan) { p.identity = "same" }, two(ByContext))
}
