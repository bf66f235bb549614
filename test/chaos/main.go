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

func command(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	o := options{}
	flags.StringVar(&o.sidecar, "sidecar", "", "the leader-elector to try (make chaos builds it)")
	flags.IntVar(&o.faults, "faults", 500, "how many faults")
	flags.Uint64Var(&o.seed, "seed", 0, "of everything that is drawn; 0: by chance")
	flags.DurationVar(&o.gap, "gap", 900*time.Millisecond, "mean time from one fault to the next")
	out := flags.String("out", "", "write the figures into this page of the docs")
	law := flags.String("break", "", "build a sidecar that breaks this law instead, and demand that it is caught: "+lawNames())
	keep := flags.Bool("keep", false, "keep what was written, even if nothing is wrong")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.seed == 0 {
		o.seed = 1 + rand.Uint64N(1_000_000)
	}
	var err error
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
	if *law != "" {
		o.onlyLaw = true
		if o.sidecar, err = buildBroken(ctx, *law, o.dir); err != nil {
			return err
		}
	}
	if o.sidecar, err = filepath.Abs(o.sidecar); err != nil {
		return err
	}
	if _, err := os.Stat(o.sidecar); err != nil {
		return fmt.Errorf("-sidecar names no program (make chaos builds it): %w", err)
	}
	w := newWorld(o)
	r, err := w.run(ctx)
	if err == nil {
		err = conclude(w, r, *law, *out)
	}
	if err != nil {
		return fmt.Errorf("%w\nseed %d; the logs of all processes are in %s", err, o.seed, o.dir)
	}
	if *keep {
		fmt.Println("everything that was written is in", o.dir)
		return nil
	}
	return os.RemoveAll(o.dir)
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
