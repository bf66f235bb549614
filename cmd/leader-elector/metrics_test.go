package main

import (
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// metric is a sample of /metrics; labels are those beyond the election's.
func (k *process) metric(t *testing.T, name, labels string) float64 {
	t.Helper()
	code, body := k.get("/metrics")
	if code != http.StatusOK {
		t.Fatalf("%s: /metrics answers %d %s", k.name, code, body)
	}
	for line := range strings.Lines(body) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if strings.HasPrefix(series, name+"{election_namespace=") && strings.HasSuffix(series, labels) {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			return v
		}
	}
	t.Fatalf("%s: there is no %s with %s in\n%s", k.name, name, labels, body)
	return 0
}

func TestMetricsFollowAHandOver(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
	a := launch(t, p, c, "--new-lock=immediate")
	eventually(t, "a leading", func() bool { return a.names("a") })
	c.Pod = "b"
	b := launch(t, p, c)
	eventually(t, "b knowing a", func() bool { return b.names("a") && b.status(t).Ready })
	eventually(t, "a renewal of a", func() bool { return a.metric(t, "leader_elector_renewal_margin_seconds_count", "") > 0 })
	for _, want := range []struct {
		of           *process
		name, labels string
		value        float64
	}{
		{a, "leader_elector_is_leader", "", 1},
		{a, "leader_elector_can_take_over", "", 0},
		{b, "leader_elector_is_leader", "", 0},
		{b, "leader_elector_leader_known", "", 1},
		{b, "leader_elector_can_take_over", "", 1},
		{b, "leader_elector_trust_seconds", "", 0},
		{b, "leader_elector_leader_changes_total", "", 0},
		{b, "leader_elector_api_requests_total", `verb="watch",resource="leases",code="200"`, 1},
	} {
		if got := want.of.metric(t, want.name, want.labels); got != want.value {
			t.Errorf("%s: %s{%s} is %v, want %v", want.of.name, want.name, want.labels, got, want.value)
		}
	}
	if left := a.metric(t, "leader_elector_renewal_margin_seconds_sum", ""); left <= 0 || left > 4*a.metric(t, "leader_elector_renewal_margin_seconds_count", "") {
		t.Errorf("the renewals had %v s left in all; trust is less than the ttl of 4 s", left)
	}
	if n := a.metric(t, "leader_elector_api_requests_total", `verb="update",resource="leases",code="200"`); n < 2 {
		t.Errorf("a acquired and renewed with %v updates", n)
	}

	send(t, a.cmd.Process.Pid, syscall.SIGTERM)
	eventually(t, "b leading", func() bool { return b.metric(t, "leader_elector_is_leader", "") == 1 })
	if n := b.metric(t, "leader_elector_leader_changes_total", ""); n != 1 {
		t.Errorf("b counts %v changes of the leader, want 1", n)
	}
	if told := strconv.FormatFloat(b.metric(t, "leader_elector_term", ""), 'f', -1, 64); told != *b.status(t).Term {
		t.Errorf("the metric's term is %s, the status' %s", told, *b.status(t).Term)
	}

	// What is shown is computed when it is asked.
	send(t, b.cmd.Process.Pid, syscall.SIGSTOP)
	over := elector.BootTime() + 4*time.Second
	eventually(t, "the end of b's trust", func() bool { return elector.BootTime() > over })
	send(t, b.cmd.Process.Pid, syscall.SIGCONT)
	if b.metric(t, "leader_elector_is_leader", "") != 0 {
		t.Error("woken after its trust had ended, b's first scrape says that it leads")
	}
}
