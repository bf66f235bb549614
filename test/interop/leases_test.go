package interop_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

const (
	lease = 4 * time.Second
	slack = 7 * time.Second // what a foreign holder is given beyond its lease
)

func list(all ...*member) func() []*member { return func() []*member { return all } }

func TestClientGoWaitsForOurLeaseAndFollowsOurRelease(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	we := ours(t, p, ns, "ours", "")
	wait(t, "our lead", we.acts)
	they := clientGo(t, p, ns, "theirs", true)
	judge(t, list(we, they))
	// They see a holder that renews for longer than their own lease.
	held := time.NewTimer(2 * lease)
	<-held.C
	if they.acts() || !we.acts() {
		t.Fatalf("after two leases client-go acts: %v, we: %v", they.acts(), we.acts())
	}
	we.end()
	took := wait(t, "client-go following our release", they.acts)
	t.Logf("client-go followed our release after %v", took)
	if took > lease {
		t.Errorf("client-go waited %v for a lock that was released", took)
	}
}

func TestWeWaitForClientGoAndAFewSecondsMore(t *testing.T) {
	t.Parallel()
	for name, release := range map[string]bool{"which dies": false, "which releases": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testplane.Get(t)
			ns := p.Namespace(t)
			they := clientGo(t, p, ns, "theirs", release)
			wait(t, "client-go's lead", they.acts)
			we := ours(t, p, ns, "ours", "")
			judge(t, list(we, they))
			begun := time.Now()
			they.end()
			wait(t, "our lead", we.acts)
			took := time.Since(begun)
			t.Logf("we followed after %v", took)
			// A release of theirs is an empty record that anybody can have made.
			if took < lease-time.Second {
				t.Errorf("we followed client-go after %v, before its lease of %v was over", took, lease)
			}
			if limit := lease + slack + 2*time.Second; took > limit {
				t.Errorf("we followed client-go after %v, later than %v", took, limit)
			}
		})
	}
}

func TestAClientGoThatEmptiesOurRecordMakesNoTwoLeadersOfOurs(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	a, b := ours(t, p, ns, "a", ""), ours(t, p, ns, "b", "")
	judge(t, list(a, b))
	wait(t, "a lead", func() bool { return a.acts() || b.acts() })
	// What its tryRelease writes when it wakes from a freeze beside a successor.
	path := "/apis/coordination.k8s.io/v1/namespaces/" + ns + "/leases/" + election
	if code, body := p.Do(t, http.MethodPatch, path, []byte(`{"spec":{"holderIdentity":"","leaseDurationSeconds":1}}`)); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	wait(t, "the lead being lost", func() bool { return !a.acts() && !b.acts() })
	if took := wait(t, "a lead again", func() bool { return a.acts() || b.acts() }); took < lease-time.Second {
		t.Errorf("the emptied record was taken after %v: its leader might have acted on", took)
	}
}

func TestAMixedElectionHasOneLeader(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	var mu sync.Mutex
	var all []*member
	members := func() []*member { mu.Lock(); defer mu.Unlock(); return append([]*member{}, all...) }
	enter := func(m *member) { mu.Lock(); defer mu.Unlock(); all = append(all, m) }
	enter(ours(t, p, ns, "ours-1", ""))
	enter(clientGo(t, p, ns, "theirs-1", true))
	enter(ours(t, p, ns, "ours-2", ""))
	enter(clientGo(t, p, ns, "theirs-2", false))
	judge(t, members)
	// Whoever leads is ended, three times: the last one is left alone.
	for range 3 {
		var leader *member
		wait(t, "a leader", func() bool {
			for _, m := range members() {
				if m.acts() {
					leader = m
					return true
				}
			}
			return false
		})
		t.Logf("%s leads", leader.name)
		leader.end()
		mu.Lock()
		for i, m := range all {
			if m == leader {
				all = append(all[:i:i], all[i+1:]...)
				break
			}
		}
		mu.Unlock()
	}
	wait(t, "the last one leading", members()[0].acts)
}
