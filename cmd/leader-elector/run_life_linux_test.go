package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// everywhere tries something outside and as PID 1.
func everywhere(t *testing.T, try func(t *testing.T, in place, p *testplane.Plane, c testplane.Candidate, file string)) {
	for _, in := range places {
		t.Run(in.name, func(t *testing.T) {
			t.Parallel()
			p := testplane.Get(t)
			c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
			try(t, in, p, c, filepath.Join(t.TempDir(), "deeds"))
		})
	}
}

// tell sends a signal as the kubelet does: to what it has started.
func (r *runner) tell(t *testing.T, s syscall.Signal) {
	if r.contained {
		send(t, r.init(), s)
		return
	}
	send(t, r.elector(), s)
}

func TestSIGTERMEndsTheCommandThenReleasesAndPassesItsExitCode(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGQUIT} {
		t.Run(s.String(), func(t *testing.T) {
			everywhere(t, func(t *testing.T, in place, p *testplane.Plane, c testplane.Candidate, file string) {
				a := runs(t, p, c, in, file, polite, "--new-lock=immediate")
				term := a.acts(t, 0)
				if told := *a.status(t).Term; told != strconv.FormatUint(term, 10) {
					t.Errorf("the command was told term %d; it is %s", term, told)
				}
				c.Pod = "b"
				b := runs(t, p, c, in, file, polite)
				eventually(t, "b knowing a", func() bool { return b.names("a") })
				a.tell(t, s)
				if code := a.exitCode(); code != 7 {
					t.Errorf("the program ended with %d, the command with 7", code)
				}
				b.acts(t, term)
				inOrder(t, deeds(t, file))
				b.tell(t, s)
				if code := b.exitCode(); code != 7 {
					t.Errorf("b ended with %d, its command with 7", code)
				}
			})
		})
	}
}

func TestWhatTheCommandLeavesBehindEndsBeforeTheRelease(t *testing.T) {
	everywhere(t, func(t *testing.T, in place, p *testplane.Plane, c testplane.Candidate, file string) {
		a := runs(t, p, c, in, file, parent, "--new-lock=immediate", "--stop-grace=300ms")
		term := a.acts(t, 0)
		left := 0
		eventually(t, "the command having a child", func() bool { left = firstChild(a.command()); return left != 0 })
		c.Pod = "b"
		b := runs(t, p, c, in, file, polite)
		eventually(t, "b knowing a", func() bool { return b.names("a") })
		// The command is gone at once, and its child is not asked by anybody.
		send(t, a.command(), syscall.SIGKILL)
		if code := a.exitCode(); code != 128+9 {
			t.Errorf("the program ended with %d; its command was killed", code)
		}
		if stat, err := os.ReadFile("/proc/" + strconv.Itoa(left) + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
			t.Errorf("what the command left behind lives on: %s", stat)
		}
		b.acts(t, term)
		inOrder(t, deeds(t, file))
	})
}

func TestACommandThatEndsByItselfEndsTheProgramWithItsCode(t *testing.T) {
	everywhere(t, func(t *testing.T, in place, p *testplane.Plane, c testplane.Candidate, file string) {
		a := runsCommand(t, p, c, in, file, "--new-lock=immediate", "--", "sh", "-c", "exit 3")
		if code := a.exitCode(); code != 3 {
			t.Errorf("the program ended with %d, the command with 3", code)
		}
		c.Pod = "b"
		b := runsCommand(t, p, c, in, file, "--", "true")
		if code := b.exitCode(); code != 0 {
			t.Errorf("the program ended with %d, the command with 0", code)
		}
	})
}

