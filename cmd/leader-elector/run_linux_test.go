package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// What makes the test binary a command that acts. It appends its term and the
// boot clock to the file named by asActor, again and again.
const (
	asActor  = "TEST_AS_ACTOR"
	manner   = "TEST_ACTOR_MANNER" // how it takes SIGTERM
	stubborn = "stubborn"          // not at all
	parent   = "parent"            // not at all, and with a child that left its session
	polite   = "polite"            // by exit code 7
)

// act is the command.
func act(path string) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		panic(err)
	}
	how := os.Getenv(manner)
	if how == polite {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		go func() { <-asked; os.Exit(7) }()
	} else {
		signal.Ignore(syscall.SIGTERM)
	}
	if how == parent {
		exe, _ := os.Executable()
		child := exec.Command(exe)
		child.Env = append(os.Environ(), manner+"="+stubborn)
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
	}
	term := os.Getenv("LEADER_ELECTOR_TERM")
	pause := unix.NsecToTimespec(int64(100 * time.Microsecond))
	for {
		fmt.Fprintf(file, "%s %d\n", term, elector.BootTime())
		unix.Nanosleep(&pause, nil)
	}
}

// deed is what the command has done.
type deed struct {
	term uint64
	at   time.Duration // on the boot clock
}

func deeds(t *testing.T, path string) (all []deed) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	// A line that is being written is not read.
	for line := range strings.Lines(string(data[:bytes.LastIndexByte(data, '\n')+1])) {
		var d deed
		if _, err := fmt.Sscan(line, &d.term, &d.at); err != nil {
			t.Fatalf("the command wrote %q: %v", line, err)
		}
		all = append(all, d)
	}
	return all
}

// newest is the term of the last deed; zero if there is none.
func newest(path string) (term uint64) {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	end := make([]byte, 256)
	size, _ := file.Seek(0, io.SeekEnd)
	n, _ := file.ReadAt(end, max(0, size-int64(len(end))))
	lines := strings.Split(string(end[:n]), "\n")
	if len(lines) > 1 { // the last is empty, or is being written
		fmt.Sscan(lines[len(lines)-2], &term)
	}
	return term
}

// terms are those in which something was done, oldest deed first.
func terms(all []deed) (terms []uint64) {
	for _, d := range all {
		if len(terms) == 0 || terms[len(terms)-1] != d.term {
			terms = append(terms, d.term)
		}
	}
	return terms
}

// inOrder fails where a deed of one term lies beside or after one of a later term.
func inOrder(t *testing.T, all []deed) {
	t.Helper()
	var newest deed
	for _, d := range all {
		if d.term < newest.term {
			t.Fatalf("term %d acts at %v, after term %d has acted at %v", d.term, d.at, newest.term, newest.at)
		}
		if d.term > newest.term && d.at <= newest.at {
			t.Fatalf("term %d acts at %v, not after term %d at %v", d.term, d.at, newest.term, newest.at)
		}
		if d.term > newest.term {
			newest = d
		}
		newest.at = max(newest.at, d.at)
	}
}

// runner is the program running a command that acts.
type runner struct {
	*process
	deeds     string
	contained bool
}

// place is where a runner runs: as any process, or as PID 1 of a PID namespace,
// as in a container.
type place struct {
	name      string
	contained bool
}

var places = []place{{"outside", false}, {"as PID 1", true}}

// runs starts the program as `run`, as a candidate with an actor that writes to
// the file deeds.
func runs(t *testing.T, p *testplane.Plane, c testplane.Candidate, in place, deeds, how string, args ...string) *runner {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return runsCommand(t, p, c, in, deeds, append(args, "--", "/usr/bin/env", "-u", asProgram, asActor+"="+deeds, manner+"="+how, exe)...)
}

func runsCommand(t *testing.T, p *testplane.Plane, c testplane.Candidate, in place, deeds string, args ...string) *runner {
	t.Helper()
	address := vacant(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	creds := p.Join(t, c)
	line := append([]string{exe, "run", "--election=" + c.Election, "--id=" + c.Pod, "--kubeconfig=" + creds.Kubeconfig,
		"--ttl=4s", "--http=" + address, "--log-level=debug"}, args...)
	if in.contained {
		line = append(container(t), line...)
	}
	k := &process{name: c.Pod, url: "http://" + address, cmd: exec.Command(line[0], line[1:]...), log: &logBuffer{}, exited: make(chan struct{})}
	k.cmd.Env = append(os.Environ(), asProgram+"=1")
	k.cmd.Stderr, k.cmd.Stdout = k.log, k.log
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &runner{process: k, deeds: deeds, contained: in.contained}
	go func() {
		defer close(k.exited)
		k.cmd.Wait()
	}()
	t.Cleanup(func() {
		if e := r.elector(); e != 0 {
			syscall.Kill(e, syscall.SIGKILL)
		}
		k.cmd.Process.Kill()
		<-k.exited
		if t.Failed() {
			t.Logf("the log of %s:\n%s", k.name, k.log)
		}
	})
	return r
}

// container is the command that makes what follows PID 1 of a namespace.
func container(t *testing.T) []string {
	t.Helper()
	line := []string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}
	if os.Geteuid() != 0 {
		line = append(line, "--user", "--map-root-user")
	}
	if out, err := exec.Command(line[0], append(line[1:], "true")...).CombinedOutput(); err != nil {
		t.Fatalf("run as PID 1 cannot be tried here: run the tests as root, or allow user namespaces: %v\n%s", err, out)
	}
	return line
}

// send signals a process that must be there: number zero would mean all of us.
func send(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if pid == 0 {
		t.Fatalf("there is no process to send %v to", s)
	}
	syscall.Kill(pid, s)
}

// elector is the process that takes part in the election; zero if it has ended.
func (r *runner) elector() int {
	if !r.contained {
		return r.cmd.Process.Pid
	}
	return firstChild(r.init())
}

// init is the process that is PID 1.
func (r *runner) init() int { return firstChild(r.cmd.Process.Pid) }

// command is the process of the command; zero if there is none.
func (r *runner) command() int { return firstChild(r.elector()) }

// firstChild is the first child of a process.
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

// acts waits for a deed of a later term than before, and returns the term.
func (r *runner) acts(t *testing.T, before uint64) (term uint64) {
	t.Helper()
	eventually(t, r.name+"'s command acting", func() bool {
		select {
		case <-r.exited:
			t.Fatalf("%s ended: %v", r.name, r.cmd.ProcessState)
		default:
		}
		term = newest(r.deeds)
		return term > before
	})
	return term
}

var guardMoves = regexp.MustCompile(`guard moves on" until=(\S+)`)

// trusted is the end of trust that the kernel's guard was set to last.
func (r *runner) trusted(t *testing.T) time.Duration {
	t.Helper()
	all := guardMoves.FindAllStringSubmatch(r.log.String(), -1)
	if len(all) == 0 {
		t.Fatalf("%s never set the kernel's guard", r.name)
	}
	until, err := time.ParseDuration(all[len(all)-1][1])
	if err != nil {
		t.Fatal(err)
	}
	return until
}

// exitCode waits for the program's end.
func (r *runner) exitCode() int {
	<-r.exited
	return r.cmd.ProcessState.ExitCode()
}
