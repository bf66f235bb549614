package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// works runs the script of deploy/examples/state-file, whose act is a line with
// its term and the boot clock, twice, at the begin and at the end of 0.3 s.
func works(t *testing.T, state, deeds string) {
	t.Helper()
	script := filepath.Join("..", "..", "deploy", "examples", "state-file", "worker.sh")
	// /proc/uptime counts in hundredths of a second; inOrder wants nanoseconds.
	line := `read -r now rest </proc/uptime; echo "$TERM_TOKEN ${now%.*}${now#*.}0000000" >>` + deeds
	cmd := exec.Command("/bin/sh", script, state, "/bin/sh", "-c", line+"; sleep 0.3; "+line)
	cmd.Env = append(os.Environ(), "PAUSE=0.01")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
}

// A shell script that reads the file and acts under its lock never acts beside
// its successor: not on a hand-over, and not when its sidecar is dead.
func TestLaw09_ShellScriptsActByTheStateFile(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
	folder := t.TempDir()
	file := filepath.Join(folder, "deeds")
	state := func(pod string) string { return filepath.Join(folder, "state-"+pod) }
	a := launch(t, p, c, "--new-lock=immediate", "--state-file="+state("a"))
	c.Pod = "b"
	b := launch(t, p, c, "--state-file="+state("b"))
	works(t, state("a"), file)
	works(t, state("b"), file)
	acts := func(k *process) func() bool {
		return func() bool { s := k.status(t); return s.IsLeader && fmt.Sprint(newest(file)) == *s.Term }
	}
	eventually(t, "a's script acting", acts(a))
	eventually(t, "b being able to take over", func() bool { code, _ := b.get("/standby"); return code == http.StatusOK })
	if code, said := a.stepDown(t, ""); code != http.StatusOK {
		t.Fatalf("a hands over with %d %+v", code, said)
	}
	eventually(t, "b's script acting", acts(b))
	// The script lives on, and its file ages by its deadline.
	send(t, b.cmd.Process.Pid, syscall.SIGKILL)
	eventually(t, "a's script acting again", acts(a))
	all := deeds(t, file)
	inOrder(t, all)
	if got := terms(all); len(got) != 3 {
		t.Errorf("the scripts acted for the terms %v, want three", got)
	}
}