func TestWithOnExitHandoverOthersGoFirst(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
	file := filepath.Join(t.TempDir(), "deeds")
	a := runs(t, p, c, places[0], file, stubborn, "--new-lock=immediate", "--on-exit=handover")
	first := a.acts(t, 0)
	c.Pod = "b"
	b := runs(t, p, c, places[0], file, stubborn, "--on-exit=handover")
	eventually(t, "b knowing a", func() bool { return b.names("a") })
	send(t, a.command(), syscall.SIGKILL)
	second := b.acts(t, first)
	a.lives(t)
	b.tell(t, syscall.SIGSTOP) // b is no candidate any more
	a.acts(t, second)
	a.lives(t)
	inOrder(t, deeds(t, file))
}

func TestLosingTheLeadEndsTheCommandAndNotTheProgram(t *testing.T) {
	everywhere(t, func(t *testing.T, in place, p *testplane.Plane, c testplane.Candidate, file string) {
		a := runs(t, p, c, in, file, polite, "--new-lock=immediate")
		first := a.acts(t, 0)
		path := "/apis/coordination.k8s.io/v1/namespaces/" + c.Namespace + "/leases/music"
		if code, body := p.Do(t, http.MethodPatch, path, []byte(`{"spec":{"holderIdentity":""}}`)); code != http.StatusOK {
			t.Fatalf("%d %s", code, body)
		}
		if second := a.acts(t, first); second <= first {
			t.Errorf("the next term is %d, after %d", second, first)
		}
		a.lives(t)
		inOrder(t, deeds(t, file))
	})
}

func TestASignalOfItsOwnReachesTheCommand(t *testing.T) {
	everywhere(t, func(t *testing.T, in place, p *testplane.Plane, c testplane.Candidate, file string) {
		// It sleeps by turns: a shell that waits in one call for ever misses the
		// signal that comes just before the call.
		a := runsCommand(t, p, c, in, file, "--new-lock=immediate", "--", "sh", "-c",
			`trap 'echo again >>"$0"' HUP; trap 'exit 4' TERM; echo begun >>"$0"; while :; do sleep 0.05; done`, file)
		holds := func(text string) func() bool {
			return func() bool { data, _ := os.ReadFile(file); return strings.Contains(string(data), text) }
		}
		eventually(t, "the command running", holds("begun"))
		a.tell(t, syscall.SIGHUP)
		eventually(t, "the command hearing SIGHUP", holds("again"))
		a.tell(t, syscall.SIGTERM)
		if code := a.exitCode(); code != 4 {
			t.Errorf("the program ended with %d, the command with 4", code)
		}
	})
}

func TestAStandbyEndsWithoutACommandAndWith0(t *testing.T) {
	everywhere(t, func(t *testing.T, in place, p *testplane.Plane, c testplane.Candidate, file string) {
		a := runs(t, p, c, in, file, polite)
		eventually(t, "a answering", func() bool { code, _ := a.get("/livez"); return code == http.StatusOK })
		a.tell(t, syscall.SIGTERM)
		if code := a.exitCode(); code != 0 {
			t.Errorf("a standby ended with %d", code)
		}
		if all := deeds(t, file); len(all) > 0 {
			t.Errorf("the command of a standby acted: %v", all[0])
		}
	})
}

// A command that changes its user is taken out of PR_SET_PDEATHSIG's reach. As
// PID 1 that does no harm, since the namespace ends with us.
func TestACommandThatChangesItsUserIsEndedUnlessWeArePID1(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("only root can change its user: run the tests as root")
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Fatal(err)
	}
	everywhere(t, func(t *testing.T, in place, p *testplane.Plane, c testplane.Candidate, file string) {
		a := runsCommand(t, p, c, in, file, "--new-lock=immediate", "--", setpriv, "--reuid=65534", "sh", "-c", "exec sleep 1000")
		if !in.contained {
			if code := a.exitCode(); code == 0 || !strings.Contains(a.log.String(), "takes it out of the kernel's guard") {
				t.Errorf("the program ended with %d", code)
			}
			return
		}
		eventually(t, "two renewals", func() bool { return len(guardMoves.FindAllString(a.log.String(), -1)) > 2 })
		a.lives(t)
	})
}
