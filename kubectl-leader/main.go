// Command kubectl-leader is the kubectl plugin `kubectl leader`: it shows the
// elections of leader-elector, and moves, pauses and verifies them. It knows
// nothing of a candidate's engine; it reads the lock objects, asks the sidecars
// through the API server, and writes the annotations that operators may write.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	code := run(ctx, streams, os.Args[1:])
	stop()
	os.Exit(code)
}
