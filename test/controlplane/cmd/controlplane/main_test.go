package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// asProgram is the variable that makes the test binary the program itself.
const asProgram = "TEST_IS_CONTROLPLANE"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

func TestAServedPlaneEndsWithItsStandardInput(t *testing.T) {
	cmd := program("serve")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var d controlplane.Description
	if err := json.NewDecoder(out).Decode(&d); err != nil {
		t.Fatal(err)
	}
	in.Close()
	io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		t.Errorf("serve ended with %v", err)
	}
	if _, err := os.Stat(filepath.Dir(d.Door)); !os.IsNotExist(err) {
		t.Errorf("the plane's folder is left behind: %v", err)
	}
}

func TestACommandRunsBesideAPlaneAndItsExitCodeIsPassedOn(t *testing.T) {
	cmd := program("run", "--", "sh", "-c", `cat "$LEADER_ELECTOR_TEST_PLANE" && exit 7`)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() != 7 {
		t.Fatalf("run ended with %v, want the command's 7", err)
	}
	var d controlplane.Description
	if err := json.Unmarshal(out, &d); err != nil || d.Server == "" {
		t.Fatalf("the description is %s: %v", out, err)
	}
	if _, err := os.Stat(filepath.Dir(d.Door)); !os.IsNotExist(err) {
		t.Errorf("the plane's folder is left behind: %v", err)
	}
}

func TestACommandsEndIsItsExitCodeAsInAShell(t *testing.T) {
	for script, want := range map[string]exitCode{"exit 3": 3, "kill -9 $$": 128 + 9} {
		var code exitCode
		if err := ended(exec.Command("sh", "-c", script).Run()); !errors.As(err, &code) || code != want {
			t.Errorf("%s: %v, want %d", script, err, want)
		}
	}
	if err := ended(exec.Command("true").Run()); err != nil {
		t.Errorf("true: %v", err)
	}
	var code exitCode
	if err := ended(exec.Command("/no/such/command").Run()); err == nil || errors.As(err, &code) {
		t.Errorf("a command that cannot be started: %v", err)
	}
}

func TestAFailedBuildSaysWhy(t *testing.T) {
	cmd := program("build", "etcd")
	cmd.Env = append(cmd.Env, "LEADER_ELECTOR_CACHE="+t.TempDir(), "GOMODCACHE="+t.TempDir(), "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "building etcd: ") || !strings.Contains(string(out), "GOPROXY=off") {
		t.Errorf("it ended with %v and said %q", err, out)
	}
}

func TestWrongUsageListsThePrograms(t *testing.T) {
	cmd := program("dance")
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "kube-apiserver") {
		t.Errorf("exit code %d, said %q", cmd.ProcessState.ExitCode(), out)
	}
}
