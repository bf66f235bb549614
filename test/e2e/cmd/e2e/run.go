package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leader-elector/leader-elector/internal/page"
	"github.com/leader-elector/leader-elector/test/e2e/cluster"
	"github.com/leader-elector/leader-elector/test/e2e/docs"
	"github.com/leader-elector/leader-elector/test/e2e/example"
	"github.com/leader-elector/leader-elector/test/e2e/fault"
	"github.com/leader-elector/leader-elector/test/e2e/report"
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
	churn  bool

	examples  string
	docs      string
	installed string // the folder of the programs that a reader of the docs has
}

// runAll brings the cluster up, does the faults, reports, and takes it down.
func runAll(ctx context.Context, args []string) (err error) {
	var o options
	set := flag.NewFlagSet("e2e run", flag.ContinueOnError)
	set.BoolVar(&o.full, "full", false, "the whole matrix, resumed where an earlier run ended")
	set.IntVar(&o.trials, "trials", 0, "how often each fault is done (default 1 or 2, by form; with -full 5)")
	set.StringVar(&o.faults, "faults", "", "only these faults, by name, separated by commas")
	set.StringVar(&o.forms, "forms", "", "only these forms, by name, separated by commas")
	set.BoolVar(&o.churn, "churn", false, "while the endpoints of other Services change")
	set.StringVar(&o.examples, "examples", "", "which examples of deploy/examples, by name, separated by commas; only: all of them and no fault (default: all in a plain run, none with -full, -faults or -forms)")
	set.StringVar(&o.docs, "docs", "", "which pages of the documentation, such as docs/handover.md, separated by commas; only: all of them and nothing else (default: as for -examples)")
	set.StringVar(&o.out, "out", "dist/e2e", "the folder for results")
	set.StringVar(&o.report, "report", "", "the file to write the report to")
	if err := set.Parse(args); err != nil {
		return errUsage
	}
	if o.trials == 0 && o.full {
		o.trials = 5
	}
	// Before the namespace is entered, from which no module can be had.
	if o.installed, err = docs.Build(ctx, source()); err != nil {
		return err
	}
	if err := prepare(ctx); err != nil {
		return err
	}
	c, err := start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	s, err := open(o.out, o.full)
	if err != nil {
		return err
	}
	defer s.file.Close()
	if o.examples == "" && o.docs == "" {
		if err := o.run(ctx, c, s); err != nil {
			return err
		}
	}
	return errors.Join(o.tryExamples(ctx, c), o.tryDocs(ctx, c), o.conclude(ctx, s))
}

// part says whether something that is listed by name is part of this run: list
// is what was asked for of its kind, and other of the other kinds.
func (o options) part(name, list string, other ...string) bool {
	if list != "" {
		return list == "only" || slices.Contains(strings.Split(list, ","), name)
	}
	return !o.full && strings.Join(other, "") == ""
}

// tryExamples tries those that are part of this run: one after the other where a
// listener judges, then the rest side by side, as each has a namespace of its
// own and spends its time on waiting.
func (o options) tryExamples(ctx context.Context, c *cluster.Cluster) error {
	faults := make([]error, len(example.All))
	try := func(i int, e example.Example) {
		begun := time.Now()
		if fault := example.Try(ctx, c, source(), e); fault != nil {
			faults[i] = fmt.Errorf("the example %s does not work: %w", e.Name, fault)
			return
		}
		fmt.Printf("example %-15s works, and goes on after a hand-over  (%.0f s)\n", e.Name, time.Since(begun).Seconds())
	}
	var work sync.WaitGroup
	for _, alone := range []bool{true, false} {
		for i, e := range example.All {
			switch {
			case e.Alone != alone || !o.part(e.Name, o.examples, o.faults, o.forms, o.docs):
			case alone:
				try(i, e)
			default:
				work.Go(func() { try(i, e) })
			}
		}
	}
	work.Wait()
	return errors.Join(append(faults, ctx.Err())...)
}

// readers is how many pages are typed at once: the pods of more would wait for
// each other.
const readers = 4

// tryDocs types the commands of the pages that are part of this run.
func (o options) tryDocs(ctx context.Context, c *cluster.Cluster) error {
	pages, err := page.Pages(source())
	if err != nil {
		return err
	}
	var work sync.WaitGroup
	faults, free := make([]error, len(pages)), make(chan struct{}, readers)
	for i, name := range pages {
		blocks, err := page.Typed(source(), name)
		if err != nil || page.Script(blocks) == "" || !o.part(name, o.docs, o.faults, o.forms, o.examples) {
			faults[i] = err
			continue
		}
		work.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			begun := time.Now()
			if faults[i] = docs.Try(ctx, c, source(), o.installed, name); faults[i] == nil {
				fmt.Printf("%-30s does what it says  (%.0f s)\n", name, time.Since(begun).Seconds())
			}
		})
	}
	work.Wait()
	return errors.Join(append(faults, ctx.Err())...)
}

// run does each trial that is not among the results yet.
func (o options) run(ctx context.Context, c *cluster.Cluster, s *store) error {
	for trial := 1; trial <= max(o.trials, 2); trial++ {
		for _, f := range fault.All {
			for _, form := range append(slices.Clone(workload.Forms), workload.Moving) {
				if !o.wants(f, form, trial) || s.has(f.Name, form.Name, o.churn, trial) {
					continue
				}
				w := &workload.Workload{Form: form, Cluster: c, Source: source(), Churn: o.churn}
				if err := s.try(ctx, f, w, trial); err != nil {
					return fmt.Errorf("%s in form %s: %w", f.Name, form.Name, err)
				}
			}
		}
	}
	return nil
}

// wants says whether a trial is part of this run. A plain run makes as many of
// a form as the form says.
func (o options) wants(f fault.Fault, form workload.Form, trial int) bool {
	listed := func(list, name string) bool { return slices.Contains(strings.Split(list, ","), name) }
	switch {
	case !f.In(form.Name), o.forms != "" && !listed(o.forms, form.Name):
		return false
	case o.faults != "" && !listed(o.faults, f.Name), o.faults == "" && !o.full && !strings.Contains(f.Brief, form.Name):
		return false
	case o.trials > 0:
		return trial <= o.trials
	}
	return trial <= form.Brief
}

// conclude tells the results in tables, writes the report, and fails if any
// trial had a problem.
func (o options) conclude(ctx context.Context, s *store) error {
	bad, results := 0, s.results
	for _, r := range results {
		if len(r.Problems) > 0 {
			bad++
		}
	}
	for _, form := range append(slices.Clone(workload.Forms), workload.Moving) {
		if slices.ContainsFunc(results, func(r fault.Result) bool { return r.Form == form.Name }) {
			fmt.Printf("\n%s (form %s)\n\n%s", form.Title, form.Name, report.Table(form, results))
		}
	}
	if o.churn {
		fmt.Printf("\nwhile other Services change\n\n%s", report.ChurnTable(results))
	}
	if o.report != "" {
		if err := writeReport(ctx, o.report, results); err != nil {
			return err
		}
		fmt.Printf("\nwritten to %s\n", o.report)
	}
	if bad+s.unmade > 0 {
		return fmt.Errorf("%d of %d trials had problems, %d could not be made", bad, len(results), s.unmade)
	}
	return nil
}

// reportSoFar writes the report of the results that are there.
func reportSoFar(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	s, err := open("dist/e2e", true)
	if err != nil {
		return err
	}
	defer s.file.Close()
	return writeReport(ctx, args[0], s.results)
}

func writeReport(ctx context.Context, path string, results []fault.Result) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return report.Write(f, report.Here(ctx), results)
}
