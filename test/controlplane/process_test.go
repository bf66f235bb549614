package controlplane

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// spin is busy in many threads, as an API server is: the case in which a stop
// takes its time.
func spin() {
	var turns atomic.Int64
	for range 16 {
		go func() {
			for {
				turns.Add(1)
			}
		}()
	}
	select {}
}

func TestAFrozenProgramRunsInNoThread(t *testing.T) {
	t.Setenv(holder, "spin")
	p := NewProcess("spin", os.Args[0], filepath.Join(t.TempDir(), "log"))
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill() })
	eventually(t, "several threads", func() bool { return len(states(t, p.PID())) > 4 })
	for range 50 {
		if err := p.Pause(); err != nil {
			t.Fatal(err)
		}
		for task, state := range states(t, p.PID()) {
			if state != "T" {
				t.Fatalf("thread %s is in state %s when Pause has returned", task, state)
			}
		}
		if err := p.Pause(); err != nil {
			t.Fatalf("freezing what is frozen: %v", err)
		}
		if err := p.Resume(); err != nil {
			t.Fatal(err)
		}
	}
	pid := p.PID()
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil || !gone(pid) {
		t.Errorf("a frozen program is not stopped: %v", err)
	}
}

func TestHowAProgramEndedIsKnownOnceItHas(t *testing.T) {
	p := NewProcess("sh", "/bin/sh", filepath.Join(t.TempDir(), "log"), "-c", "read line; exit 3")
	if p.State() != nil {
		t.Error("a program that was never started has ended")
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	if state := p.State(); state == nil || state.ExitCode() != 3 {
		t.Errorf("got %v, want exit code 3", state)
	}
	sleeping := NewProcess("sleep", "/bin/sleep", filepath.Join(t.TempDir(), "log"), "60")
	if err := sleeping.Start(); err != nil {
		t.Fatal(err)
	}
	if sleeping.State() != nil {
		t.Error("a program that runs has ended")
	}
	if err := sleeping.Kill(); err != nil || !strings.Contains(sleeping.State().String(), "killed") {
		t.Errorf("got %v, %v, want killed", sleeping.State(), err)
	}
}

// states are those of a process's threads, as the kernel tells them.
func states(t *testing.T, pid int) map[string]string {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, task := range tasks {
		stat, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		states[task] = rest[:1]
	}
	return states
}
