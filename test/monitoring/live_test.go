package monitoring

import (
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// A Prometheus with the configuration and the rules that we ship finds real
// sidecars at a real API server, stays quiet while they hand over and are rolled,
// and says so when they are gone. Nothing but the pace differs from a cluster.
func TestAPrometheusFindsThePodsAndSaysWhenTheyAreGone(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	candidate := func(name string) testplane.Candidate {
		return testplane.Candidate{Namespace: ns, Pod: name, Election: "radio"}
	}
	a := start(t, p, candidate("a"), "--ttl=4s", "--new-lock=immediate")
	a.until("leading", a.leads)
	b := start(t, p, candidate("b"), "--ttl=4s")
	b.until("standing by", b.standsBy)
	w := watch(t, shipped(t, p.Kubeconfig, ns), rulesFile)
	sees := func(what, expr string, want float64) {
		t.Helper()
		await(t, 2*time.Minute, what, func() bool { got, ok := w.ask(expr); return ok && got == want })
	}
	sees("both being scraped", `count(leader_elector_is_leader{election="radio"} == on(pod) group_left leader_elector_is_leader)`, 2)
	sees("one leader", `sum(leader_elector_is_leader)`, 1)
	sees("the pod's name beside the id", `count(leader_elector_is_leader{pod="a",id="a",namespace="`+ns+`"})`, 1)

	// A rolling update: c comes, the standby goes, d comes, the leader goes.
	c := start(t, p, candidate("c"), "--ttl=4s")
	c.until("standing by", c.standsBy)
	sees("three candidates", `count(leader_elector_is_leader)`, 3)
	b.end()
	d := start(t, p, candidate("d"), "--ttl=4s")
	d.until("standing by", d.standsBy)
	a.end()
	sees("one leader of the two that are left", `sum(leader_elector_is_leader) == 1 and count(leader_elector_is_leader) == 2`, 1)
	sees("the change being counted", `max(leader_elector_leader_changes_total)`, 1)
	if heard := w.heard(); len(heard) > 0 {
		t.Errorf("over a rolling update %v fired", heard)
	}

	for _, s := range []*sidecar{c, d} {
		s.end()
	}
	await(t, 4*time.Minute, "the alert that the candidates are gone", func() bool { return w.alert("LeaderElectorCandidatesGone") != nil })
	alert := w.alert("LeaderElectorCandidatesGone")
	if got := alert.Labels.Get("election_namespace") + "/" + alert.Labels.Get("election"); got != ns+"/radio" {
		t.Errorf("the alert is about %s", got)
	}
	if text := alert.Annotations.Get("description"); !strings.Contains(text, ns+"/radio are gone") {
		t.Errorf("the alert says %q", text)
	}
	if heard := w.heard(); len(heard) != 1 {
		t.Errorf("%v fired, want the one", heard)
	}
}
