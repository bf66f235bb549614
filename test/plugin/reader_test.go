package plugin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/leader-elector/leader-elector/internal/engine"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/lock"
	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// theirs reads objects as the candidates do: from a server, by a GET.
type theirs struct {
	object atomic.Pointer[[]byte]
	locks  map[record.Kind]*lock.Lock
}

func newTheirs(t *testing.T) *theirs {
	t.Helper()
	r := &theirs{locks: map[record.Kind]*lock.Lock{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(*r.object.Load())
	}))
	t.Cleanup(server.Close)
	access, err := kube.FromServer(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(access)
	if err != nil {
		t.Fatal(err)
	}
	for kind, theirs := range map[record.Kind]lock.Kind{record.Leases: lock.Leases, record.Endpoints: lock.Endpoints} {
		if r.locks[kind], err = lock.New(client, theirs, "default", "music"); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// compare reads an object in both ways, and says where they differ.
func (r *theirs) compare(t rapid.TB, kind record.Kind, object []byte) {
	t.Helper()
	r.object.Store(&object)
	answer := r.locks[kind].Read(context.Background())
	if answer.Outcome != engine.OK {
		t.Fatalf("the candidates cannot read it: %s\n%s", answer.Err, object)
	}
	their := answer.Record
	var our record.Record
	switch kind {
	case record.Leases:
		var l coordinationv1.Lease
		if err := json.Unmarshal(object, &l); err != nil {
			t.Fatalf("%v\n%s", err, object)
		}
		our = record.OfLease(&l)
	default:
		var o metav1.PartialObjectMetadata
		if err := json.Unmarshal(object, &o); err != nil {
			t.Fatalf("%v\n%s", err, object)
		}
		our = record.OfEndpoints(&o.ObjectMeta)
	}
	if a, b := theirWords(&their), ourWords(&our); a != b {
		t.Errorf("%s\nthe candidates read %s\nthe plugin reads    %s", object, a, b)
	}
}

// theirWords and ourWords tell a record in the same words, whose every field
// counts.
func theirWords(r *engine.Record) string {
	return fmt.Sprint(r.UID, r.Version, r.Holder, r.Duration, r.Acquired.UTC(), r.Renewed.UTC(), r.Transitions, r.Tombstone, r.Paused, r.Malformed != "",
		whole(r.Seal), whole(r.Acceptance), whole(r.Request), " intact ", r.Intact(), " foreign ", r.Foreign())
}

func ourWords(r *record.Record) string {
	return fmt.Sprint(r.UID, r.Version, r.Holder, r.Duration, r.Acquired.UTC(), r.Renewed.UTC(), r.Transitions, r.Tombstone, r.Paused, r.Malformed != "",
		whole(r.Seal), whole(r.Acceptance), whole(r.Request), " intact ", r.Intact(), " foreign ", r.Foreign())
}

// whole is all of a part: the two kinds of parts have the same fields.
func whole[T any](part *T) string {
	if part == nil {
		return " none "
	}
	data, err := json.Marshal(part)
	if err != nil {
		panic(err)
	}
	return " " + string(data) + " "
}

func pick[T any](t *rapid.T, what string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, what)
}

// mostly is the value that leaves the seal intact, and sometimes another.
func mostly[T any](t *rapid.T, what string, value T, others ...T) T {
	if rapid.IntRange(0, 7).Draw(t, what+" as it was") > 0 {
		return value
	}
	return pick(t, what, others...)
}

// note is our annotation: a seal that fits the object below, or something near.
func note(t *rapid.T) string {
	n := object{
		"v": mostly(t, "v", 1, 0, 2), "lock": mostly(t, "lock", "u1", "u2", ""), "holder": mostly(t, "sealed holder", "music-0", "", "they"),
		"ttl": mostly(t, "ttl", 10, 0, -1, 15, 1<<31), "acquired": mostly(t, "sealed acquired", "2026-11-23T12:00:00Z", "", "soon", "2026-11-23T13:00:00+01:00"),
		"renewed": mostly(t, "sealed renewed", "2026-11-23T12:00:03Z", "2026-11-23T12:00:03.000001Z"), "transitions": mostly(t, "sealed transitions", 4, 5),
		"pod": "p", "start": mostly(t, "start", "s", ""), "nonce": mostly(t, "nonce", "n", ""), "term": mostly(t, "term", "41", "42", "43", "0", "x", "-1"),
	}
	if rapid.Bool().Draw(t, "offered") {
		n["offer"] = object{"nonce": "o", "to": pick(t, "to", "", "music-1")}
	}
	if rapid.IntRange(0, 3).Draw(t, "released") == 0 {
		n["released"], n["to"] = pick(t, "of", "41", "40", ""), "music-1"
	}
	if rapid.IntRange(0, 9).Draw(t, "tombstone") == 0 {
		n = object{"v": 1, "create": "c"}
	}
	data, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return mostly(t, "note", string(data), "", "{", "[]", `"x"`, strings.Replace(string(data), "10", `"10"`, 1))
}

func TestTheReadersAgree(t *testing.T) {
	r := newTheirs(t)
	rapid.Check(t, func(t *rapid.T) {
		notes := object{"leader-elector.io/record": note(t)}
		for name, values := range map[string][]string{
			"leader-elector.io/acceptance":    {`{"v":1,"by":"music-1","start":"x","offer":"o"}`, `{"v":2}`, "{"},
			"leader-elector.io/switchover-to": {"music-0/music-1", "music-0/", "music-1", "", "a/b/c"},
			"leader-elector.io/paused":        {"true", "false", "", "no reason"},
		} {
			if rapid.IntRange(0, 2).Draw(t, name) == 0 {
				notes[name] = pick(t, name+" value", values...)
			}
		}
		said := object{
			"holderIdentity": mostly(t, "holder", "music-0", "", "they", "leader-elector.io/vacant"), "leaseDurationSeconds": mostly(t, "duration", 10, 15, 1),
			"acquireTime": mostly(t, "acquired", "2026-11-23T12:00:00.000000Z", "2026-11-23T12:00:01.000000Z"), "renewTime": mostly(t, "renewed", "2026-11-23T12:00:03.000000Z", "2026-11-23T12:00:03.000001Z"),
		}
		for name := range said {
			if rapid.IntRange(0, 15).Draw(t, "without "+name) == 0 {
				delete(said, name)
			}
		}
		meta := object{"namespace": "default", "name": "music", "uid": "u1", "resourceVersion": "42", "annotations": notes}
		transitions := mostly(t, "transitions", 4, 0, 5)
		kind := pick(t, "kind", record.Leases, record.Endpoints)
		whole := object{"metadata": meta}
		if kind == record.Leases {
			said["leaseTransitions"] = transitions
			whole["spec"] = said
		} else {
			said["leaderTransitions"] = transitions
			text, _ := json.Marshal(said)
			notes["control-plane.alpha.kubernetes.io/leader"] = mostly(t, "0.5's note", string(text), "", "{", "[]", `{"renewTime":"soon","holderIdentity":"x"}`, `{"leaseDurationSeconds":-5,"leaderTransitions":99999999999}`)
		}
		data, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		r.compare(t, kind, data)
	})
}

// What real candidates write in a life is read as they read it.
func TestTheReadersAgreeOnALife(t *testing.T) {
	t.Parallel()
	s, r := newStage(t), newTheirs(t)
	look := func() { r.compare(t, record.Leases, s.must(http.MethodGet, s.lease(), nil)) }
	a, b := s.pair()
	look()
	s.plugin("pause", "music").wants(t, 0)
	look()
	s.plugin("resume", "music").wants(t, 0)
	s.plugin("switchover", "music", "--wait").wants(t, 0)
	look()
	for _, edit := range []object{{"leaseTransitions": 9}, {"holderIdentity": ""}, {"renewTime": "2026-11-23T12:00:03.000001Z"}} {
		s.must(http.MethodPatch, s.lease(), object{"spec": edit})
		look()
	}
	a.stop(syscall.SIGTERM)
	b.stop(syscall.SIGTERM)
	look()
}
