// Command leader-elector is a sidecar that keeps exactly one replica of a
// workload active. `leader-elector --help` is its manual.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	child "github.com/leader-elector/leader-elector/internal/run"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	// Go collects garbage when the heap has grown to 4 MiB; ours lives in a few
	// hundred KiB, so most of that would be garbage that every pod pays for.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
	if len(os.Args) > 1 && os.Args[1] == "run" && child.NeedsInit() {
		code, err := child.Init(os.Args, os.Environ())
		if err != nil {
			fmt.Fprintf(os.Stderr, "leader-elector: %v\n", err)
		}
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// lookup reads an environment variable, as os.LookupEnv does.
type lookup func(string) (string, bool)

// run is the program, less what only a process can do.
func run(ctx context.Context, args []string, env lookup, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "doctor" {
		return runDoctor(ctx, args[1:], env, stdout, stderr)
	}
	if len(args) > 0 && questionHeads[args[0]] != "" {
		return ask(ctx, args[0], args[1:], env, stdout, stderr)
	}
	if len(args) > 0 && args[0] == "install" {
		return install(args[1:], stdout, stderr)
	}
	if len(args) > 0 && args[0] == "completion" {
		return completion(args[1:], stdout, stderr)
	}
	o, err := parse(args, env)
	switch {
	case errors.Is(err, errHelp):
		fmt.Fprint(stdout, manual())
		return exitDone
	case errors.Is(err, errVersion):
		fmt.Fprintln(stdout, versionLine())
		return exitDone
	case err == nil:
		err = o.resolve(env)
	}
	if err != nil {
		fmt.Fprintf(stderr, "leader-elector: %v\nTry 'leader-elector --help'.\n", indent(err))
		return exitUsage
	}
	if o.command != nil {
		code, err := o.runCommand(ctx, os.Environ(), stderr)
		if err != nil {
			fmt.Fprintf(stderr, "leader-elector: %v\n", err)
		}
		return code
	}
	if err := o.serve(ctx, stderr); err != nil {
		fmt.Fprintf(stderr, "leader-elector: %v\n", err)
		return exitFailed
	}
	return exitDone
}
