package controlplane

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// holder is the variable that makes the test binary a program that holds a
// plane and then panics, or waits to be killed.
const holder = "TEST_HOLDS_A_PLANE"

func TestMain(m *testing.M) {
	if how := os.Getenv(holder); how != "" {
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
	fmt.Printf("%d %d\n", plane.Etcd.PID(), plane.APIServer.PID())
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
		if err := plane.Stop(); err != nil {
			t.Error(err)
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
		if _, err := fmt.Fscan(out, &etcd, &apiserver); err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if how == "killed" {
			cmd.Process.Kill()
		}
		cmd.Wait()
		eventually(t, how+": both programs being gone", func() bool { return gone(etcd) && gone(apiserver) })
	}
}

func TestAServedPlaneEndsWithItsStandardInput(t *testing.T) {
	program := filepath.Join(t.TempDir(), "controlplane")
	if out, err := exec.Command("go", "build", "-o", program, "./cmd/controlplane").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program, "serve")
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
	var d Description
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
		if err := program.Kill(); err != nil {
			t.Fatal(err)
		}
		if !gone(pid) || program.PID() != 0 {
			t.Errorf("%s is not gone", program.Name)
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

func TestACandidateHasTheShippedRoleAndATokenOfItsPod(t *testing.T) {
	plane := running(t)
	ns, err := plane.Namespace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := plane.Candidate(t.Context(), CandidateOptions{Namespace: ns, Pod: "music-0", Election: "music"})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(c.Token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"namespace":"` + ns + `"`, `"name":"music-0"`, `"uid":"` + c.PodUID + `"`} {
		if !strings.Contains(string(payload), want) {
			t.Errorf("the token's claims lack %s: %s", want, payload)
		}
	}
	var role struct {
		Rules []struct{ Resources, ResourceNames, Verbs []string }
	}
	path := "/apis/rbac.authorization.k8s.io/v1/namespaces/" + ns + "/roles/music-0-music"
	if err := plane.Do(t.Context(), "GET", path, nil, &role); err != nil {
		t.Fatal(err)
	}
	if len(role.Rules) != 2 || !slices.Equal(role.Rules[0].ResourceNames, []string{"music"}) ||
		!slices.Equal(role.Rules[0].Verbs, []string{"get", "list", "watch", "update"}) ||
		len(role.Rules[1].ResourceNames) != 0 || !slices.Equal(role.Rules[1].Verbs, []string{"create"}) {
		t.Errorf("the role is %+v", role)
	}
}

func TestTwoBuildsAtOnceMakeOneProgram(t *testing.T) {
	src := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module hello\n", "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	var mu sync.Mutex
	builds := 0
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			err := cached(t.Context(), io.Discard, dir, "hello", func(out string) *exec.Cmd {
				mu.Lock()
				builds++
				mu.Unlock()
				return exec.Command("go", "build", "-C", src, "-o", out, ".")
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if builds != 1 {
		t.Errorf("%d builds were made", builds)
	}
	if err := exec.Command(filepath.Join(dir, "hello")).Run(); err != nil {
		t.Errorf("the program does not run: %v", err)
	}
}

func TestABuildThatIsCutShortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	err := cached(t.Context(), io.Discard, dir, "broken", func(out string) *exec.Cmd {
		return exec.Command("sh", "-c", "echo half > "+out+"; echo why >&2; exit 1")
	})
	if err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("a failed build tells %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "broken")); !os.IsNotExist(err) {
		t.Error("a failed build left a program")
	}
}

func TestALockedBuildIsWaitedForUntilTheContextEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	unlock, err := lockFile(t.Context(), io.Discard, path)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var told strings.Builder
	if _, err := lockFile(ctx, &told, path); err == nil || !strings.Contains(told.String(), "waiting for another build of x") {
		t.Errorf("error %v, told %q", err, told.String())
	}
}
