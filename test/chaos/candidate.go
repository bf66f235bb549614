package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// candidate is one pod: the sidecar, its app, its two legs to the API server,
// and what the kubelet does for it.
type candidate struct {
	w        *world
	id       string
	coupling string // "run", "file" or "told"
	address  string // of its HTTP
	root     string // stands for the pod's /
	near     *link
	far      *link
	recorder *recorder
	front    *http.Server
	sidecar  *controlplane.Process
	app      *controlplane.Process // nil with run: there it is the sidecar's child
	token    string

	mu     sync.Mutex
	expect string        // what we did that ends it: "killed", "told to end"
	delay  time.Duration // until the next start
	frozen time.Time     // when it was last frozen
	until  time.Time     // when it was last thawed
}

// prepare makes a candidate's pod, in the API and on disk, and its way to the
// API server. It starts nothing but the app.
func (w *world) prepare(ctx context.Context, i int, id, coupling string) (*candidate, error) {
	creds, err := w.plane.Candidate(ctx, controlplane.CandidateOptions{Namespace: w.namespace, Pod: id, Election: lockName})
	if err != nil {
		return nil, err
	}
	c := &candidate{w: w, id: id, coupling: coupling, token: creds.Token, root: filepath.Join(w.dir, "pod-"+id), delay: time.Second}
	c.address = w.loopback(i, 0) + ":4040"
	if err := c.connect(i); err != nil {
		return nil, err
	}
	if err := c.files(creds); err != nil {
		return nil, err
	}
	args := []string{"LEADER_ELECTOR_POD_ROOT=" + c.root, "KUBERNETES_SERVICE_HOST=" + w.loopback(i, 1), "KUBERNETES_SERVICE_PORT=6443", w.sidecar}
	flags := []string{"--election=" + lockName, "--id=" + id, "--ttl=" + ttl.String(), "--http=" + c.address, "--log-level=debug"}
	log, store := w.file("deeds"), w.file("store")
	switch coupling {
	case "run":
		args = append(append(append(args, "run"), flags...), "--", w.self, "actor", "run", id, log, store)
	case "file":
		state := filepath.Join(c.root, "state")
		args = append(append(args, flags...), "--state-file="+state)
		c.app = w.program("app-"+id, w.self, "actor", "file", id, log, store, state)
	case "told":
		address := w.loopback(i, 2) + ":8080"
		args = append(append(args, flags...), "--notify-url=http://"+address+"/leadership")
		c.app = w.program("app-"+id, w.self, "actor", "told", id, log, store, address)
	default:
		return nil, fmt.Errorf("there is no coupling %q; there are run, file and told", coupling)
	}
	c.sidecar = w.program("sidecar-"+id, "/usr/bin/env", args...)
	if c.app != nil {
		return c, c.app.Start()
	}
	return c, nil
}

// connect makes the way: candidate, near link, recorder, far link, API server.
func (c *candidate) connect(i int) (err error) {
	server := strings.TrimPrefix(c.w.plane.Server, "https://")
	far, recorderAt, near := c.w.loopback(i, 4)+":6443", c.w.loopback(i, 3)+":6443", c.w.loopback(i, 1)+":6443"
	if c.far, err = newLink(c.id+" far", far, server); err != nil {
		return err
	}
	c.recorder = &recorder{who: c.id, upstream: "https://" + far, base: c.w.transport(nil), history: c.w.history, tally: &c.w.tally}
	l, err := net.Listen("tcp", recorderAt)
	if err != nil {
		return err
	}
	c.front = c.recorder.server(&c.w.certificate)
	go c.front.ServeTLS(l, "", "")
	c.near, err = newLink(c.id+" near", near, recorderAt)
	return err
}

