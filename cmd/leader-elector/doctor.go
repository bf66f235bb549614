package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/leader-elector/leader-elector/internal/doctor"
	"github.com/leader-elector/leader-elector/internal/health"
	"github.com/leader-elector/leader-elector/internal/kube"
)

// doctorHelp is what `leader-elector doctor --help` prints.
const doctorHelp = `leader-elector doctor looks at this installation and says what mends it.

Usage:
  leader-elector doctor [-o text|json] [flags of the sidecar]

Without flags it takes those of the sidecar that runs in the same container:
  kubectl exec POD -c leader-elector -- /leader-elector doctor
With flags, it takes them and the environment, as the sidecar would.

It only reads, and prints one line per finding: ok, warn or FAIL, with what
mends it below. It never prints the token.
Exit codes: 0 nothing is broken, 1 at least one FAIL, 2 wrong usage.
`

// runDoctor is the subcommand. args are those after "doctor".
func runDoctor(ctx context.Context, args []string, env lookup, stdout, stderr io.Writer) int {
	args, output, err := takeOutput(args)
	if err == nil && output != "text" && output != "json" {
		err = fmt.Errorf("--output=%q: write text or json", output)
	}
	source, running := "the flags given to doctor and the environment", false
	if err == nil && len(args) == 0 {
		source = "the environment"
		if given, pid, ok := sidecarArgs("/proc"); ok {
			args, running = given, true
			source = fmt.Sprintf("the running sidecar (process %d) and the environment", pid)
		}
	}
	var o *options
	if err == nil {
		o, err = parse(args, env)
	}
	switch {
	case errors.Is(err, errHelp):
		fmt.Fprint(stdout, doctorHelp)
		return exitDone
	case err != nil:
		fmt.Fprintf(stderr, "leader-elector doctor: %v\nTry 'leader-elector doctor --help'.\n", indent(err))
		return exitUsage
	}
	report := doctor.Run(ctx, o.doctorConfig(env, source, running))
	if output == "json" {
		err = report.PrintJSON(stdout)
	} else {
		err = report.Print(stdout)
	}
	if err != nil || report.Failed() {
		return exitFailed
	}
	return exitDone
}

// takeOutput takes -o and --output out of the arguments; the rest is the
// sidecar's.
func takeOutput(args []string) (rest []string, output string, err error) {
	output = "text"
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		if name != "-o" && name != "--output" {
			rest = append(rest, args[i])
			continue
		}
		if !has {
			if i++; i == len(args) {
				return nil, "", errors.New(name + " needs a value: text or json")
			}
			value = args[i]
		}
		output = value
	}
	return rest, output, nil
}

// doctorConfig is what there is to look at. What this machine does not give is a
// finding and not wrong usage.
func (o *options) doctorConfig(env lookup, source string, running bool) doctor.Config {
	cfg := doctor.Config{Source: source, Running: running, Version: version()}
	if err := o.resolve(env); err != nil {
		cfg.Faults = []error{err}
		var all interface{ Unwrap() []error }
		if errors.As(err, &all) {
			cfg.Faults = all.Unwrap()
		}
	}
	if o.access.TokenFile == "" {
		_, err := kube.InCluster(func(name string) string { value, _ := env(name); return value })
		cfg.Mounted = err == nil
	}
	cfg.Access = o.access
	cfg.Events = o.events
	cfg.Election, cfg.Namespace, cfg.ID, cfg.Lock = o.election, o.namespace, o.id, o.lock
	cfg.TTL, cfg.RenewEvery, cfg.HTTP = o.ttl, o.renewEvery, o.http
	cfg.HealthInterval, cfg.HealthTimeout, cfg.HealthFall, cfg.Health = o.healthInterval, o.healthTimeout, o.healthFall, o.askOnce()
	cfg.Route, cfg.Service, cfg.PodSelector = o.route, o.service, o.podSelector
	for _, ip := range o.pod.IPs {
		cfg.PodIPs = append(cfg.PodIPs, ip.String())
	}
	return cfg
}

// askOnce are the app's health checks, each within its own time.
func (o *options) askOnce() (checks []doctor.Check) {
	for _, url := range o.healthChecks {
		name, ask, err := health.Once(url)
		if err != nil { // which the flags were refused for
			ask = func(context.Context) error { return err }
		}
		checks = append(checks, doctor.Check{Name: name, Run: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, o.healthTimeout)
			defer cancel()
			return ask(ctx)
		}})
	}
	return checks
}

// sidecarArgs finds the arguments of the sidecar that runs in this container, as
// an exec session does not see its container's arguments otherwise. That is
// process 1, or the only one of ours with the same file system (under an init,
// or in a pod that shares its processes). Of several none is taken.
func sidecarArgs(proc string) (args []string, pid int, ok bool) {
	if args, ok = argsOf(proc, "1"); ok {
		return args, 1, true
	}
	here, err := os.Readlink(filepath.Join(proc, "self", "ns", "mnt"))
	if err != nil {
		return nil, 0, false
	}
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, 0, false
	}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil || n == os.Getpid() {
			continue
		}
		there, err := os.Readlink(filepath.Join(proc, e.Name(), "ns", "mnt"))
		if err != nil || there != here {
			continue
		}
		if found, is := argsOf(proc, e.Name()); is {
			if ok {
				return nil, 0, false
			}
			args, pid, ok = found, n, true
		}
	}
	return args, pid, ok
}

// argsOf gives the flags of one process, if it is one that campaigns.
func argsOf(proc, pid string) (args []string, ok bool) {
	line, err := os.ReadFile(filepath.Join(proc, pid, "cmdline"))
	if err != nil {
		return nil, false
	}
	return campaigner(line)
}

// campaigner gives the flags of a process that campaigns, from its command line
// as /proc has it. Other subcommands of ours do not.
func campaigner(cmdline []byte) (args []string, ok bool) {
	words := strings.Split(string(bytes.TrimSuffix(cmdline, []byte{0})), "\x00")
	if filepath.Base(words[0]) != "leader-elector" {
		return nil, false
	}
	args = words[1:]
	if len(args) > 0 && args[0] == "run" {
		args = args[1:]
		if end := slices.Index(args, "--"); end >= 0 { // from there on it is the child's
			args = args[:end]
		}
	} else if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return nil, false
	}
	return args, true
}
