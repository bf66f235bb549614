package doctor_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/doctor"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

const leasePath = "/apis/coordination.k8s.io/v1/namespaces/%/leases/music"

func joined(s *stage, pod string) testplane.Candidate {
	return testplane.Candidate{Namespace: s.ns, Pod: pod, Election: "music"}
}

func TestASoundLockIsToldWithItsHolderAndTerm(t *testing.T) {
	t.Parallel()
	s := newStage(t, "none")
	s.finding(doctor.OK, "is not there yet")
	stop := s.lead("a", s.creds.PodUID, 10*time.Second)
	s.finding(doctor.OK, "a holds the lock, term ", "renewed")
	if r := s.look(); r.Failed() {
		t.Errorf("a sound installation fails:\n%s", text(t, r))
	}
	stop()
	s.finding(doctor.OK, "nobody holds the lock; it was released")
}

func TestAPauseAndARequestAreToldAndRemovedByTheMend(t *testing.T) {
	t.Parallel()
	s := newStage(t, "none")
	s.lease("b", 10, time.Now())
	note := func(name, value string) {
		t.Helper()
		s.do(http.MethodPatch, leasePath, object{"metadata": object{"annotations": object{"leader-elector.io/" + name: value}}})
	}
	note("paused", "yes")
	s.obey(s.finding(doctor.Warn, "paused"))
	s.gone(doctor.Warn, "paused")
	for value, c := range map[string]struct {
		level doctor.Level
		words string
	}{
		"c":   {doctor.Fail, "names no holder"},
		"z/c": {doctor.Warn, "by z is asked for, who is not the holder"},
		"b/c": {doctor.Warn, "from b to c is asked for"},
		"b/":  {doctor.Warn, "from b to anybody is asked for"},
	} {
		note("switchover-to", value)
		s.obey(s.finding(c.level, c.words))
		s.gone(c.level, c.words)
	}
}

func TestADifferentTTLIsTold(t *testing.T) {
	t.Parallel()
	s := newStage(t, "none")
	s.lead("b", "", 12*time.Second)
	f := s.finding(doctor.Warn, "the holder's ttl is 12s, this candidate's 10s")
	if !strings.Contains(f.Mend, "same --ttl") {
		t.Errorf("%+v", f)
	}
	s.cfg.TTL = 12 * time.Second
	s.gone(doctor.Warn, "ttl")
}

func TestAForeignHolderWithAShorterLeaseIsAFailure(t *testing.T) {
	t.Parallel()
	s := newStage(t, "none")
	s.lease("b", 8, time.Now())
	f := s.finding(doctor.Fail, "--ttl=10s is longer than the 8s that the foreign holder b writes")
	if !strings.Contains(f.Mend, "--ttl=8s") {
		t.Errorf("%+v", f)
	}
	s.cfg.TTL = 8 * time.Second
	s.gone(doctor.Fail, "--ttl")
}

func TestATwinIsAFailure(t *testing.T) {
	t.Parallel()
	t.Run("foreign", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, "none")
		s.lease("a", 10, time.Now())
		if f := s.finding(doctor.Fail, "client-go or 0.5", `this candidate's name "a"`); !strings.Contains(f.Mend, "--id") {
			t.Errorf("%+v", f)
		}
	})
	t.Run("another pod", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, "none")
		s.lead("a", "another-pods-uid", 10*time.Second)
		if f := s.finding(doctor.Fail, "another pod (uid another-pods-uid)"); !strings.Contains(f.Mend, "--id") {
			t.Errorf("%+v", f)
		}
	})
}

func TestAHolderThatIsGoneAndAnEditAreTold(t *testing.T) {
	t.Parallel()
	s := newStage(t, "none")
	s.lease("b", 10, time.Now().Add(-time.Minute))
	s.finding(doctor.Warn, "b holds the lock and has not renewed it for 1m")
	s.do(http.MethodDelete, leasePath, nil)
	s.lead("b", "", 10*time.Second)
	s.finding(doctor.OK, "b holds the lock, term")
	// The holder's renewTime is what a person's edit breaks the seal by; the next
	// renewal is seconds away.
	s.do(http.MethodPatch, leasePath, object{"spec": object{"leaseTransitions": 77}})
	s.finding(doctor.Warn, "somebody edited the record")
}

func TestALockOfTheOtherKindIsTold(t *testing.T) {
	t.Parallel()
	s := newStage(t, "none")
	s.finding(doctor.OK, "may not read them")
	s.rules = append(s.rules, rule("", "endpoints", "music", "get"))
	s.grant()
	s.finding(doctor.OK, "no other election of this name")
	record := func(renewed time.Time) string {
		return `{"holderIdentity":"old","leaseDurationSeconds":10,"acquireTime":"2026-01-01T00:00:00Z","renewTime":"` + renewed.UTC().Format(time.RFC3339) + `","leaderTransitions":1}`
	}
	const note = "control-plane.alpha.kubernetes.io/leader"
	s.do(http.MethodPost, "/api/v1/namespaces/%/endpoints", object{"metadata": object{"name": "music", "annotations": object{note: record(time.Now())}}})
	if f := s.finding(doctor.Fail, "old leads an election of the same name with --lock=endpoints"); !strings.Contains(f.Mend, "--lock") {
		t.Errorf("%+v", f)
	}
	s.do(http.MethodPatch, "/api/v1/namespaces/%/endpoints/music", object{"metadata": object{"annotations": object{note: record(time.Now().Add(-time.Hour))}}})
	s.obey(s.finding(doctor.Warn, "left over in the endpoints, last held by old"))
	s.finding(doctor.OK, "no other election of this name")
}