// files writes what the kubelet mounts into a pod.
func (c *candidate) files(creds *controlplane.Credentials) error {
	dir := filepath.Join(c.root, "var/run/secrets/kubernetes.io/serviceaccount")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	ca, err := os.ReadFile(creds.CAFile)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"token": []byte(creds.Token), "ca.crt": ca, "namespace": []byte(c.w.namespace)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// giveToken replaces the token in one step, as the kubelet does.
func (c *candidate) giveToken(token string) error {
	path := filepath.Join(c.root, "var/run/secrets/kubernetes.io/serviceaccount/token")
	if err := os.WriteFile(path+".new", []byte(token), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// keep starts the sidecar whenever it has ended, as the kubelet does, until the
// context ends. It says of each end whether it was one to be expected.
func (c *candidate) keep(ctx context.Context) error {
	for {
		if err := c.sidecar.Start(); err != nil {
			return err
		}
		ended := make(chan struct{})
		go func() { c.sidecar.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-ctx.Done():
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		wait(ctx, c.judgeEnd())
		if ctx.Err() != nil {
			return nil
		}
	}
}

// end kills the pod's processes for good, and closes its way.
func (c *candidate) end() error {
	err := c.sidecar.Kill()
	if c.app != nil {
		err = errors.Join(err, c.app.Kill())
	}
	c.front.Close() // connections that hang are cut off
	c.near.close()
	c.far.close()
	return err
}

// expects says what is about to end the sidecar, and when it is to start again.
func (c *candidate) expects(what string, delay time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expect, c.delay = what, delay
}

// judgeEnd holds the sidecar's end against what was done to it. The kernel ends
// one with a command whose trust is over while it cannot do so itself.
func (c *candidate) judgeEnd() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.sidecar.State()
	how := state.Sys().(syscall.WaitStatus)
	killed := how.Signaled() && how.Signal() == syscall.SIGKILL
	c.w.log("%s has ended (%s): %v", c.id, c.expect, state)
	// Trust that ended in the freeze ends the process when it is thawed, too.
	wasFrozen := !c.frozen.IsZero() && (c.until.Before(c.frozen) || time.Since(c.until) < ttl)
	switch {
	case c.expect == "killed" && killed:
	case c.expect == "told to end" && how.Exited() && how.ExitStatus() == 0:
	case c.expect == "told to end" && c.coupling == "run" && (killed || how.ExitStatus() == 128+int(syscall.SIGKILL)):
		c.w.count("ended by its guard while it stopped")
	case c.coupling == "run" && killed && wasFrozen:
		c.w.count("ended by its guard, frozen")
	case c.coupling == "run" && killed:
		c.w.count("ended by its guard, awake")
	default:
		c.w.broken(fmt.Sprintf("the sidecar of %s ended (we: %q): %v; its log: %s", c.id, c.expect, state, c.w.file("sidecar-"+c.id+".log")))
	}
	c.expect = ""
	delay := c.delay
	c.delay = 500 * time.Millisecond
	return delay
}

// freeze stops the sidecar, or its command, or both, for a while.
func (c *candidate) freeze(ctx context.Context, d time.Duration, what string) {
	c.mu.Lock()
	c.frozen = time.Now()
	c.mu.Unlock()
	pid := c.sidecar.PID()
	command := 0
	if c.coupling == "run" {
		command = firstChild(pid)
	}
	if what != "command" {
		c.sidecar.Signal(syscall.SIGSTOP) // it may just have ended
	}
	if what != "sidecar" && command != 0 {
		syscall.Kill(command, syscall.SIGSTOP)
	}
	wait(ctx, d)
	if what != "sidecar" && command != 0 && isChild(command, pid) {
		syscall.Kill(command, syscall.SIGCONT)
	}
	if what != "command" && c.sidecar.PID() == pid {
		c.sidecar.Signal(syscall.SIGCONT)
	}
	c.mu.Lock()
	c.until = time.Now()
	c.mu.Unlock()
}

// firstChild is the first child of a process; 0 if it has none.
func firstChild(pid int) int {
	if pid == 0 {
		return 0
	}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		data, _ := os.ReadFile(list)
		if first, _, ok := strings.Cut(string(data), " "); ok {
			n, _ := strconv.Atoi(first)
			return n
		}
	}
	return 0
}

// isChild says whether a process is still the one that it was: numbers are used again.
func isChild(pid, parent int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	return len(fields) > 1 && fields[1] == strconv.Itoa(parent)
}

// size is what a process holds: private memory in KiB, and open files.
func size(pid int) (rss, files int) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			fmt.Sscan(rest, &rss)
		}
	}
	open, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return rss, len(open)
}
