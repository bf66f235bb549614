package sim

import (
	"fmt"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// server is the model of kube-apiserver and etcd: one lock object, versions
// that only rise, compare-and-swap by uid and version.
type server struct {
	version engine.Version
	uids    int
	lock    *engine.Record // nil: there is none; never changed in place
	history []*engine.Record
	changed func(engine.Observation)
}

func (s *server) next() engine.Version {
	s.version++
	return s.version
}

func (s *server) store(rec engine.Record) *engine.Record {
	rec.Version = s.next()
	s.lock = &rec
	s.history = append(s.history, s.lock)
	s.changed(engine.Observation{Record: rec})
	return s.lock
}

func (s *server) read() engine.Answer {
	if s.lock == nil {
		return engine.Answer{Outcome: engine.Absent}
	}
	return engine.Answer{Outcome: engine.OK, Record: *s.lock}
}

func (s *server) create(put engine.Record) engine.Answer {
	if s.lock != nil {
		return engine.Answer{Outcome: engine.Conflict}
	}
	s.uids++
	put.UID = fmt.Sprintf("uid-%d", s.uids)
	return engine.Answer{Outcome: engine.OK, Record: *s.store(put)}
}

// swap is a PUT with uid and resourceVersion. A lock that is gone is a conflict
// too: the uid is a precondition that nothing meets.
func (s *server) swap(a engine.Swap) engine.Answer {
	if s.lock == nil || s.lock.UID != a.On.UID || s.lock.Version != a.On.Version {
		return engine.Answer{Outcome: engine.Conflict}
	}
	var rec engine.Record
	if a.Kind == engine.Accept {
		rec = *s.lock
		rec.Acceptance = a.Put.Acceptance
	} else {
		rec = a.Put
		rec.UID, rec.Paused = s.lock.UID, s.lock.Paused
	}
	return engine.Answer{Outcome: engine.OK, Record: *s.store(rec)}
}

// edit is somebody else's write: it keeps our annotations, as any client does.
func (s *server) edit(change func(*engine.Record)) {
	if s.lock == nil {
		return
	}
	rec := *s.lock
	change(&rec)
	s.store(rec)
}

func (s *server) delete() {
	if s.lock == nil {
		return
	}
	gone := *s.lock
	gone.Version = s.next()
	s.lock = nil
	s.changed(engine.Observation{Deleted: true, Record: engine.Record{UID: gone.UID, Version: gone.Version}})
}

// restore brings back what the lock said n writes ago, at its old version.
func (s *server) restore(n int) bool {
	if s.lock == nil || len(s.history) <= n {
		return false
	}
	s.history = s.history[:len(s.history)-n]
	s.lock = s.history[len(s.history)-1]
	s.version = s.lock.Version
	return true
}

// stamp is a time for a foreign record.
func stamp(now time.Duration) time.Time {
	return time.Unix(1_800_000_000, 0).UTC().Add(now.Truncate(time.Second))
}
