package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/cluster"
	"github.com/leader-elector/leader-elector/test/e2e/fault"
	"github.com/leader-elector/leader-elector/test/e2e/workload"
)

// options of a run.
type options struct {
	full   bool
	trials int
	faults string
	forms  string
	out    string
	report string
}

// runAll brings the cluster up, does the faults, reports, and takes it down.
func runAll(ctx context.Context, args []string) (err error) {
	var o options
	set := flag.NewFlagSet("e2e run", flag.ContinueOnError)
	set.BoolVar(&o.full, "full", false, "the whole matrix, resumed where an earlier run ended")
	set.IntVar(&o.trials, "trials", 0, "how often each fault is done (default 2, with -full 5)")
	set.StringVar(&o.faults, "faults", "", "only these faults, by name, separated by commas")
	set.StringVar(&o.forms, "forms", "", "only these forms, by name, separated by commas")
	set.StringVar(&o.out, "out", "dist/e2e", "the folder for results")
	set.StringVar(&o.report, "report", "", "the file to write the report to")
	if err := set.Parse(args); err != nil {
		return errUsage
	}
	if o.trials == 0 {
		o.trials = 2
		if o.full {
			o.trials = 5
		}
	}
	if err := prepare(ctx); err != nil {
		return err
	}
	c, err := start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	results, err := o.run(ctx, c)
	if err != nil {
		return err
	}
	return o.conclude(results)
}

// run does each trial that is not among the results yet.
func (o options) run(ctx context.Context, c *cluster.Cluster) ([]fault.Result, error) {
	store, err := open(o.out, o.full)
	if err != nil {
		return nil, err
	}
	defer store.file.Close()
	for trial := 1; trial <= o.trials; trial++ {
		for _, f := range o.chosen() {
			for _, form := range workload.Forms {
				if o.forms != "" && !slices.Contains(strings.Split(o.forms, ","), form.Name) || store.has(f.Name, form.Name, trial) {
					continue
				}
				w := &workload.Workload{Form: form, Cluster: c, Source: source()}
				if err := store.try(ctx, f, w, trial); err != nil {
					return store.results, fmt.Errorf("%s in form %s: %w", f.Name, form.Name, err)
				}
			}
		}
	}
	return store.results, nil
}

func (o options) chosen() []fault.Fault {
	var chosen []fault.Fault
	for _, f := range fault.All {
		if o.faults != "" && slices.Contains(strings.Split(o.faults, ","), f.Name) || o.faults == "" && (o.full || f.Brief) {
			chosen = append(chosen, f)
		}
	}
	return chosen
}

// store keeps results in a file, a line each, so that a run can be resumed.
type store struct {
	dir     string
	file    *os.File
	results []fault.Result
}

func open(dir string, resume bool) (*store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &store{dir: dir}
	name, mode := "results.jsonl", os.O_RDWR|os.O_CREATE|os.O_APPEND
	if !resume {
		name, mode = "brief.jsonl", mode|os.O_TRUNC
	}
	var err error
	if s.file, err = os.OpenFile(filepath.Join(dir, name), mode, 0o644); err != nil {
		return nil, err
	}
	for lines := bufio.NewScanner(s.file); lines.Scan(); {
		var r fault.Result
		if json.Unmarshal(lines.Bytes(), &r) == nil {
			s.results = append(s.results, r)
		}
	}
	return s, nil
}

func (s *store) has(f, form string, trial int) bool {
	return slices.ContainsFunc(s.results, func(r fault.Result) bool {
		return r.Fault == f && r.Form == form && r.Trial == trial
	})
}

// try makes one trial and tells its result in a line.
func (s *store) try(ctx context.Context, f fault.Fault, w *workload.Workload, trial int) error {
	begun := time.Now()
	r, err := f.Run(ctx, w)
	if err != nil {
		s.keepLogs(ctx, f, w, trial)
		return err
	}
	r.Trial = trial
	s.results = append(s.results, r)
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := s.file.Write(append(line, '\n')); err != nil {
		return err
	}
	fmt.Printf("%-15s %s %d  silence %6.2f s, unstable %6.2f s, %d of %d failed, lead lapsed %5.2f s, stream %s  (%.0f s)\n",
		f.Name, w.Name, trial, r.Heard.Silence.Seconds(), r.Heard.Unstable.Seconds(), r.Heard.Failed, r.Heard.Requests,
		r.Lead.Lapsed.Seconds(), r.Heard.Stream, time.Since(begun).Seconds())
	for _, n := range r.Notes {
		fmt.Println("                note:", n)
	}
	for _, p := range r.Problems {
		fmt.Println("                PROBLEM:", p)
	}
	if len(r.Problems) > 0 {
		s.keepLogs(ctx, f, w, trial)
	}
	return nil
}

// keepLogs keeps what explains a failure.
func (s *store) keepLogs(ctx context.Context, f fault.Fault, w *workload.Workload, trial int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	var all strings.Builder
	in := "--namespace=" + w.Namespace
	for _, args := range [][]string{
		{"get", "pods,rs,leases,endpointslices", in, "-o", "wide"}, {"describe", "pods", in}, {"get", "events", in},
		{"logs", in, "-l", w.Selector, "--all-containers", "--prefix", "--timestamps", "--tail=-1"},
	} {
		out, err := w.Cluster.Kubectl(ctx, args...)
		fmt.Fprintf(&all, "== kubectl %s\n%s\n", strings.Join(args, " "), out)
		if err != nil {
			fmt.Fprintln(&all, err)
		}
	}
	path := filepath.Join(s.dir, fmt.Sprintf("%s-%s-%d.log", f.Name, w.Name, trial))
	if err := os.WriteFile(path, []byte(all.String()), 0o644); err == nil {
		fmt.Println("                see", path)
	}
}

// conclude fails if any trial had a problem.
func (o options) conclude(results []fault.Result) error {
	bad := 0
	for _, r := range results {
		if len(r.Problems) > 0 {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d trials had problems", bad, len(results))
	}
	return nil
}
