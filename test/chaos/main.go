// Command chaos runs three sidecars with their apps against a real API server
// and etcd, breaks everything around them by chance, and judges what they did.
// docs/chaos.md says what is broken, and how it is judged.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "actor" {
		fail(actor(os.Args[2:]))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	fail(err)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// wishes are what the command line says beside the options of the run.
type wishes struct {
	out, law string
	keep     bool
}

func command(ctx context.Context, args []string) error {
	o, wish, err := parse(args)
	if err != nil {
		return err
	}
	if o.self, err = os.Executable(); err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp("", "leader-elector-chaos-"); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(o.dir, "chaos.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	o.out = io.MultiWriter(os.Stdout, log)
	if err := o.program(ctx, wish.law); err != nil {
		return errors.Join(err, os.RemoveAll(o.dir))
	}
	w := newWorld(o)
	r, err := w.run(ctx)
	if err == nil {
		err = conclude(w, r, wish.law, wish.out)
	}
	if err != nil {
		return fmt.Errorf("%w\nseed %d; the logs of all processes are in %s", err, o.seed, o.dir)
	}
	if wish.keep {
		fmt.Println("everything that was written is in", o.dir)
		return nil
	}
	return os.RemoveAll(o.dir)
}

func parse(args []string) (o options, wish wishes, err error) {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.StringVar(&o.sidecar, "sidecar", "", "the leader-elector to try (make chaos builds it)")
	flags.IntVar(&o.faults, "faults", 500, "how many faults")
	flags.Uint64Var(&o.seed, "seed", 0, "of everything that is drawn; 0: by chance")
	flags.DurationVar(&o.gap, "gap", 600*time.Millisecond, "mean time from one fault to the next")
	flags.StringVar(&wish.out, "out", "", "write the figures into this page of the docs")
	flags.StringVar(&wish.law, "break", "", "build a sidecar that breaks this law instead, and demand that it is caught: "+lawNames())
	flags.BoolVar(&wish.keep, "keep", false, "keep what was written, even if nothing is wrong")
	if err := flags.Parse(args); err != nil {
		return o, wish, err
	}
	if o.faults < 1 {
		return o, wish, errors.New("-faults must be at least 1")
	}
	if o.seed == 0 {
		o.seed = 1 + rand.Uint64N(1_000_000)
	}
	return o, wish, nil
}

// program finds the sidecar, or builds one that breaks a law.
func (o *options) program(ctx context.Context, law string) (err error) {
	if law != "" {
		o.onlyLaw = true
		o.sidecar, err = buildBroken(ctx, law, o.dir)
		return err
	}
	if o.sidecar, err = filepath.Abs(o.sidecar); err != nil {
		return err
	}
	if _, err := os.Stat(o.sidecar); err != nil {
		return fmt.Errorf("-sidecar names no program (make chaos builds it): %w", err)
	}
	return nil
}

// conclude tells what was seen, and whether that is what was to be seen.
func conclude(w *world, r *report, law, out string) error {
	fmt.Println(r.markdown())
	switch {
	case law != "" && len(w.violations) == 0:
		return fmt.Errorf("the law %q was broken, and %d faults did not show it", law, r.faults)
	case law != "":
		fmt.Printf("the law %q was broken, and fault %d showed it\n", law, w.at)
		return nil
	case len(w.violations) > 0:
		return errors.New("there were violations")
	case out != "":
		return r.into(out)
	}
	return nil
}
