// Command controlplane builds and runs a real etcd and kube-apiserver for the
// project's tests.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

const usage = `usage:
  controlplane build [PROGRAM…]   build programs into the cache (default: etcd kube-apiserver)
  controlplane run -- CMD [ARG…]  run CMD beside a plane; its description's path is in $LEADER_ELECTOR_TEST_PLANE
  controlplane serve              start a plane, describe it in one line of JSON, end with standard input
programs: %s
environment: LEADER_ELECTOR_CACHE, the folder of the built programs (default: leader-elector in the user's cache)
`

// patience is how long a command has to end after it was told to, before it is killed.
const patience = 30 * time.Second

// exitCode is that of the command beside the plane. It has said for itself why.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("the command ended with exit code %d", int(c)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	var code exitCode
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, usage, strings.Join(controlplane.Names(), " "))
		os.Exit(2)
	case errors.As(err, &code):
		if err != error(code) { // taking the plane down failed as well
			fmt.Fprintln(os.Stderr, "controlplane:", err)
		}
		os.Exit(int(code))
	default:
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("wrong usage")

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) >= 1 && args[0] == "build":
		names := args[1:]
		if len(names) == 0 {
			names = []string{"etcd", "kube-apiserver"}
		}
		_, err := controlplane.Build(ctx, os.Stderr, names...)
		return err
	case len(args) >= 3 && args[0] == "run" && args[1] == "--":
		return beside(ctx, args[2], args[3:])
	case len(args) == 1 && args[0] == "serve":
		return serve(ctx)
	}
	return errUsage
}

// withPlane runs f beside a plane, and takes the plane down whatever happens.
func withPlane(ctx context.Context, f func(*controlplane.Door) error) (err error) {
	plane, err := controlplane.Start(ctx, controlplane.Options{Progress: os.Stderr})
	if err != nil {
		return err
	}
	defer func() { err = also(err, plane.Stop()) }()
	// Its own context: the user still needs the door while it is told to end.
	door, err := plane.Open(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer func() { err = also(err, door.Close()) }()
	return f(door)
}

// also adds what failed later, and leaves the first error as it is if nothing did.
func also(first, later error) error {
	if later == nil {
		return first
	}
	return errors.Join(first, later)
}

func beside(ctx context.Context, name string, args []string) error {
	return withPlane(ctx, func(door *controlplane.Door) error {
		path, err := door.Write()
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = patience
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Env = append(os.Environ(), "LEADER_ELECTOR_TEST_PLANE="+path)
		return ended(cmd.Run())
	})
}

// ended turns a command's own end into its exit code, as a shell would.
func ended(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitCode(128 + int(status.Signal()))
	}
	return exitCode(exit.ExitCode())
}

// serve lives as long as its standard input is open: however its user ends,
// the kernel closes that pipe.
func serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return withPlane(ctx, func(door *controlplane.Door) error {
		if err := json.NewEncoder(os.Stdout).Encode(door.Description()); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
}
