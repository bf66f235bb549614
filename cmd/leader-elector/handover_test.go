package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/status"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// patient asks for what may take as long as an app takes to stop.
var patient = &http.Client{Timeout: 30 * time.Second}

// stepDown asks over HTTP.
func (k *process) stepDown(t *testing.T, body string) (int, status.HandedOver) {
	t.Helper()
	resp, err := patient.Post(k.url+"/step-down", "", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var a status.HandedOver
	if err := json.Unmarshal(data, &a); err != nil {
		t.Fatalf("%d %s", resp.StatusCode, data)
	}
	return resp.StatusCode, a
}

// command runs a subcommand as somebody beside the sidecar does.
func (k *process) command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return command(t, append(args, "--http="+strings.TrimPrefix(k.url, "http://"))...)
}

func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), asProgram+"=1"), &out, &errs
	cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// lease is the lock of an election, and annotate what an operator does to it.
func lease(ns string) string {
	return "/apis/coordination.k8s.io/v1/namespaces/" + ns + "/leases/music"
}

func annotate(t *testing.T, p *testplane.Plane, ns, name string, value any) {
	t.Helper()
	patch := jsonText(map[string]any{"metadata": map[string]any{"annotations": map[string]any{"leader-elector.io/" + name: value}}})
	if code, body := p.Do(t, http.MethodPatch, lease(ns), []byte(patch)); code != http.StatusOK {
		t.Fatalf("annotating the lease: %d %s", code, body)
	}
}

func annotation(t *testing.T, p *testplane.Plane, ns, name string) (string, bool) {
	t.Helper()
	code, body := p.Do(t, http.MethodGet, lease(ns), nil)
	var l struct {
		Metadata struct{ Annotations map[string]string }
	}
	if err := json.Unmarshal(body, &l); err != nil || code != http.StatusOK {
		t.Fatalf("reading the lease: %d %s", code, body)
	}
	value, ok := l.Metadata.Annotations["leader-elector.io/"+name]
	return value, ok
}

// pairIn is pair, and says in which namespace.
func pairIn(t *testing.T, p *testplane.Plane) (ns string, a, b *process) {
	t.Helper()
	a, b = pair(t, p)
	var v status.View
	if _, body := a.get("/status"); json.Unmarshal([]byte(body), &v) != nil {
		t.Fatal(body)
	}
	return v.Namespace, a, b
}

func TestPOSTStepDownMovesTheLead(t *testing.T) {
	t.Parallel()
	a, b := pair(t, testplane.Get(t))
	if code, answer := a.stepDown(t, ""); code != http.StatusOK || !answer.HandedOver || answer.To != "b" || answer.IsLeader {
		t.Errorf("a answers %d %+v", code, answer)
	}
	eventually(t, "b leading", b.leads)
	if a.leads() {
		t.Error("a leads too")
	}
	if code, answer := b.stepDown(t, `{"to":"a"}`); code != http.StatusOK || answer.To != "a" {
		t.Errorf("back: b answers %d %+v", code, answer)
	}
	eventually(t, "a leading again", a.leads)
}

func TestARefusedHandOverLeavesTheLeadWithTheReason(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns, a, b := pairIn(t, p)
	sick := launch(t, p, testplane.Candidate{Namespace: ns, Pod: "sick", Election: "music"}, "--health-check=file:///nowhere?max-age=1s", "--health-start-wait=1ms")
	eventually(t, "the sick one knowing a, and that it is sick", func() bool {
		return sick.names("a") && strings.HasPrefix(sick.status(t).Waiting, "unfit: ") && sick.status(t).Ready
	})
	annotate(t, p, ns, "paused", "true")
	eventually(t, "a knowing the pause", func() bool { _, body := a.get("/status"); return strings.Contains(body, `"paused":true`) })
	if code, answer := a.stepDown(t, ""); code != http.StatusConflict || !answer.IsLeader || !answer.Paused || answer.Reason != "the election is paused" {
		t.Errorf("while paused: %d %+v", code, answer)
	}
	annotate(t, p, ns, "paused", nil)
	eventually(t, "a knowing the end of the pause", func() bool { _, body := a.get("/status"); return strings.Contains(body, `"paused":false`) })
	for to, want := range map[string]string{
		"nobody": `"nobody" did not accept`,
		"sick":   `"sick" did not accept`,
		"a":      "this candidate leads already",
	} {
		if code, answer := a.stepDown(t, jsonText(map[string]string{"to": to})); code != http.StatusConflict || !answer.IsLeader || !strings.Contains(answer.Reason, want) {
			t.Errorf("to %s: %d %+v", to, code, answer)
		}
		if !a.leads() {
			t.Fatalf("to %s: the refused hand-over cost the lead", to)
		}
	}
	if code, answer := b.stepDown(t, ""); code != http.StatusConflict || answer.IsLeader || answer.Reason != "this candidate does not lead" {
		t.Errorf("a standby answers %d %+v", code, answer)
	}
}

