package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// process is the program itself, running.
type process struct {
	name   string
	url    string
	cmd    *exec.Cmd
	log    *logBuffer
	exited chan struct{}
}

type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// launch runs the program as a candidate, with the rights that we ship.
func launch(t *testing.T, p *testplane.Plane, c testplane.Candidate, args ...string) *process {
	t.Helper()
	return launchWith(t, c, p.Join(t, c), args...)
}

// launchWith runs the program under a name that is given, outside a pod.
func launchWith(t *testing.T, c testplane.Candidate, creds testplane.Credentials, args ...string) *process {
	t.Helper()
	return execute(t, c, nil, append([]string{"--id=" + c.Pod, "--kubeconfig=" + creds.Kubeconfig}, args...))
}

// execute runs the program on a free port with a short ttl.
func execute(t *testing.T, c testplane.Candidate, env, args []string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return start(t, exe, c, env, args)
}

// vacant is where a program that will be started can listen. Each has a loopback
// address of its own: on a common one the port may go to another program, or to
// a client's connection, before it is used.
func vacant(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.N(254), rand.N(256), 1+rand.N(254)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start is execute with another build of the program.
func start(t *testing.T, exe string, c testplane.Candidate, env, args []string) *process {
	t.Helper()
	address := vacant(t)
	args = append([]string{"--election=" + c.Election, "--ttl=4s", "--http=" + address}, args...)
	k := &process{name: c.Pod, url: "http://" + address, cmd: exec.Command(exe, args...), log: &logBuffer{}, exited: make(chan struct{})}
	k.cmd.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	k.cmd.Stderr = k.log
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(k.exited)
		k.cmd.Wait()
	}()
	t.Cleanup(func() {
		k.cmd.Process.Signal(syscall.SIGCONT)
		k.cmd.Process.Kill()
		<-k.exited
		if t.Failed() {
			t.Logf("the log of %s:\n%s", k.name, k.log)
		}
	})
	eventually(t, c.Pod+" answering", func() bool { code, _ := k.get("/status"); return code == http.StatusOK })
	return k
}

var quick = &http.Client{Timeout: 3 * time.Second}

func (k *process) get(path string) (int, string) {
	resp, err := quick.Get(k.url + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

func (k *process) status(t *testing.T) (s struct {
	Leader, LastError, Waiting string
	IsLeader, Ready, Watching  bool
	Term                       *string
	Health                     struct{ Checks []struct{ State string } }
}) {
	t.Helper()
	if code, body := k.get("/status"); code != http.StatusOK || json.Unmarshal([]byte(body), &s) != nil {
		t.Fatalf("%s: /status answers %d %s", k.name, code, body)
	}
	return s
}

// eventually asks again and again until the answer is yes.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never came: %s", what)
		}
	}
}

func (k *process) leads() bool { code, _ := k.get("/leader"); return code == http.StatusOK }

func (k *process) names(name string) bool {
	_, body := k.get("/")
	return body == fmt.Sprintf(`{"name":%q}`, name)
}

func (k *process) lives(t *testing.T) {
	t.Helper()
	select {
	case <-k.exited:
		t.Fatalf("%s ended: %v", k.name, k.cmd.ProcessState)
	default:
	}
}

// pair is a leader a and a standby b that knows it.
func pair(t *testing.T, p *testplane.Plane) (a, b *process) {
	t.Helper()
	ns := p.Namespace(t)
	a = launch(t, p, testplane.Candidate{Namespace: ns, Pod: "a", Election: "music"}, "--new-lock=immediate")
	eventually(t, "a leading and ready", func() bool { code, _ := a.get("/readyz"); return a.leads() && code == http.StatusOK })
	b = launch(t, p, testplane.Candidate{Namespace: ns, Pod: "b", Election: "music"})
	eventually(t, "b knowing a and being able to take over", func() bool {
		code, _ := b.get("/standby")
		return b.names("a") && code == http.StatusOK
	})
	return a, b
}

func TestSIGTERMHandsOverAndExits0(t *testing.T) {
	t.Parallel()
	a, b := pair(t, testplane.Get(t))
	a.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "b leading", b.leads)
	<-a.exited
	if code := a.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("a exited with %d", code)
	}
	if !strings.Contains(a.log.String(), "reason=stopping") {
		t.Error("the log does not say why the lead ended")
	}
}

func TestSIGKILLIsFollowedWhenTheLeaseRunsOut(t *testing.T) {
	t.Parallel()
	a, b := pair(t, testplane.Get(t))
	a.cmd.Process.Kill()
	eventually(t, "b leading", b.leads)
	if !b.names("b") {
		t.Error("b leads and does not name itself")
	}
}

