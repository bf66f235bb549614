package lock_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func tombstone() engine.Create {
	return engine.Create{Put: engine.Record{Holder: engine.Vacant, Duration: 10 * time.Second, Acquired: noon, Renewed: noon, Tombstone: "n-2"}}
}

func TestALockIsCreatedOnce(t *testing.T) {
	t.Parallel()
	for kind := range objects {
		l, _ := open(t, testplane.Candidate{Lock: kind})
		ctx := deadline(t)
		hold(t, ctx, l)
		if a := l.Create(ctx, tombstone()); a.Outcome != engine.Conflict {
			t.Errorf("%s: creating a lock that is there is answered by %+v", kind, a)
		}
	}
}

func TestASwapNeverReachesAnotherObjectOfTheSameName(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	for kind, path := range objects {
		ns := p.Namespace(t)
		l, _ := open(t, testplane.Candidate{Lock: kind, Namespace: ns})
		ctx := deadline(t)
		old := hold(t, ctx, l)
		if code, body := p.Do(t, http.MethodDelete, strings.Replace(path, "%", ns, 1), nil); code != http.StatusOK {
			t.Fatalf("delete: %d %s", code, body)
		}
		anew := l.Create(ctx, tombstone())
		if anew.Outcome != engine.OK || anew.Record.UID == old.UID || anew.Record.Version <= old.Version {
			t.Fatalf("%s: created anew: %+v", kind, anew)
		}
		forged := old // even with the new object's version
		if a := l.Swap(ctx, engine.Swap{On: forged, Put: sealed(forged, "music-0", noon)}); a.Outcome != engine.Conflict {
			t.Errorf("%s: a swap on the deleted object is answered by %+v", kind, a)
		}
		if now := l.Read(ctx).Record; now.Version != anew.Record.Version || now.Tombstone != "n-2" {
			t.Errorf("%s: the new object was changed: %+v", kind, now)
		}
	}
}

func TestWhatOthersWroteSurvivesOnTheServer(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	for kind, path := range objects {
		ns := p.Namespace(t)
		l, _ := open(t, testplane.Candidate{Lock: kind, Namespace: ns})
		ctx := deadline(t)
		hold(t, ctx, l)
		path = strings.Replace(path, "%", ns, 1)
		patch := `{"metadata":{"labels":{"team":"radio"},"finalizers":["example.com/kept"],"annotations":{"theirs":"kept","leader-elector.io/paused":"yes","leader-elector.io/switchover-to":"music-0/music-1"}}`
		if kind == "endpoints" {
			patch += `,"subsets":[{"addresses":[{"ip":"10.1.2.3"}],"ports":[{"port":4040}]}]`
		}
		if code, body := p.Do(t, http.MethodPatch, path, []byte(patch+"}")); code != http.StatusOK {
			t.Fatalf("%d %s", code, body)
		}
		rec := l.Read(ctx).Record
		if !intact(rec) || !rec.Paused || rec.Request == nil || *rec.Request != (engine.Request{From: "music-0", To: "music-1"}) {
			t.Fatalf("%s: an operator's annotations are read as %+v %+v", kind, rec, rec.Request)
		}
		a := l.Swap(ctx, engine.Swap{On: rec, Put: sealed(rec, "music-0", noon.Add(time.Minute))})
		if a.Outcome != engine.OK || !intact(a.Record) || !a.Record.Paused || a.Record.Request != nil {
			t.Errorf("%s: after a renewal that removes the request: %+v %+v", kind, a.Record, a.Record.Request)
		}
		_, body := p.Do(t, http.MethodGet, path, nil)
		wanted := []string{`"team":"radio"`, `"theirs":"kept"`, "example.com/kept", `"managedFields"`}
		if kind == "endpoints" {
			wanted = append(wanted, "10.1.2.3")
		}
		for _, want := range wanted {
			if !strings.Contains(compact(t, body), want) {
				t.Errorf("%s: our write took %s away: %s", kind, want, body)
			}
		}
		if code, body := p.Do(t, http.MethodPatch, path, []byte(`{"metadata":{"finalizers":null}}`)); code != http.StatusOK {
			t.Errorf("%d %s", code, body)
		}
	}
}

func compact(t *testing.T, body []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestARecordOf05IsTakenOverInItsOwnFormat(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	const theirs = `{\"holderIdentity\":\"old-0\",\"leaseDurationSeconds\":10,\"acquireTime\":\"2026-11-23T11:00:00Z\",\"renewTime\":\"2026-11-23T11:00:02Z\",\"leaderTransitions\":0}`
	object := `{"apiVersion":"v1","kind":"Endpoints","metadata":{"name":"music","annotations":{"control-plane.alpha.kubernetes.io/leader":"` + theirs + `"}}}`
	if code, body := p.Do(t, http.MethodPost, "/api/v1/namespaces/"+ns+"/endpoints", []byte(object)); code != http.StatusCreated {
		t.Fatalf("%d %s", code, body)
	}
	l, _ := open(t, testplane.Candidate{Lock: "endpoints", Namespace: ns})
	ctx := deadline(t)
	rec := l.Read(ctx).Record
	if rec.Holder != "old-0" || rec.Duration != 10*time.Second || rec.Seal != nil || rec.Malformed != "" {
		t.Fatalf("0.5's record is read as %+v", rec)
	}
	a := l.Swap(ctx, engine.Swap{On: rec, Put: sealed(rec, "music-0", noon)})
	if a.Outcome != engine.OK || !intact(a.Record) {
		t.Fatalf("the takeover is answered by %+v", a)
	}
	_, body := p.Do(t, http.MethodGet, strings.Replace(objects["endpoints"], "%", ns, 1), nil)
	const ours = `{\"holderIdentity\":\"music-0\",\"leaseDurationSeconds\":10,\"acquireTime\":\"2026-11-23T12:00:00Z\",\"renewTime\":\"2026-11-23T12:00:01Z\",\"leaderTransitions\":1}`
	if !strings.Contains(string(body), ours) {
		t.Errorf("the server shows %s, want %s in it", body, ours)
	}
}