func TestStepDownAsACommandSaysWhatCameOfIt(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns, a, b := pairIn(t, p)
	say := func(k *process, wantCode int, want string, args ...string) {
		t.Helper()
		begun := time.Now()
		code, out, errs := k.command(t, args...)
		if code != wantCode || !strings.Contains(out+errs, want) || strings.Count(out+errs, "\n") != 1 || (code == 0) != (errs == "") {
			t.Errorf("%v to %s: exit %d, stdout %q, stderr %q; want exit %d and %q", args, k.name, code, out, errs, wantCode, want)
		}
		t.Logf("%v to %s took %v: %s", args, k.name, time.Since(begun), out+errs)
	}
	say(b, 0, "nothing to hand over: this candidate does not lead", "step-down", "--wait")
	say(b, 1, `not handed over to "c": this candidate does not lead`, "step-down", "--to=c")
	say(a, 1, `"nobody" did not accept within 1s`, "step-down", "--to=nobody")
	annotate(t, p, ns, "paused", "true")
	eventually(t, "both knowing the pause", func() bool {
		_, one := a.get("/status")
		_, other := b.get("/status")
		return strings.Contains(one, `"paused":true`) && strings.Contains(other, `"paused":true`)
	})
	say(a, 0, "the election is paused (this pod goes on leading)", "step-down", "--wait")
	say(b, 0, "the election is paused (this pod does not lead)", "step-down", "--wait")
	say(a, 1, "the election is paused", "step-down", "--to=b")
	annotate(t, p, ns, "paused", nil)
	eventually(t, "a knowing the end of the pause", func() bool { _, body := a.get("/status"); return strings.Contains(body, `"paused":false`) })

	say(a, 0, `handed over to "b"; "b" leads`, "step-down", "--wait")
	if !b.leads() {
		t.Error("step-down --wait returned before b led")
	}
	say(b, 0, `handed over to "a"`, "step-down", "--to=a")
	eventually(t, "a leading again", a.leads)

	b.cmd.Process.Kill()
	<-b.exited
	say(a, 1, "no candidate accepted within 1s; this pod goes on leading", "step-down", "--wait")
	if !a.leads() {
		t.Error("a does not lead any more")
	}
	say(b, 1, "is the sidecar running?", "step-down", "--wait")
}

func TestStatusAsACommand(t *testing.T) {
	t.Parallel()
	a, b := pair(t, testplane.Get(t))
	if code, out, errs := a.command(t, "status"); code != 0 || !strings.Contains(out, "a leads\n") || !strings.Contains(out, "/music (leases)\n") {
		t.Errorf("a: exit %d\n%s%s", code, out, errs)
	}
	if code, out, errs := b.command(t, "status"); code != 0 || !strings.Contains(out, `b stands by: "a" holds the lock`) {
		t.Errorf("b: exit %d\n%s%s", code, out, errs)
	}
	var v status.View
	if code, out, errs := b.command(t, "status", "-o", "json"); code != 0 || json.Unmarshal([]byte(out), &v) != nil || v.Leader != "a" {
		t.Errorf("b as JSON: exit %d\n%s%s", code, out, errs)
	}
}

func TestAnOperatorMovesTheLeadByAnAnnotation(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns, a, b := pairIn(t, p)
	gone := func() bool { _, ok := annotation(t, p, ns, "switchover-to"); return !ok }

	annotate(t, p, ns, "switchover-to", "b/a") // b does not lead: it was meant for another lead
	eventually(t, "the request to another holder being removed", gone)
	if !a.leads() || b.leads() {
		t.Errorf("a request to another holder moved the lead: a %v, b %v", a.leads(), b.leads())
	}
	annotate(t, p, ns, "switchover-to", "a/nobody")
	eventually(t, "the request that nobody accepts being removed", gone)
	eventually(t, "a telling in its log why", func() bool { return strings.Contains(a.log.String(), `\"nobody\" did not accept within 1s`) })
	if !a.leads() {
		t.Error("a request that nobody accepts cost the lead")
	}
	annotate(t, p, ns, "switchover-to", "a/b")
	eventually(t, "b leading", b.leads)
	eventually(t, "the request being removed", gone)
	annotate(t, p, ns, "switchover-to", "b/")
	eventually(t, "a leading", a.leads)
}

func TestPausedNobodyFollowsUntilItIsResumed(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns, a, b := pairIn(t, p)
	annotate(t, p, ns, "paused", "true")
	eventually(t, "b knowing the pause", func() bool { return strings.Contains(b.status(t).Waiting, "paused") })
	a.cmd.Process.Kill() // its lease runs out
	<-a.exited
	eventually(t, "b saying that the holder expired", func() bool {
		if b.leads() {
			t.Fatal("b acquired while the election is paused")
		}
		_, body := b.get("/status")
		return strings.Contains(body, `"holderExpired":true`)
	})
	annotate(t, p, ns, "paused", nil)
	eventually(t, "b leading", b.leads)
}

func TestSomebodyElseOnThePortIsNotTakenForASidecar(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"an old sidecar": func(w http.ResponseWriter) {
			http.Error(w, "/step-down only answers GET and HEAD", http.StatusMethodNotAllowed)
		},
		"some API": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error":"no such thing"}`)
		},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) })}
		go s.Serve(l)
		t.Cleanup(func() { s.Close() })
		for _, sub := range []string{"step-down", "status"} {
			if code, out, errs := command(t, sub, "--http="+l.Addr().String()); code != 1 || out != "" || !strings.Contains(errs, "no leader-elector") {
				t.Errorf("%s, %s: exit %d, %q %q", name, sub, code, out, errs)
			}
		}
	}
}