func TestAFrozenLeaderIsAStandbyInItsFirstAnswer(t *testing.T) {
	t.Parallel()
	a, b := pair(t, testplane.Get(t))
	a.cmd.Process.Signal(syscall.SIGSTOP)
	eventually(t, "b leading", b.leads)
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The question waits in the kernel, so its answer is the first that a gives.
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	a.cmd.Process.Signal(syscall.SIGCONT)
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200") || strings.Contains(string(answer), `"a"`) {
		t.Errorf("the woken leader answers first: %s (%v)", answer, err)
	}
	eventually(t, "a knowing b", func() bool { return a.names("b") })
}

func TestARestartInAPodKeepsTheLead(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
	pod := podRoot(t, p, c)
	a := execute(t, c, pod, []string{"--new-lock=immediate"})
	eventually(t, "a leading", a.leads)
	term := a.status(t).Term
	b := launch(t, p, testplane.Candidate{Namespace: c.Namespace, Pod: "b", Election: "music"}, "--ttl=30s")
	eventually(t, "b knowing a", func() bool { return b.names("a") })
	a.cmd.Process.Kill()
	<-a.exited
	again := execute(t, c, pod, nil)
	eventually(t, "a leading again", again.leads)
	if b.leads() {
		t.Error("b leads too")
	}
	if now := again.status(t).Term; *now == *term {
		t.Error("the restarted process goes on with the term of the dead one")
	}
}

func TestAnOutageEndsNobodyAndTheLeadComesBack(t *testing.T) {
	for _, how := range []string{"hanging", "refusing"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p := testplane.Own(t)
			a, b := pair(t, p)
			if how == "hanging" {
				p.Pause(t, "kube-apiserver")
			} else {
				p.Kill(t, "kube-apiserver")
			}
			eventually(t, "nobody leading, and both saying that nobody is known", func() bool {
				if a.leads() && b.leads() {
					t.Fatal("two leaders")
				}
				return !a.leads() && !b.leads() && a.names("") && b.names("")
			})
			eventually(t, "a saying what is wrong", func() bool { return a.status(t).LastError != "" })
			if code, _ := a.get("/readyz"); code != http.StatusOK {
				t.Errorf("an outage unreadied a: /readyz %d", code)
			}
			if how == "hanging" {
				p.Resume(t, "kube-apiserver")
			} else {
				p.Start(t, "kube-apiserver")
			}
			eventually(t, "one leading again", func() bool {
				one, other := a.leads(), b.leads()
				if one && other && a.leads() && b.leads() {
					t.Fatal("two leaders")
				}
				return one || other
			})
			a.lives(t)
			b.lives(t)
			eventually(t, "nothing being wrong any more", func() bool { return a.status(t).LastError == "" && b.status(t).LastError == "" })
			if n := strings.Count(a.log.String(), "level=WARN"); n > 8 {
				t.Errorf("an outage makes %d warnings; it should be a few lines", n)
			}
		})
	}
}

func TestTheRoleMissingUnreadiesWithTheRuleToAdd(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	a := launch(t, p, testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music",
		Without: []string{"get", "list", "watch", "update", "create"}})
	want := "{apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [music], verbs: [get, update]}"
	eventually(t, "/readyz telling the rule", func() bool {
		code, body := a.get("/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, want)
	})
	if code, _ := a.get("/livez"); code != http.StatusOK {
		t.Errorf("/livez answers %d while only rights are missing", code)
	}
}

func TestWithoutTheWatchItPollsAndSaysSo(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	without := []string{"watch"}
	a := launch(t, p, testplane.Candidate{Namespace: ns, Pod: "a", Election: "music", Without: without}, "--new-lock=immediate")
	eventually(t, "a leading", a.leads)
	b := launch(t, p, testplane.Candidate{Namespace: ns, Pod: "b", Election: "music", Without: without})
	eventually(t, "b knowing a", func() bool { return b.names("a") })
	eventually(t, "b saying what it lacks", func() bool {
		s := b.status(t)
		return !s.Watching && strings.Contains(s.LastError, "verbs: [watch]") && strings.Contains(b.log.String(), "verbs: [watch]")
	})
	a.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "b leading", b.leads)
}

func TestATokenThatIsRejectedIsToldAndANewOneIsTaken(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
	creds := p.Join(t, c)
	if err := os.WriteFile(creds.TokenFile, []byte("not.a.token"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := launchWith(t, c, creds, "--new-lock=immediate")
	eventually(t, "a saying that its token is no good", func() bool { return strings.Contains(a.status(t).LastError, creds.Kubeconfig+" have expired") })
	if err := os.WriteFile(creds.TokenFile, []byte(creds.Token), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a leading", a.leads)
}
