package lock_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/lock"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// open is a lock on a real API server, under the Role that we ship.
func open(t *testing.T, c testplane.Candidate) (*lock.Lock, *testplane.Plane) {
	t.Helper()
	p := testplane.Get(t)
	if c.Namespace == "" {
		c.Namespace = p.Namespace(t)
	}
	c.Pod, c.Election = "a", "music"
	access, err := kube.FromKubeconfig(p.Join(t, c).Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(access)
	if err != nil {
		t.Fatal(err)
	}
	kind := lock.Kind(c.Lock)
	if kind == "" {
		kind = lock.Leases
	}
	l, err := lock.New(client, kind, c.Namespace, c.Election)
	if err != nil {
		t.Fatal(err)
	}
	return l, p
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// tombstone creates the lock, and holds it with a sealed record.
func hold(t *testing.T, ctx context.Context, l *lock.Lock) engine.Record {
	t.Helper()
	if a := l.Read(ctx); a.Outcome != engine.Absent {
		t.Fatalf("a lock that is not there is read as %+v", a)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	a := l.Create(ctx, engine.Create{Put: engine.Record{Holder: engine.Vacant, Duration: 10 * time.Second, Acquired: now, Renewed: now, Tombstone: "n-1"}})
	if a.Outcome != engine.OK || a.Record.Tombstone != "n-1" || a.Record.Holder != engine.Vacant {
		t.Fatalf("the tombstone is answered by %+v", a)
	}
	a = l.Swap(ctx, engine.Swap{On: a.Record, Put: sealed(a.Record, "music-0", now)})
	if a.Outcome != engine.OK {
		t.Fatalf("the swap is answered by %+v", a)
	}
	return a.Record
}

func sealed(on engine.Record, holder string, now time.Time) engine.Record {
	put := engine.Record{Holder: holder, Duration: 10 * time.Second, Acquired: now, Renewed: now.Add(time.Second), Transitions: 1}
	put.Seal = &engine.Seal{
		Lock: on.UID, Holder: holder, Duration: put.Duration, Acquired: put.Acquired, Renewed: put.Renewed,
		Transitions: 1, Start: "s", Nonce: "s-" + on.Version.String(), Term: engine.Term(on.Version),
	}
	return put
}

func intact(r engine.Record) bool {
	s := r.Seal
	return s != nil && s.Lock == r.UID && s.Holder == r.Holder && s.Duration == r.Duration &&
		s.Acquired.Equal(r.Acquired) && s.Renewed.Equal(r.Renewed) && s.Transitions == r.Transitions
}

var objects = map[string]string{
	"leases":    "/apis/coordination.k8s.io/v1/namespaces/%/leases/music",
	"endpoints": "/api/v1/namespaces/%/endpoints/music",
}

func TestTheServerKeepsASealIntact(t *testing.T) {
	t.Parallel()
	for kind := range objects {
		l, _ := open(t, testplane.Candidate{Lock: kind})
		ctx := deadline(t)
		wrote := hold(t, ctx, l)
		read := l.Read(ctx).Record
		if !intact(wrote) || !intact(read) || read.Version != wrote.Version || read.Tombstone != "" {
			t.Errorf("%s: wrote %+v, read %+v", kind, wrote, read)
		}
		if read.Seal.Term == 0 || engine.Version(read.Seal.Term) >= read.Version {
			t.Errorf("%s: the term %v is not below the version %v that it led to", kind, read.Seal.Term, read.Version)
		}
	}
}

func TestASwapIsOnOneVersionOfOneObject(t *testing.T) {
	t.Parallel()
	for kind, path := range objects {
		p := testplane.Get(t)
		ns := p.Namespace(t)
		l, _ := open(t, testplane.Candidate{Lock: kind, Namespace: ns})
		ctx := deadline(t)
		old := hold(t, ctx, l)
		now := old.Renewed.Add(time.Minute)
		if a := l.Swap(ctx, engine.Swap{On: old, Put: sealed(old, "music-0", now)}); a.Outcome != engine.OK {
			t.Fatalf("%s: %+v", kind, a)
		}
		if a := l.Swap(ctx, engine.Swap{On: old, Put: sealed(old, "music-1", now)}); a.Outcome != engine.Conflict {
			t.Errorf("%s: a swap on an older version is answered by %+v", kind, a)
		}
		last := l.Read(ctx).Record
		if code, body := p.Do(t, http.MethodDelete, strings.Replace(path, "%", ns, 1), nil); code != http.StatusOK {
			t.Fatalf("delete: %d %s", code, body)
		}
		a := l.Swap(ctx, engine.Swap{On: last, Put: sealed(last, "music-0", now)})
		if a.Outcome != engine.Conflict && a.Outcome != engine.Absent {
			t.Errorf("%s: a swap on a deleted lock is answered by %+v", kind, a)
		}
		if a := l.Read(ctx); a.Outcome != engine.Absent {
			t.Errorf("%s: the swap created the deleted lock again: %+v", kind, a)
		}
	}
}

func TestAnEditByHandBreaksTheSealOnTheServer(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	l, _ := open(t, testplane.Candidate{Namespace: ns})
	ctx := deadline(t)
	hold(t, ctx, l)
	path := strings.Replace(objects["leases"], "%", ns, 1)
	if code, body := p.Do(t, http.MethodPatch, path, []byte(`{"metadata":{"labels":{"team":"radio"},"annotations":{"leader-elector.io/paused":"yes"}}}`)); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	if rec := l.Read(ctx).Record; !intact(rec) || !rec.Paused {
		t.Errorf("after a label and a pause: %+v; want the seal intact and the pause seen", rec)
	}
	if code, body := p.Do(t, http.MethodPatch, path, []byte(`{"spec":{"holderIdentity":"music-9"}}`)); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	if rec := l.Read(ctx).Record; intact(rec) || rec.Seal == nil {
		t.Errorf("after an edit of the holder: %+v; want the seal there and broken", rec)
	}
}

func TestTheWatchTellsChangesDeletionAndForbidden(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	l, _ := open(t, testplane.Candidate{Namespace: ns})
	ctx := deadline(t)
	rec := hold(t, ctx, l)
	events := watch(ctx, l)
	expect(t, ctx, events, "the lock as it is", func(e engine.Event) bool {
		o, ok := e.(engine.Observation)
		return ok && o.Record.Version == rec.Version && intact(o.Record)
	})
	expect(t, ctx, events, "that the watch stands", func(e engine.Event) bool { w, ok := e.(engine.Watching); return ok && w.OK })
	a := l.Swap(ctx, engine.Swap{On: rec, Put: sealed(rec, "music-1", rec.Renewed)})
	expect(t, ctx, events, "the swap", func(e engine.Event) bool {
		o, ok := e.(engine.Observation)
		return ok && o.Record.Version == a.Record.Version
	})
	p.Do(t, http.MethodDelete, strings.Replace(objects["leases"], "%", ns, 1), nil)
	expect(t, ctx, events, "the deletion at a newer version", func(e engine.Event) bool {
		o, ok := e.(engine.Observation)
		return ok && o.Deleted && o.Record.Version > a.Record.Version
	})
	blind, _ := open(t, testplane.Candidate{Without: []string{"watch"}})
	expect(t, ctx, watch(ctx, blind), "that watching is forbidden", func(e engine.Event) bool { w, ok := e.(engine.Watching); return ok && !w.OK })
}

func watch(ctx context.Context, l *lock.Lock) <-chan engine.Event {
	events := make(chan engine.Event)
	go l.Watch(ctx, func(e engine.Event) {
		select {
		case events <- e:
		case <-ctx.Done():
		}
	}, func(error) {})
	return events
}

func expect(t *testing.T, ctx context.Context, events <-chan engine.Event, what string, is func(engine.Event) bool) {
	t.Helper()
	for {
		select {
		case e := <-events:
			if is(e) {
				return
			}
		case <-ctx.Done():
			t.Fatalf("the watch never told %s", what)
		}
	}
}

func TestMissingRightsAreNamedByTheirRule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		without []string
		want    []string
	}{
		{nil, nil},
		{[]string{"watch", "list"}, nil},
		{[]string{"update"}, []string{"resourceNames: [music]", "verbs: [update]"}},
		{[]string{"create"}, []string{"verbs: [create]"}},
		{[]string{"get", "update", "create"}, []string{"verbs: [get, update]", "verbs: [create]"}},
	} {
		l, _ := open(t, testplane.Candidate{Without: c.without})
		err := l.CheckRights(deadline(t))
		if (err == nil) != (len(c.want) == 0) {
			t.Errorf("without %v: %v", c.without, err)
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("without %v it says %q, which lacks %q", c.without, err, want)
			}
		}
	}
}
