package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	elector "github.com/leader-elector/leader-elector"
)

// State is what the file says, one key per line.
type State struct {
	Election  string `json:"election"`
	Namespace string `json:"namespace"`
	Identity  string `json:"identity"`
	Leader    string `json:"leader"`   // empty: nobody, or nobody known
	IsLeader  bool   `json:"isLeader"` // this pod leads, until the deadline
	Term      string `json:"term"`     // decimal; empty: nobody leads, or a leader without terms
	// Deadline is until when this pod may act, in seconds on CLOCK_BOOTTIME, which
	// is the first number of /proc/uptime; zero unless it leads.
	Deadline float64 `json:"deadline"`
	// Reason is why the lead of this pod ended; empty: it goes on, or never was.
	Reason string `json:"reason"`
}

// FileConfig says where the file is.
type FileConfig struct {
	Path string
	// Election, Namespace and ID name the candidate.
	Election, Namespace, ID string
	// Status is how things stand. It is not asked before Lead or Sees. Required.
	Status func() elector.Status
	// Told counts what came of each piece of news. Nil: nobody counts.
	Told func(event, result string)
	// Log takes what cannot be written. Required.
	Log *slog.Logger
}

// File keeps a file that says whether this pod leads. It is an
// elector.Follower: the lock is released only when the file says that the lead
// has ended, and when nobody holds a lock (flock(2)) on PATH.lock any more, under
// which an app may do what it must not do while another leads.
type File struct {
	cfg  FileConfig
	lock *os.File // PATH.lock
	work sync.WaitGroup

	mu      sync.Mutex // one write at a time, and guards:
	leads   bool       // Lead and Stop write, and nobody else
	reason  string
	failing bool
}

// NewFile writes the first state, that this pod does not lead: what a process
// of ours that died has left there must not be believed.
func NewFile(cfg FileConfig) (*File, error) {
	f := &File{cfg: cfg}
	lock, err := os.OpenFile(cfg.Path+".lock", os.O_RDWR|os.O_CREATE, 0o666)
	if err == nil {
		f.lock = lock
		// The app may run as another user; who may not change it need not.
		if err := lock.Chmod(0o666); err != nil && !errors.Is(err, fs.ErrPermission) {
			cfg.Log.Warn("the app may have no right to lock the state file", "error", err)
		}
		err = f.write(f.state(elector.Status{}, 0))
	}
	if err != nil {
		return nil, fmt.Errorf("--state-file=%s: %w", cfg.Path, fileMend(cfg.Path, err))
	}
	return f, nil
}

// Lead writes that this pod leads, and moves the deadline on with each renewal.
// Where that cannot be written, the file ages by its deadline.
func (f *File) Lead(ctx context.Context, term elector.Term) error {
	until, moved := elector.Trusted(ctx)
	f.mu.Lock()
	f.leads, f.reason = true, ""
	f.mu.Unlock()
	if err := f.put(EventLead, until, term); err != nil {
		return fmt.Errorf("the state file cannot be written: %w", fileMend(f.cfg.Path, err))
	}
	f.work.Go(func() {
		for {
			select {
			case <-moved:
			case <-ctx.Done():
				return
			}
			until, moved = elector.Trusted(ctx)
			f.note(f.put(EventRenew, until, term))
		}
	})
	return nil
}

// Stop writes that the lead has ended, and waits for who acts under the lock.
// If it cannot be written, what the file says ends with its deadline, and so
// must the lease.
func (f *File) Stop(ctx context.Context, why elector.Reason) error {
	f.work.Wait()
	f.mu.Lock()
	f.leads, f.reason = false, string(why)
	f.mu.Unlock()
	err := f.put(EventStop, 0, 0)
	if err != nil {
		return fmt.Errorf("the state file cannot be written, so whoever reads it leads until its deadline: %w", fileMend(f.cfg.Path, err))
	}
	return f.idle(ctx)
}

// idle waits until nobody holds the lock.
func (f *File) idle(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return unix.Flock(int(f.lock.Fd()), unix.LOCK_UN)
		case errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("whether the app still acts under %s.lock is not known: %w", f.cfg.Path, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			counter(f.cfg.Told).count(EventStop, TimedOut)
			return fmt.Errorf("the app still acts: it holds the lock of %s.lock: %w", f.cfg.Path, ctx.Err())
		}
	}
}

// Sees writes who leads, unless that is this pod.
func (f *File) Sees() {
	f.mu.Lock()
	leads := f.leads
	f.mu.Unlock()
	if !leads {
		f.note(f.put(EventChange, 0, 0))
	}
}

// put writes the state of a lead, or without a deadline the state of a standby.
func (f *File) put(event string, until time.Duration, term elector.Term) error {
	st := f.cfg.Status()
	f.mu.Lock()
	defer f.mu.Unlock()
	if until == 0 && f.leads {
		return nil // a lead has begun meanwhile
	}
	s := f.state(st, until)
	if until != 0 {
		s.Leader, s.Term = s.Identity, term.String()
	}
	err := f.write(s)
	result := Accepted
	if err != nil {
		result = Refused
	}
	counter(f.cfg.Told).count(event, result)
	return err
}

// state is what the file is to say.
func (f *File) state(st elector.Status, until time.Duration) State {
	s := State{
		Election: f.cfg.Election, Namespace: f.cfg.Namespace, Identity: f.cfg.ID, Leader: st.Leader, IsLeader: until != 0, Reason: f.reason,
		Deadline: float64(until.Milliseconds()/10) / 100, // cut off, never rounded up
	}
	if s.Leader == s.Identity {
		s.Leader = "" // a lead is told by Lead, which knows until when
	}
	if s.Leader != "" && st.Term != 0 {
		s.Term = st.Term.String()
	}
	return s
}

// write replaces the file in one step. It is not synced: the clock of what it
// says ends with the machine.
func (f *File) write(s State) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if there, err := os.ReadFile(f.cfg.Path); err == nil && bytes.Equal(there, data) {
		return nil
	}
	// One name, so that whatever ends us between the two steps leaves one file.
	temp := filepath.Join(filepath.Dir(f.cfg.Path), "."+filepath.Base(f.cfg.Path)+".new")
	if err := os.WriteFile(temp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, f.cfg.Path)
}

// note tells once that the file cannot be written, and once that it can again.
func (f *File) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if failing := err != nil; failing != f.failing {
		f.failing = failing
		if failing {
			f.cfg.Log.Warn("the state file cannot be written; a lead that it tells ends with its deadline", "error", fileMend(f.cfg.Path, err))
		} else {
			f.cfg.Log.Info("the state file can be written again")
		}
	}
}

// fileMend says what to do about what a folder refuses.
func fileMend(path string, err error) error {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: mount the shared volume at %s", err, dir)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: mount a volume (an emptyDir) at %s, in this container without readOnly", err, dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: user %d may not write in %s; an emptyDir may be written by all, other volumes need securityContext.fsGroup", err, os.Getuid(), dir)
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: write the path of a file in a folder that is there", err)
	}
	return err
}
