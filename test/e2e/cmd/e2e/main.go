// Command e2e runs the sidecar where it is meant to run: on real nodes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/cluster"
	"github.com/leader-elector/leader-elector/test/e2e/listener"
)

const usage = `usage:
  e2e up      bring a cluster of two nodes up and leave it up
  e2e down    take it down, also one that was left behind
  e2e run     bring it up, break it, report, take it down
  e2e report FILE  write the report of the whole matrix from what is there of it

LEADER_ELECTOR_E2E_INSTANCE=NAME is a cluster beside the one without a name.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := command(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("wrong usage")

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	if err := cluster.CheckInstance(); err != nil {
		return err
	}
	switch args[0] {
	case "up":
		return up(ctx)
	case "keep":
		return keep(ctx)
	case "run":
		return runAll(ctx, args[1:])
	case "report":
		return reportSoFar(ctx, args[1:])
	case "listen": // in a node's network, by "run"
		if len(args) != 3 {
			return errUsage
		}
		rate, err := time.ParseDuration(args[2])
		if err != nil {
			return errUsage
		}
		return listener.Listen(context.Background(), os.Stdin, os.Stdout, args[1], rate)
	case "ask": // likewise
		return listener.Ask(context.Background(), os.Stdin, os.Stdout)
	case "down":
		return cluster.Down(time.Minute)
	}
	return errUsage
}
