package run

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is one run of the command, with whatever it leaves behind.
type process struct {
	pid    int
	exited chan struct{} // closed when the command was reaped; status holds then
	gone   chan struct{} // closed when nothing of it is left
	status syscall.WaitStatus

	mu      sync.Mutex // held to signal and to reap, so that no signal hits a later process of the same number
	alive   bool       // the command is not reaped
	killing bool       // nothing of it is to live on
}

// start runs the command on standard input and output of this process, which
// must have no other children.
func start(path string, args, env []string) (*process, error) {
	p := &process{exited: make(chan struct{}), gone: make(chan struct{})}
	started := make(chan error)
	go p.tend(path, args, &syscall.ProcAttr{
		Env:   env,
		Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{
			Pdeathsig: syscall.SIGKILL,
			// A command that signals its whole group (`kill 0`, as scripts do
			// when they end) must not mean us. On a terminal it stays in ours,
			// or it could not read there, and Ctrl-C would not reach it.
			Setpgid: !terminal(),
		},
	}, started)
	return p, <-started
}

// terminal says whether standard input is one.
func terminal() bool {
	_, err := unix.IoctlGetTermios(0, unix.TCGETS)
	return err == nil
}

// tend is the thread whose death the kernel answers by killing the command. It
// starts it, reaps it and what it leaves behind, and ends after them all.
func (p *process) tend(path string, args []string, attr *syscall.ProcAttr, started chan<- error) {
	runtime.LockOSThread() // and never unlocked: the thread is this goroutine's alone
	p.mu.Lock()
	pid, err := syscall.ForkExec(path, args, attr)
	p.pid, p.alive = pid, err == nil
	p.mu.Unlock()
	started <- err
	if err != nil {
		return
	}
	for p.await() {
		p.reap()
	}
	close(p.gone)
}

// await returns true when a child can be reaped, which it leaves to reap, and
// false when there is no child any more.
func (p *process) await() bool {
	for {
		switch err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOWAIT, nil); err {
		case unix.EINTR:
		case nil:
			return true
		default: // ECHILD
			return false
		}
	}
}

// reap takes the children that have ended. What they leave behind has become
// ours by then: a process's children get their new parent before it can be
// reaped.
func (p *process) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid == 0 {
			break
		}
		if pid == p.pid && p.alive {
			p.alive, p.status = false, status
			close(p.exited)
		}
	}
	if p.killing {
		p.each(syscall.SIGKILL)
	}
}

// signal is for the command alone; it says whether it still ran.
func (p *process) signal(s syscall.Signal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.alive && syscall.Kill(p.pid, s) == nil
}

// terminate asks the command to end, or if it has ended what it left behind. It
// is the command's to tell what it started, so that nobody is asked twice.
func (p *process) terminate() {
	if !p.signal(syscall.SIGTERM) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.each(syscall.SIGTERM)
	}
}

// kill ends the command, and what it leaves behind as that comes to light.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killing = true
	p.each(syscall.SIGKILL)
}

// each signals the children of this process. The mutex is held.
func (p *process) each(s syscall.Signal) {
	for _, pid := range children() {
		syscall.Kill(pid, s) // one that has ended meanwhile is ours to reap still
	}
}

// children are the processes whose parent is this one.
func children() (pids []int) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	self := strconv.Itoa(os.Getpid())
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it has ended
		}
		// PID (NAME) STATE PPID …, where NAME may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 1 && string(fields[1]) == self {
			pids = append(pids, pid)
		}
	}
	return pids
}

// code is the exit code by which a shell tells this status.
func code(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// credentials are the users and groups of a process that matter to the kernel:
// a change of them takes it out of PR_SET_PDEATHSIG's reach.
func credentials(pid string) (ids string) {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(status) {
		fields := bytes.Fields(line)
		if len(fields) == 5 && (string(fields[0]) == "Uid:" || string(fields[0]) == "Gid:") {
			ids += string(fields[2]) + "/" + string(fields[4]) + " "
		}
	}
	return ids
}

// escaped says whether the command has changed its user or group since it was
// started, as gosu and su do.
func (p *process) escaped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive {
		return false
	}
	ids := credentials(strconv.Itoa(p.pid))
	return ids != "" && ids != credentials("self")
}
