package controlplane

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// A plane's temporary folder holds a file that its owner keeps locked, so that
// the folder of an owner that panicked or was killed (a hundred megabytes of
// etcd) is told from that of one that lives.
const (
	scratchPattern = "leader-elector-plane-*"
	ownerFile      = "owner"
)

// newScratch makes a temporary folder, and removes those that dead owners left.
// The folder counts as owned for as long as owner is open.
func newScratch() (dir string, owner *os.File, err error) {
	sweepScratch()
	if dir, err = os.MkdirTemp("", scratchPattern); err != nil {
		return "", nil, err
	}
	if owner, err = own(dir); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, owner, nil
}

// own locks the folder. The file gets its name only once it is locked: a sweep
// that runs at the same moment never sees a living owner's file unlocked.
func own(dir string) (*os.File, error) {
	path := filepath.Join(dir, ownerFile)
	f, err := os.Create(path + ".new")
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweepScratch removes the folders whose owners are dead. It only tidies, so
// what it may not open or remove (another user's) stays, and nobody is told.
func sweepScratch() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), scratchPattern))
	for _, dir := range dirs {
		f, err := os.Open(filepath.Join(dir, ownerFile))
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			os.RemoveAll(dir)
		}
		f.Close()
	}
}
