package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// program is one of the two that are compared.
type program struct {
	name string
	path string
	args func(namespace, election, id, kubeconfig, address string) []string
}

const ourName, peerName = "leader-elector", "client-go"

func ourArgs(namespace, election, id, kubeconfig, address string) []string {
	return []string{"--kubeconfig=" + kubeconfig, "--election-namespace=" + namespace, "--election=" + election, "--id=" + id,
		"--http=" + address, "--ttl=" + ttl.String(), "--new-lock=immediate", "--log-level=warn"}
}

func peerArgs(namespace, election, id, kubeconfig, address string) []string {
	return []string{"--kubeconfig=" + kubeconfig, "--namespace=" + namespace, "--election=" + election, "--id=" + id, "--http=" + address}
}

// process is a running candidate.
type process struct {
	id     string
	addr   string
	log    string
	cmd    *exec.Cmd
	gone   chan struct{}
	client *http.Client
	begun  time.Time
}

// starter's thread lives as long as the bench: the kernel ends a child with the
// thread that started it.
var starter = func() chan func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range c {
			f()
		}
	}()
	return c
}()

// spawn starts a candidate.
func (b *bench) spawn(ctx context.Context, p *program, namespace, election, id string) (*process, error) {
	creds, err := b.plane.Candidate(ctx, controlplane.CandidateOptions{Namespace: namespace, Pod: id, Election: election})
	if err != nil {
		return nil, err
	}
	return b.exec(p, namespace, election, id, creds.Kubeconfig)
}

func (b *bench) exec(p *program, namespace, election, id, kubeconfig string) (*process, error) {
	c := &process{id: id, addr: b.address(), gone: make(chan struct{})}
	c.log = filepath.Join(b.plane.Dir, namespace+"-"+id+".log")
	c.client = &http.Client{Transport: &http.Transport{}, Timeout: time.Second}
	c.cmd = exec.Command(p.path, p.args(namespace, election, id, kubeconfig, c.addr)...)
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	starter <- func() { c.begun = time.Now(); started <- c.cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.running[c] = true
	b.mu.Unlock()
	go func() { c.cmd.Wait(); close(c.gone) }()
	return c, nil
}

// address is one that no other process of this run gets. A free port of
// 127.0.0.1 will not do: between its choice and its use the kernel may give it to
// another, which then answers in this one's place. On Linux all of 127.0.0.0/8
// is this machine.
func (b *bench) address() string {
	n := b.addresses.Add(1)
	return fmt.Sprintf("127.%d.%d.%d:4040", b.network, n/250, n%250+1)
}

// pair is a leader and a standby that knows it, in a namespace of their own.
func (b *bench) pair(ctx context.Context, p *program, namespace string) (leader, standby *process, err error) {
	if namespace == "" {
		if namespace, err = b.plane.Namespace(ctx); err != nil {
			return nil, nil, err
		}
	}
	if leader, err = b.spawn(ctx, p, namespace, election, leaderID); err != nil {
		return nil, nil, err
	}
	if _, err := leader.lead(ctx, 2*time.Millisecond); err != nil {
		return nil, nil, err
	}
	if standby, err = b.spawn(ctx, p, namespace, election, standbyID); err != nil {
		return nil, nil, err
	}
	if err := standby.know(ctx, leader); err != nil {
		return nil, nil, fmt.Errorf("%w\nand the leader it should know:\n%s", err, leader.lastWords())
	}
	return leader, standby, nil
}

const (
	election = "bench"
	// A pair begins with these; the lead may move later.
	leaderID, standbyID = "a", "b"
)

func (c *process) get(path string) (int, string) {
	resp, err := c.client.Get("http://" + c.addr + path)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, strings.TrimSpace(string(body))
}

func (c *process) leads() bool { code, _ := c.get("/leader"); return code == http.StatusOK }

// name is what everybody answers while this one leads.
func (c *process) name() string { return fmt.Sprintf(`{"name":%q}`, c.id) }

// self says whether it answers its own name.
func (c *process) self() bool { _, body := c.get("/"); return body == c.name() }

// lead waits until the candidate says that it leads, and returns when it said so.
func (c *process) lead(ctx context.Context, every time.Duration) (time.Time, error) {
	err := c.until(ctx, every, c.leads)
	return time.Now(), err
}

// know waits until the candidate names the leader.
func (c *process) know(ctx context.Context, leader *process) error {
	return c.until(ctx, 5*time.Millisecond, func() bool { _, body := c.get("/"); return body == leader.name() })
}

// patience is how long anything may take before the bench gives up on it.
const patience = 90 * time.Second

var (
	errLate  = fmt.Errorf("not within %v", patience)
	errEnded = errors.New("the process ended")
)

func (c *process) until(ctx context.Context, every time.Duration, yes func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLate)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-c.gone:
			return fmt.Errorf("candidate %s: %w\n%s", c.id, errEnded, c.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("candidate %s: %w\n%s", c.id, context.Cause(ctx), c.lastWords())
		}
	}
	return nil
}

// ended says whether the process is gone.
func (c *process) ended() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// lastWords is the end of the candidate's log.
func (c *process) lastWords() string {
	data, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// question is a request that was sent and not yet answered.
type question struct{ conn net.Conn }

func (c *process) ask(conn net.Conn, path string) question {
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path)
	return question{conn: conn}
}

func (q question) answer() (int, string, error) {
	q.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(q.conn), nil)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(body)), err
}

func (c *process) signal(sig syscall.Signal) { c.cmd.Process.Signal(sig) }

// end kills a candidate and forgets it.
func (b *bench) end(all ...*process) {
	for _, c := range all {
		c.signal(syscall.SIGKILL)
		<-c.gone
		b.mu.Lock()
		delete(b.running, c)
		b.mu.Unlock()
	}
}

// clear ends whatever still runs.
func (b *bench) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.running {
		c.signal(syscall.SIGKILL)
		<-c.gone
	}
}
