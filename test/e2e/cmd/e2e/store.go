package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/fault"
	"github.com/leader-elector/leader-elector/test/e2e/workload"
)

// store keeps results in a file, a line each, so that a run can be resumed.
type store struct {
	dir     string
	file    *os.File
	commit  string // of the source as it is now
	results []fault.Result
	unmade  int // trials that could not be made
}

func open(dir string, resume bool) (*store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	commit, err := exec.Command("git", "-C", source(), "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	s := &store{dir: dir, commit: strings.TrimSpace(string(commit))}
	name, mode := "results.jsonl", os.O_RDWR|os.O_CREATE|os.O_APPEND
	if !resume {
		name, mode = "brief.jsonl", mode|os.O_TRUNC
	}
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

func (s *store) has(f, form string, churn bool, trial int) bool {
	return slices.ContainsFunc(s.results, func(r fault.Result) bool {
		return r.Fault == f && r.Form == form && r.Churn == churn && r.Trial == trial
	})
}

// try makes one trial and tells its result in a line.
func (s *store) try(ctx context.Context, f fault.Fault, w *workload.Workload, trial int) error {
	begun := time.Now()
	r, err := f.Run(ctx, w)
	r.Trial, r.Commit = trial, s.commit
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		// It is not written down, so that a resumed run tries it again.
		fmt.Printf("%-15s %s %d  NOT MADE: %v\n", f.Name, w.Name, trial, err)
		s.keepLogs(ctx, f, w, trial)
		s.unmade++
		if s.unmade > 5 {
			return fmt.Errorf("%d trials could not be made; this cluster is not fit: %w", s.unmade, err)
		}
		return nil
	}
	if err := s.keepRaw(r); err != nil {
		return err
	}
	s.results = append(s.results, r)
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := s.file.Write(append(line, '\n')); err != nil {
		return err
	}
	fmt.Printf("%-15s %s %d  silence %6.3f s, unstable %6.2f s, %d astray, %d of %d failed, lead lapsed %5.2f s, stream %s  (%.0f s)\n",
		f.Name, w.Name, trial, r.Heard.Silence.Seconds(), r.Heard.Unstable.Seconds(), r.Heard.Stray, r.Heard.Failed, r.Heard.Requests,
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

// stem names the files of a trial.
func stem(f, form string, churn bool, trial int) string {
	if churn {
		form += "-churn"
	}
	return fmt.Sprintf("%s-%s-%d", f, form, trial)
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
	path := filepath.Join(s.dir, stem(f.Name, w.Name, w.Churn, trial)+".log")
	if err := os.WriteFile(path, []byte(all.String()), 0o644); err == nil {
		fmt.Println("                see", path)
	}
}

// keepRaw keeps what the listener heard, for questions that come later.
func (s *store) keepRaw(r fault.Result) (err error) {
	f, err := os.Create(filepath.Join(s.dir, stem(r.Fault, r.Form, r.Churn, r.Trial)+".jsonl.gz"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	packed := gzip.NewWriter(f)
	lines := json.NewEncoder(packed)
	for _, record := range r.Raw {
		if err := lines.Encode(record); err != nil {
			return err
		}
	}
	return packed.Close()
}
