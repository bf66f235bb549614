package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// TestALockThatIsBrokenIsToldAndTakenAgain breaks the lock under a process that
// leads by it, with 0.5's lock too, as only its annotation can hold nonsense.
func TestALockThatIsBrokenIsToldAndTakenAgain(t *testing.T) {
	for kind, lock := range map[string]struct{ path, emptied, malformed string }{
		"leases": {"/apis/coordination.k8s.io/v1/namespaces/NS/leases/music",
			`{"spec":{"holderIdentity":"","renewTime":null}}`, ""},
		"endpoints": {"/api/v1/namespaces/NS/endpoints/music",
			`{"metadata":{"annotations":{"control-plane.alpha.kubernetes.io/leader":""}}}`,
			`{"metadata":{"annotations":{"control-plane.alpha.kubernetes.io/leader":"{nonsense"}}}`},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := testplane.Get(t)
			c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music", Lock: kind}
			path := strings.Replace(lock.path, "NS", c.Namespace, 1)
			a := launch(t, p, c, "--lock="+kind, "--election-namespace="+c.Namespace, "--new-lock=immediate")
			eventually(t, "a leading", a.leads)
			for _, fault := range []struct{ name, method, body, told string }{
				{"emptied", http.MethodPatch, lock.emptied, ""},
				{"malformed", http.MethodPatch, lock.malformed, "cannot be read"},
				{"deleted", http.MethodDelete, "", ""},
			} {
				if fault.method == http.MethodPatch && fault.body == "" {
					continue
				}
				term := *a.status(t).Term
				if code, body := p.Do(t, fault.method, path, []byte(fault.body)); code != http.StatusOK {
					t.Fatalf("%s: %d %s", fault.name, code, body)
				}
				eventually(t, fault.name+": nobody being told as the leader, and the reason", func() bool {
					s := a.status(t)
					return !a.leads() && a.names("") && strings.Contains(s.Waiting, fault.told)
				})
				eventually(t, fault.name+": a leading again", a.leads)
				if now := *a.status(t).Term; now == term {
					t.Errorf("%s: a goes on with the term that it lost", fault.name)
				}
				a.lives(t)
			}
			eventually(t, "nothing being wrong any more", func() bool { return a.status(t).LastError == "" })
		})
	}
}

// silenced is a leader whose API server does not answer, so that its hand-over
// takes a while.
func silenced(t *testing.T) *process {
	t.Helper()
	p := testplane.Own(t)
	a := launch(t, p, testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}, "--new-lock=immediate")
	eventually(t, "a leading", a.leads)
	p.Pause(t, "kube-apiserver")
	t.Cleanup(func() { p.Resume(t, "kube-apiserver") })
	a.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "a handing over", func() bool { return strings.Contains(a.log.String(), "reason=stopping") })
	return a
}

func TestAHandOverThatNobodyHearsEndsWithTheLeaseAndExits0(t *testing.T) {
	t.Parallel()
	a := silenced(t)
	if code, _ := a.get("/leader"); code != http.StatusServiceUnavailable && code != 0 {
		t.Errorf("while it hands over, /leader answers %d", code)
	}
	<-a.exited
	if code := a.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("a exited with %d", code)
	}
}

func TestASecondSignalEndsTheProcessAtOnce(t *testing.T) {
	t.Parallel()
	a := silenced(t)
	a.cmd.Process.Signal(syscall.SIGINT)
	<-a.exited
	if w := a.cmd.ProcessState.Sys().(syscall.WaitStatus); !w.Signaled() || w.Signal() != syscall.SIGINT {
		t.Errorf("the second signal did not end a: %v", a.cmd.ProcessState)
	}
}

func TestRefusedCredentialsAreToldWithTheFileTheyComeFrom(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
	creds := p.Join(t, c)
	kubeconfig, err := os.ReadFile(creds.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	expired := regexp.MustCompile(`tokenFile: .*`).ReplaceAll(kubeconfig, []byte("token: expired"))
	if bytes.Equal(kubeconfig, expired) {
		t.Fatalf("there is no token in\n%s", kubeconfig)
	}
	creds.Kubeconfig = filepath.Join(t.TempDir(), "expired.yaml")
	if err := os.WriteFile(creds.Kubeconfig, expired, 0o600); err != nil {
		t.Fatal(err)
	}
	a := launchWith(t, c, creds, "--election-namespace="+c.Namespace)
	eventually(t, "the file being named", func() bool {
		return strings.Contains(a.status(t).LastError, creds.Kubeconfig+" have expired")
	})
}
