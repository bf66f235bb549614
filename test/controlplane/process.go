package controlplane

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is one program of the plane. It can be frozen, killed and started
// again, at the same ports and with the same data.
type Process struct {
	Name string

	path string
	args []string
	log  string

	mu   sync.Mutex
	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has been waited for
}

// NewProcess describes a program that is not yet started: its file, the file
// of its log, its arguments.
func NewProcess(name, path, log string, args ...string) *Process {
	return &Process{Name: name, path: path, args: args, log: log}
}

// starter starts children from one thread that never ends: a child's
// Pdeathsig is sent when the thread that started it dies, not the process.
var starter = sync.OnceValue(func() chan func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	return jobs
})

// Start starts the program unless it runs.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive() {
		return nil
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = filepath.Dir(p.log)
	cmd.SysProcAttr = childAttributes()
	done := make(chan error)
	starter() <- func() { done <- cmd.Start() }
	if err := <-done; err != nil {
		return fmt.Errorf("starting %s: %w", p.Name, err)
	}
	p.cmd, p.gone = cmd, make(chan struct{})
	go func(gone chan struct{}) {
		cmd.Wait()
		close(gone)
	}(p.gone)
	return nil
}

// alive says whether the program runs (or is frozen). The mutex is held.
func (p *Process) alive() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// PID is that of the running program, or 0.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return 0
	}
	return p.cmd.Process.Pid
}

// Pause freezes the program: its connections stay open and silent. When it
// returns, no thread of the program runs.
func (p *Process) Pause() error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		pid := p.PID()
		if pid == 0 {
			return fmt.Errorf("%s ended before it was frozen", p.Name)
		}
		if stopped(pid) {
			return nil
		}
		select {
		case <-tick.C:
		case <-late.C:
			return fmt.Errorf("%s is not frozen 10 s after SIGSTOP (did somebody send SIGCONT?)", p.Name)
		}
	}
}

// Resume thaws a frozen program.
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }

// Kill ends the program at once and waits until it is gone.
func (p *Process) Kill() error { return p.end(syscall.SIGKILL, 0) }

// Stop asks the program to end, and insists after a while.
func (p *Process) Stop() error { return p.end(syscall.SIGTERM, 5*time.Second) }

// Wait returns when the program has ended, or at once if it was never started.
func (p *Process) Wait() {
	p.mu.Lock()
	gone := p.gone
	p.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

// State is how the program ended, the last time that it was started; nil while
// it runs, and before its first start.
func (p *Process) State() *os.ProcessState {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.alive() {
		return nil
	}
	return p.cmd.ProcessState
}

// Signal sends a signal to the program, and waits for nothing.
func (p *Process) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return fmt.Errorf("%s does not run", p.Name)
	}
	return p.cmd.Process.Signal(sig)
}

func (p *Process) end(sig syscall.Signal, patience time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return nil
	}
	// A frozen program takes SIGTERM only once it is woken.
	for _, s := range []syscall.Signal{sig, syscall.SIGCONT} {
		if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("ending %s: %w", p.Name, err)
		}
	}
	if patience > 0 {
		select {
		case <-p.gone:
			return nil
		case <-time.After(patience):
		}
	}
	p.cmd.Process.Kill() // it fails only when the program has just ended by itself
	<-p.gone
	return nil
}

// lastWords is the end of the program's log.
func (p *Process) lastWords() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return tail(string(data), 15)
}
