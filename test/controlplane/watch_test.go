package controlplane

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestAWatchThatBreaksMissesNoChange restarts the API server between two changes
// of one object: a watcher that only listed anew would see the second alone.
func TestAWatchThatBreaksMissesNoChange(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	plane, err := Start(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer plane.Stop()
	namespace, err := plane.Namespace(ctx)
	if err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/namespaces/" + namespace + "/configmaps"
	seen := make(chan string, 100)
	ready := plane.Watch(ctx, path+"?labelSelector=watched", func(c Change) {
		var o struct{ Data struct{ N string } }
		json.Unmarshal(c.Object, &o)
		seen <- c.Type + o.Data.N
	})
	select {
	case <-ready:
	case <-ctx.Done():
		t.Fatal("no list")
	}
	set := func(n int) {
		t.Helper()
		if err := plane.Do(ctx, http.MethodPatch, path+"/it", object{"data": object{"N": fmt.Sprint(n)}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := plane.Do(ctx, http.MethodPost, path, object{"metadata": object{"name": "it", "labels": object{"watched": ""}}}, nil); err != nil {
		t.Fatal(err)
	}
	set(1)
	expect(t, ctx, seen, "LISTING", "SYNCED", "ADDED", "MODIFIED1")
	if err := plane.APIServer.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := plane.APIServer.Start(); err != nil {
		t.Fatal(err)
	}
	if err := plane.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	set(2)
	set(3)
	if err := plane.Do(ctx, http.MethodDelete, path+"/it", nil, nil); err != nil {
		t.Fatal(err)
	}
	expect(t, ctx, seen, "MODIFIED2", "MODIFIED3", "DELETED3")
}

func expect(t *testing.T, ctx context.Context, seen <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-seen:
			if got != w {
				t.Fatalf("the watch told %s, want %s of %v", got, w, want)
			}
		case <-ctx.Done():
			t.Fatalf("the watch did not tell %s", w)
		}
	}
}
