package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/netfault"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// These tests talk to a real kube-apiserver under the Role that we ship.

// soon bounds what a healthy server does, on a slow machine.
const soon = 20 * time.Second

// joined is a client with the rights of a candidate, and its lock's name.
func joined(t *testing.T, p *testplane.Plane, who testplane.Candidate) (*Client, Ref) {
	t.Helper()
	who.Pod, who.Election = "a", "station"
	if who.Namespace == "" {
		who.Namespace = p.Namespace(t)
	}
	a, err := FromKubeconfig(p.Join(t, who).Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	c := testClient(t, a)
	t.Cleanup(c.line.close)
	return c, Ref{APIVersion: "coordination.k8s.io/v1", Resource: "leases", Namespace: who.Namespace, Name: who.Election}
}

// through is a forwarder in front of the plane's API server, and its URL.
func through(t *testing.T, p *testplane.Plane) (*netfault.Forwarder, string) {
	t.Helper()
	u, err := url.Parse(p.Server)
	if err != nil {
		t.Fatal(err)
	}
	f := netfault.Forward(t, u.Host)
	return f, "https://" + f.Addr()
}

func fresh(ref Ref, holder string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":%q},"spec":{"holderIdentity":%q}}`, ref.Name, holder)
}

func create(t *testing.T, c *Client, ref Ref) []byte {
	t.Helper()
	b, err := c.Create(t.Context(), ref, fresh(ref, "a"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// held is b with another holder.
func held(t *testing.T, b []byte, holder string) []byte {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	o["spec"].(map[string]any)["holderIdentity"] = holder
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// change writes another holder as the administrator, past any forwarder.
func change(t *testing.T, p *testplane.Plane, ref Ref, holder string) {
	t.Helper()
	if code, b := p.Do(t, http.MethodPatch, ref.path(), fmt.Appendf(nil, `{"spec":{"holderIdentity":%q}}`, holder)); code != 200 {
		t.Fatalf("%d %s", code, b)
	}
}

func remove(t *testing.T, p *testplane.Plane, ref Ref) {
	t.Helper()
	if code, b := p.Do(t, http.MethodDelete, ref.path(), nil); code != 200 {
		t.Fatalf("%d %s", code, b)
	}
}

func holder(b []byte) string {
	var o struct {
		Spec struct{ HolderIdentity string }
	}
	json.Unmarshal(b, &o)
	return o.Spec.HolderIdentity
}

// feed is a watch's events as they come.
type feed chan Event

// following starts a watch that ends with the test.
func following(t *testing.T, c *Client, ref Ref) feed {
	t.Helper()
	f := make(feed, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { c.Watch(ctx, ref, func(e Event) { f <- e }) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return f
}

// next is the next event, which must be of that type; failures are passed over
// unless one is wanted.
func (f feed) next(t *testing.T, want EventType) Event {
	t.Helper()
	timeout := time.After(soon)
	for {
		select {
		case e := <-f:
			if e.Type == want {
				return e
			}
			if e.Type != Failed {
				t.Fatalf("%s (%v), want %s", say(e), e.Err, say(Event{Type: want}))
			}
		case <-timeout:
			t.Fatalf("nothing within %v, want %s", soon, say(Event{Type: want}))
		}
	}
}

func TestAWriteIsReadBack(t *testing.T) {
	c, ref := joined(t, testplane.Get(t), testplane.Candidate{})
	if _, err := c.Get(t.Context(), ref); !errors.Is(err, ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	b := create(t, c, ref)
	if _, err := c.Create(t.Context(), ref, fresh(ref, "b")); !errors.Is(err, ErrConflict) {
		t.Errorf("a second creation: %v", err)
	}
	if _, err := c.Update(t.Context(), ref, held(t, b, "c")); err != nil {
		t.Error(err)
	}
	if b, err := c.Get(t.Context(), ref); err != nil || holder(b) != "c" {
		t.Errorf("%s, %v", b, err)
	}
}

func TestAStaleUpdateConflicts(t *testing.T) {
	p := testplane.Get(t)
	c, ref := joined(t, p, testplane.Candidate{})
	old := create(t, c, ref)
	if _, err := c.Update(t.Context(), ref, held(t, old, "b")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Update(t.Context(), ref, held(t, old, "c")); !errors.Is(err, ErrConflict) {
		t.Errorf("on an old version: %v", err)
	}
	remove(t, p, ref)
	if b, err := c.Update(t.Context(), ref, held(t, old, "c")); !errors.Is(err, ErrConflict) {
		t.Errorf("on a deleted lease: %s, %v", b, err)
	}
	create(t, c, ref)
	if _, err := c.Update(t.Context(), ref, held(t, old, "c")); !errors.Is(err, ErrConflict) {
		t.Errorf("on another lease of the name: %v", err)
	}
	if b, err := c.Get(t.Context(), ref); err != nil || holder(b) != "a" {
		t.Errorf("something was written: %s, %v", b, err)
	}
}

func TestAListedObjectCanBeWrittenBack(t *testing.T) {
	c, ref := joined(t, testplane.Get(t), testplane.Candidate{})
	create(t, c, ref)
	listed := following(t, c, ref).next(t, Listed)
	if b, err := c.Update(t.Context(), ref, held(t, listed.Object, "b")); err != nil || holder(b) != "b" {
		t.Errorf("%s, %v", b, err)
	}
}

func TestAWatchSeesChangesDeletionAndCreation(t *testing.T) {
	p := testplane.Get(t)
	c, ref := joined(t, p, testplane.Candidate{})
	f := following(t, c, ref)
	f.next(t, Missing)
	f.next(t, Up)
	b := create(t, c, ref)
	if e := f.next(t, Changed); holder(e.Object) != "a" {
		t.Errorf("%s", e.Object)
	}
	if _, err := c.Update(t.Context(), ref, held(t, b, "b")); err != nil {
		t.Fatal(err)
	}
	changed := f.next(t, Changed)
	if holder(changed.Object) != "b" {
		t.Errorf("%s", changed.Object)
	}
	remove(t, p, ref)
	if e := f.next(t, Deleted); version(t, e.Object) == version(t, changed.Object) || holder(e.Object) != "b" {
		t.Errorf("%s", e.Object)
	}
	create(t, c, ref)
	f.next(t, Changed)
}

func version(t *testing.T, b []byte) string {
	t.Helper()
	var o object
	if err := json.Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	return o.Metadata.ResourceVersion
}

func TestACutWatchGoesOnWhereItWas(t *testing.T) {
	p := testplane.Get(t)
	faults, server := through(t, p)
	c, ref := joined(t, p, testplane.Candidate{Server: server})
	create(t, c, ref)
	f := following(t, c, ref)
	f.next(t, Listed)
	f.next(t, Up)
	for i := range 5 {
		faults.Cut()
		name := fmt.Sprint("cut-", i)
		change(t, p, ref, name)
		f.next(t, Failed)
		f.next(t, Up)
		if e := f.next(t, Changed); holder(e.Object) != name {
			t.Errorf("%s", e.Object)
		}
	}
}

func TestAFrozenWatchIsFreedByRewatch(t *testing.T) {
	p := testplane.Get(t)
	faults, server := through(t, p)
	c, ref := joined(t, p, testplane.Candidate{Server: server})
	create(t, c, ref)
	f := following(t, c, ref)
	f.next(t, Listed)
	f.next(t, Up)
	change(t, p, ref, "before")
	f.next(t, Changed)
	faults.Freeze()
	change(t, p, ref, "after")
	c.Rewatch()
	if e := f.next(t, Changed); holder(e.Object) != "after" {
		t.Errorf("%s", e.Object)
	}
}

func TestAFrozenConnectionCostsOneAttempt(t *testing.T) {
	p := testplane.Get(t)
	faults, server := through(t, p)
	c, ref := joined(t, p, testplane.Candidate{Server: server})
	b := create(t, c, ref)
	for i := range 5 {
		if n := faults.Freeze(); n != 1 {
			t.Fatalf("%d connections were in use, want 1", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := c.Update(ctx, ref, held(t, b, "lost"))
		cancel()
		var e *Error
		if !errors.As(err, &e) || e.NotSent() || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("on the frozen connection: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), soon)
		b, err = c.Update(ctx, ref, held(t, b, fmt.Sprint(i)))
		cancel()
		if err != nil {
			t.Fatalf("the attempt after it: %v", err)
		}
	}
}

func TestARoleWithoutWatchIsNamedAndTheRestWorks(t *testing.T) {
	c, ref := joined(t, testplane.Get(t), testplane.Candidate{Without: []string{"watch"}})
	create(t, c, ref)
	f := following(t, c, ref)
	f.next(t, Listed)
	err := f.next(t, Forbidden).Err
	if want := "add to the Role: {apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [station], verbs: [watch]}"; !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v", err)
	}
	if _, err := c.Get(t.Context(), ref); err != nil {
		t.Error(err)
	}
}

func TestEachMissingVerbIsNamed(t *testing.T) {
	c, ref := joined(t, testplane.Get(t), testplane.Candidate{Without: []string{"get", "create", "update", "list", "watch"}})
	_, get := c.Get(t.Context(), ref)
	_, made := c.Create(t.Context(), ref, fresh(ref, "a"))
	_, update := c.Update(t.Context(), ref, []byte(body("u", "1")))
	for verb, err := range map[string]error{"[get]": get, "[create]": made, "[update]": update, "[list, watch]": following(t, c, ref).next(t, Forbidden).Err} {
		if !errors.Is(err, ErrForbidden) || !strings.HasSuffix(err.Error(), "verbs: "+verb+"}") {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

func TestARejectedTokenIsReadAnewAtOnce(t *testing.T) {
	p := testplane.Get(t)
	ns := p.Namespace(t)
	creds := p.Join(t, testplane.Candidate{Namespace: ns, Pod: "a", Election: "station"})
	root := podRoot(t)
	ca, err := os.ReadFile(creds.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, serviceAccount, "ca.crt"), string(ca))
	u, err := url.Parse(creds.Server)
	if err != nil {
		t.Fatal(err)
	}
	a, err := inCluster(u.Hostname(), u.Port(), root)
	if err != nil {
		t.Fatal(err)
	}
	c := testClient(t, a)
	defer c.line.close()
	ref := Ref{APIVersion: "coordination.k8s.io/v1", Resource: "leases", Namespace: ns, Name: "station"}
	if _, err := c.Get(t.Context(), ref); !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), "token has expired or is not of this cluster") && !strings.Contains(err.Error(), a.TokenFile) {
		t.Errorf("with a wrong token: %v", err)
	}
	write(t, a.TokenFile, creds.Token)
	if _, err := c.Create(t.Context(), ref, fresh(ref, "a")); err != nil {
		t.Errorf("with the rotated one: %v", err)
	}
}

func TestACertificateIsACredential(t *testing.T) {
	p := testplane.Get(t)
	a, err := FromKubeconfig(p.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	c := testClient(t, a)
	defer c.line.close()
	ref := Ref{APIVersion: "v1", Resource: "endpoints", Namespace: p.Namespace(t), Name: "station"}
	if _, err := c.Create(t.Context(), ref, []byte(`{"metadata":{"name":"station"}}`)); err != nil {
		t.Error(err)
	}
	ref.Namespace = "nowhere"
	if _, err := c.Create(t.Context(), ref, []byte(`{"metadata":{"name":"station"}}`)); errors.Is(err, ErrNotFound) || err == nil || !strings.HasSuffix(err.Error(), "set --election-namespace") {
		t.Errorf("in a namespace that is not there: %v", err)
	}
	ref.Namespace, ref.Resource = "default", "nothings"
	if _, err := c.Get(t.Context(), ref); errors.Is(err, ErrNotFound) || err == nil || !strings.HasSuffix(err.Error(), "this server has no nothings of v1") {
		t.Errorf("of a kind that is not there: %v", err)
	}
}
