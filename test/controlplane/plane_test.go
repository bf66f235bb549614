package controlplane

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// holder is the variable that makes the test binary a program that holds a
// plane and then panics or waits to be killed, or one that is merely busy.
const holder = "TEST_HOLDS_A_PLANE"

func TestMain(m *testing.M) {
	switch how := os.Getenv(holder); how {
	case "":
	case "spin":
		spin()
	default:
		holdPlane(how)
	}
	os.Exit(m.Run())
}

func holdPlane(how string) {
	plane, err := Start(context.Background(), Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(plane.Etcd.PID(), plane.APIServer.PID(), plane.Dir)
	if how == "panic" {
		panic("the user of the plane panics")
	}
	select {}
}

func running(t *testing.T) *Plane {
	t.Helper()
	plane, err := Start(t.Context(), Options{Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		etcd, apiserver := plane.Etcd.PID(), plane.APIServer.PID()
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
		if !gone(etcd) || !gone(apiserver) {
			t.Errorf("etcd (%d) or the API server (%d) is still there after Stop", etcd, apiserver)
		}
		if _, err := os.Stat(plane.Dir); !os.IsNotExist(err) {
			t.Errorf("the folder is still there after Stop: %v", err)
		}
	})
	return plane
}

// gone says whether no such process is there (a zombie is not there any more).
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
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

func TestAPlaneEndsWithItsUser(t *testing.T) {
	for _, how := range []string{"panic", "killed"} {
		t.Run(how, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), holder+"="+how)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var etcd, apiserver int
			var left string
			if _, err := fmt.Fscan(out, &etcd, &apiserver, &left); err != nil {
				t.Fatal(err)
			}
			if how == "killed" {
				cmd.Process.Kill()
			}
			if err := cmd.Wait(); err == nil {
				t.Error("the user ended well, so this test shows nothing")
			}
			eventually(t, "both programs being gone", func() bool { return gone(etcd) && gone(apiserver) })
			_, owner, err := newScratch()
			if err != nil {
				t.Fatal(err)
			}
			defer owner.Close()
			if _, err := os.Stat(left); !os.IsNotExist(err) {
				t.Errorf("the next plane leaves the dead one's folder: %v", err)
			}
		})
	}
}

func TestTheFolderOfALivingOwnerIsNotSwept(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	first, owner, err := newScratch()
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	_, other, err := newScratch()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := os.Stat(first); err != nil {
		t.Errorf("a living owner's folder was removed: %v", err)
	}
}

func TestAFailedStartTellsTheLastWordsAndLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var told bytes.Buffer
	plane, err := Start(t.Context(), Options{Progress: &told, APIServerArgs: []string{"--no-such-flag"}})
	if err == nil || plane != nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("plane %v, error %v", plane, err)
	}
	if n := strings.Count(told.String(), "trying again with other ports"); n != tries-1 {
		t.Errorf("%d tries with other ports were told, want %d: %s", n, tries-1, told.String())
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestProgramsAreFrozenKilledAndStartedAgain(t *testing.T) {
	plane := running(t)
	ns, err := plane.Namespace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := plane.APIServer.Pause(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	if err := plane.Do(short, "GET", "/readyz", nil, nil); err == nil {
		t.Error("a frozen API server answers")
	}
	cancel()
	if err := plane.APIServer.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := plane.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, program := range []*Process{plane.APIServer, plane.Etcd} {
		pid := program.PID()
		if err := program.Pause(); err != nil {
			t.Fatal(err)
		}
		if err := program.Kill(); err != nil {
			t.Fatal(err)
		}
		if !gone(pid) || program.PID() != 0 {
			t.Errorf("%s is not gone", program.Name)
		}
		if err := program.Pause(); err == nil {
			t.Errorf("%s, though gone, is said to be frozen", program.Name)
		}
		if err := program.Start(); err != nil {
			t.Fatal(err)
		}
		if err := plane.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the namespace being there after all that", func() bool {
		return plane.Do(t.Context(), "GET", "/api/v1/namespaces/"+ns, nil, nil) == nil
	})
}
