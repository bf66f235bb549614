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
	"syscall"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

const usage = `usage:
  controlplane build [PROGRAM…]   build programs into the cache (default: etcd kube-apiserver)
  controlplane run -- CMD [ARG…]  run CMD beside a plane; its description's path is in $LEADER_ELECTOR_TEST_PLANE
  controlplane serve              start a plane, describe it in one line of JSON, end with standard input
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
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
	defer func() { err = errors.Join(err, plane.Stop()) }()
	door, err := plane.Open()
	if err != nil {
		return err
	}
	defer door.Close()
	return f(door)
}

func beside(ctx context.Context, name string, args []string) error {
	return withPlane(ctx, func(door *controlplane.Door) error {
		path, err := door.Write()
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Env = append(os.Environ(), "LEADER_ELECTOR_TEST_PLANE="+path)
		return cmd.Run()
	})
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
