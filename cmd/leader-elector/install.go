package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
)

const installManual = `leader-elector install copies this program into a folder that is shared with other containers.

Usage:
  leader-elector install DIR

The copy is DIR/leader-elector-VERSION, and DIR/leader-elector is a link to it;
both appear whole or not at all, and other versions stay. An init container
installs it into an emptyDir, from where an app's container, whose image needs
nothing, starts "leader-elector run -- CMD" or asks "leader-elector probe leader".

Exit codes: 0 done, 1 failed, 2 wrong usage.
`

// install is the subcommand from its arguments to its exit code.
func install(args []string, stdout, stderr io.Writer) int {
	f := pflag.NewFlagSet("install", pflag.ContinueOnError)
	f.Usage = func() {}
	help := f.BoolP("help", "h", false, "")
	err := f.Parse(args)
	if err == nil && !*help && f.NArg() != 1 {
		err = fmt.Errorf("write one folder, as in `leader-elector install /shared`; there are %d", f.NArg())
	}
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "leader-elector install: %v\nTry 'leader-elector install --help'.\n", err)
		return exitUsage
	case *help:
		fmt.Fprint(stdout, installManual)
		return exitDone
	}
	done, err := installInto(f.Arg(0))
	if err != nil {
		fmt.Fprintf(stderr, "leader-elector install: %v\n", installMend(f.Arg(0), err))
		return exitFailed
	}
	fmt.Fprintln(stdout, done)
	return exitDone
}

// installMend says what to do about what a folder refuses.
func installMend(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: mount the shared volume at %s", err, dir)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %s must be a folder, the one of the shared volume", err, dir)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: mount a volume at %s, in this container without readOnly", err, dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: user %d may not write there; an emptyDir may be written by all, other volumes need securityContext.fsGroup", err, os.Getuid())
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: the volume needs room for two copies while one replaces the other (sizeLimit 32Mi)", err)
	}
	return err
}

// installInto copies this program and moves the link to the copy.
func installInto(dir string) (done string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("this program cannot be found: %w", err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return "", fmt.Errorf("this program cannot be read: %w", err)
	}
	name := "leader-elector-" + fileName(version())
	path, link := filepath.Join(dir, name), filepath.Join(dir, "leader-elector")
	verb := "installed"
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, program) {
		verb = "already there:"
	} else if err := putInPlace(dir, path, func(temp string) error { return writeProgram(temp, program) }); err != nil {
		return "", err
	}
	if to, err := os.Readlink(link); err != nil || to != name {
		if err := putInPlace(dir, link, func(temp string) error { return os.Symlink(name, temp) }); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s %s, and %s leads to it", verb, path, link), nil
}

// putInPlace makes something under another name and moves it to its place, so that
// nobody ever sees a part of it.
func putInPlace(dir, path string, make func(temp string) error) error {
	temp, err := os.MkdirTemp(dir, ".leader-elector-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	made := filepath.Join(temp, "it")
	if err := make(made); err != nil {
		return err
	}
	return os.Rename(made, path)
}

func writeProgram(path string, program []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = f.Write(program)
	return errors.Join(err, f.Chmod(0o755), f.Sync(), f.Close()) // a umask may have taken rights away
}

// fileName is a version that can be part of a file's name.
func fileName(version string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == filepath.Separator || r < ' ' {
			return '-'
		}
		return r
	}, version)
}
