package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/netfault"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// faults are what can happen to a runner and its command. Each ends with the
// command being over.
var runFaults = []struct {
	name string
	do   func(t *testing.T, a *runner, hang func())
}{
	{"elector frozen", func(t *testing.T, a *runner, _ func()) { send(t, a.elector(), syscall.SIGSTOP) }},
	{"command frozen and API hung", func(t *testing.T, a *runner, hang func()) { hang(); send(t, a.command(), syscall.SIGSTOP) }},
	{"both frozen", func(t *testing.T, a *runner, _ func()) {
		command := a.command()
		send(t, a.elector(), syscall.SIGSTOP)
		send(t, command, syscall.SIGSTOP)
	}},
	{"API hung", func(_ *testing.T, _ *runner, hang func()) { hang() }},
	{"elector killed", func(t *testing.T, a *runner, _ func()) { send(t, a.elector(), syscall.SIGKILL) }},
}

// trials is how often each fault is tried; LEADER_ELECTOR_RUN_TRIALS=36 measures.
func trials(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("LEADER_ELECTOR_RUN_TRIALS"))
	if err != nil {
		return 1
	}
	return n
}

// TestLaw09_NoTwoCommandsActWhateverHappens breaks the leader of a pair whose
// commands take no SIGTERM. No deed of the first may lie after a deed of the
// second. How long after the end of trust the first one still acts is told, and
// judged only where it is measured: a machine under load is late.
func TestLaw09_NoTwoCommandsActWhateverHappens(t *testing.T) {
	for _, in := range places {
		for _, fault := range runFaults {
			t.Run(in.name+"/"+fault.name, func(t *testing.T) {
				n := trials(t)
				var all lateness
				t.Run("", func(t *testing.T) {
					for range n {
						t.Run("", func(t *testing.T) {
							t.Parallel()
							all.add(tryFault(t, in, fault.do))
						})
					}
				})
				all.tell(t, n > 1)
			})
		}
	}
}

// lateness is how long after the end of trust commands acted, or were there.
type lateness struct {
	mu          sync.Mutex
	acted, gone []time.Duration
}

func (l *lateness) add(acted, gone time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acted, l.gone = append(l.acted, acted), append(l.gone, gone)
}

func (l *lateness) tell(t *testing.T, judge bool) {
	if len(l.acted) == 0 {
		return
	}
	last := slices.Max(l.acted)
	t.Logf("%d runs: the last act lies at most %v after the end of trust; the process was seen gone at most %v after it", len(l.acted), last, slices.Max(l.gone))
	if judge && last > 10*time.Millisecond {
		t.Errorf("a command acted %v after the end of trust; the aim is 10 ms", last)
	}
}

func tryFault(t *testing.T, in place, fault func(*testing.T, *runner, func())) (acted, gone time.Duration) {
	p := testplane.Get(t)
	ns, file := p.Namespace(t), filepath.Join(t.TempDir(), "deeds")
	forward := netfault.Forward(t, strings.TrimPrefix(p.Server, "https://"))
	how := stubborn
	if in.contained {
		how = parent // outside, what a command starts is not in the guard's reach
	}
	a := runs(t, p, testplane.Candidate{Namespace: ns, Pod: "a", Election: "music", Server: "https://" + forward.Addr()}, in, file, how, "--new-lock=immediate")
	first := a.acts(t, 0)
	b := runs(t, p, testplane.Candidate{Namespace: ns, Pod: "b", Election: "music"}, in, file, how)
	eventually(t, "b knowing a", func() bool { return b.names("a") })
	command := a.command()
	if command == 0 {
		t.Fatal("the command has no process")
	}
	ended := make(chan time.Duration, 1)
	go func() { ended <- whenGone(command) }()
	fault(t, a, func() { hang(t, forward) })
	b.acts(t, first)
	all := deeds(t, file)
	inOrder(t, all)
	if got := terms(all); len(got) != 2 {
		t.Errorf("the commands acted for the terms %v, want two", got)
	}
	until := a.trusted(t)
	for _, d := range all {
		if d.term == first {
			acted = d.at - until
		}
	}
	// Nothing that is woken late acts again.
	send(t, command, syscall.SIGCONT)
	inOrder(t, deeds(t, file))
	return acted, <-ended - until
}

// whenGone is when a process was seen to have ended.
func whenGone(pid int) time.Duration {
	for {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if _, rest, ok := strings.Cut(string(stat), ") "); err != nil || ok && (rest[0] == 'Z' || rest[0] == 'X') {
			return elector.BootTime()
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// hang makes a forwarder carry nothing any more until the test ends.
func hang(t *testing.T, f *netfault.Forwarder) {
	f.Freeze()
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f.Freeze()
			case <-end:
				return
			}
		}
	}()
	t.Cleanup(func() { close(end); <-done })
}
