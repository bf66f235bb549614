package notify

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	elector "github.com/leader-elector/leader-elector"
)

func read(t *testing.T, path string) (s State) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newFile(t *testing.T, path string, status func() elector.Status) *File {
	t.Helper()
	if status == nil {
		status = func() elector.Status { return elector.Status{} }
	}
	f, err := NewFile(FileConfig{Path: path, Election: "music", Namespace: "radio", ID: "a", Status: status, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Law 9(c): who acts under the lock is waited for, within what ctx allows.
func TestLaw09_StopWaitsForWhoActsUnderTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	f := newFile(t, path, nil)
	app, err := os.Open(path + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	if err := unix.Flock(int(app.Fd()), unix.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := f.Stop(short, elector.ReasonHandover); err == nil || !strings.Contains(err.Error(), "the app still acts") {
		t.Errorf("Stop ends with %v", err)
	}
	if err := unix.Flock(int(app.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(t.Context(), elector.ReasonHandover); err != nil {
		t.Error(err)
	}
	// It is not kept, or the app could never act again.
	if err := unix.Flock(int(app.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		t.Errorf("after Stop the app gets no lock: %v", err)
	}
}

// What a dead process of ours has left is not believed.
func TestTheFileOfADeadPredecessorIsReplacedAtTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(path, []byte(`{"isLeader": true, "deadline": 1e9}`), 0o644); err != nil {
		t.Fatal(err)
	}
	newFile(t, path, nil)
	if s := read(t, path); s != (State{Election: "music", Namespace: "radio", Identity: "a"}) {
		t.Errorf("the file says %+v", s)
	}
}

// Law 9: the release follows Stop.
func TestLaw09_StopReturnsWhenTheFileSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	f := newFile(t, path, nil)
	f.mu.Lock()
	f.leads = true
	err := f.write(f.state(elector.Status{}, time.Hour))
	f.mu.Unlock()
	if s := read(t, path); err != nil || !s.IsLeader || s.Deadline != 3600 {
		t.Fatalf("%v, the file says %+v", err, s)
	}
	if err := f.Stop(t.Context(), elector.ReasonHandover); err != nil {
		t.Fatal(err)
	}
	if s := read(t, path); s.IsLeader || s.Deadline != 0 || s.Reason != "handover" {
		t.Errorf("the file says %+v", s)
	}

	// If it cannot say so, the lease must run out.
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(t.Context(), elector.ReasonHandover); err == nil || !strings.Contains(err.Error(), "mount the shared volume at") {
		t.Errorf("Stop confirms with %v", err)
	}
}

func TestAStandbysFileNamesTheLeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	st := elector.Status{Leader: "b", Term: 42}
	f := newFile(t, path, func() elector.Status { return st })
	f.Sees()
	if s := read(t, path); s.IsLeader || s.Leader != "b" || s.Term != "42" {
		t.Errorf("the file says %+v", s)
	}
	// A status that is ahead of Lead is not told: it knows no deadline.
	st = elector.Status{Leader: "a", IsLeader: true, Term: 43}
	f.Sees()
	if s := read(t, path); s.IsLeader || s.Leader != "" || s.Term != "" {
		t.Errorf("the file says %+v", s)
	}
}

// A reader never sees a part of a state, however often it looks.
func TestTheFileIsReplacedInOneStep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	f := newFile(t, path, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		for i := 1; ctx.Err() == nil; i++ {
			f.mu.Lock()
			f.reason = strings.Repeat("x", i%4000)
			if err := f.write(f.state(elector.Status{}, time.Duration(i)*time.Second)); err != nil {
				t.Error(err)
			}
			f.mu.Unlock()
		}
	})
	for range 2000 {
		read(t, path)
	}
	cancel()
	work.Wait()
}

func TestAFolderThatRefusesIsToldWithTheMend(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "missing", "state"): "mount the shared volume at " + filepath.Join(dir, "missing"),
		dir:                                    "write the path of a file",
		"/proc/state":                          "--state-file=/proc/state: ",
	} {
		_, err := NewFile(FileConfig{Path: path, Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
