package main

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// describe is what `kubectl describe` prints of an object's events.
func describe(t *testing.T, p *testplane.Plane, namespace, what string) string {
	t.Helper()
	cmd := exec.Command(realKubectl(t, p), "describe", "-n", namespace, what)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.Kubeconfig)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl describe %s: %v\n%s", what, err, out)
	}
	_, events, _ := strings.Cut(string(out), "\nEvents:")
	return events
}

func TestKubectlDescribeTellsAHandOverOfTheLockAndOfThePods(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music", Events: true}
	a := execute(t, c, podRoot(t, p, c), []string{"--new-lock=immediate", "--events"})
	eventually(t, "a leading", a.leads)
	c.Pod = "b"
	b := execute(t, c, podRoot(t, p, c), []string{"--events"})
	eventually(t, "b being able to take over", func() bool { code, _ := b.get("/standby"); return code == http.StatusOK })
	if code, answer := a.stepDown(t, ""); code != http.StatusOK {
		t.Fatalf("a does not hand over: %d %+v", code, answer)
	}
	eventually(t, "b leading", b.leads)
	b.cmd.Process.Signal(syscall.SIGTERM)
	<-b.exited // what b says last is stored by now
	eventually(t, "a leading again", a.leads)
	eventually(t, "a having nothing more to record", func() bool {
		return a.metric(t, "leader_elector_events_total", `result="stored"`) == 10
	})
	for what, wanted := range map[string][]string{
		"lease/music": {
			`Warning +LockMissing .* leader-elector .*a: the lock is missing`,
			`Normal +BecameLeader .*a leads, term \d+; it saw nobody lead before`,
			`Normal +GaveUpLead .*a led for .*, term \d+, and does not any more \(handover\): handed over to b`,
			`Normal +HandedOver .*a released the lock for b, who had accepted to take over`,
			`Normal +BecameLeader .*b leads, term \d+; a had led for .*s, nobody for .*s \(the lock was released\)`,
			`Normal +GaveUpLead .*b led for .*\(stopping\)`,
			`Normal +BecameLeader .*a leads, term \d+; b had led for`,
		},
		"pod/a": {`BecameLeader .*a leads`, `HandedOver`, `BecameLeader .*a leads, term \d+; b had led for`},
		"pod/b": {`BecameLeader .*b leads`, `GaveUpLead .*\(stopping\)`},
	} {
		events := describe(t, p, c.Namespace, what)
		for _, want := range wanted {
			if !regexp.MustCompile(want).MatchString(events) {
				t.Errorf("kubectl describe %s does not say %s:\n%s", what, want, events)
			}
		}
	}
}

// The election does not need the right, and says once which rule mends it.
func TestWithoutTheRightToRecordEventsTheElectionGoesOn(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
	a := execute(t, c, podRoot(t, p, c), []string{"--new-lock=immediate", "--events"})
	eventually(t, "a leading and ready", func() bool { return a.leads() && a.status(t).Ready })
	eventually(t, "the refusals being counted", func() bool { return a.metric(t, "leader_elector_events_total", `result="forbidden"`) >= 2 })
	if n := strings.Count(a.log.String(), "resources: [events], verbs: [create, patch]"); n != 1 {
		t.Errorf("the log names the rule %d times, want once", n)
	}
	if s := a.status(t); s.LastError != "" {
		t.Errorf("the status says that something is wrong: %s", s.LastError)
	}
}

func TestWhatKeepsTheTrafficFromFollowingIsRecorded(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music", Service: "radio", Events: true}
	a := execute(t, c, podRoot(t, p, c), []string{"--new-lock=immediate", "--events", "--route=endpointslice", "--service=radio", "--pod-ip=10.1.2.3"})
	eventually(t, "a leading", a.leads)
	eventually(t, "the fault being counted", func() bool { return a.metric(t, "leader_elector_routing_fault", "") == 1 })
	eventually(t, "the fault being recorded", func() bool { return strings.Contains(describe(t, p, c.Namespace, "pod/a"), "CannotRoute") })
	makeService(t, p, c.Namespace, `{"ports":[{"port":80,"targetPort":8080}]}`)
	eventually(t, "the traffic going to a", func() bool { return routedTo(t, p, c.Namespace) == "10.1.2.3" })
	eventually(t, "its end being recorded", func() bool { return strings.Contains(describe(t, p, c.Namespace, "pod/a"), "RoutesAgain") })
	eventually(t, "the write being counted", func() bool {
		return a.metric(t, "leader_elector_route_writes_total", `resource="endpointslices",result="stored"`) >= 1
	})
}
