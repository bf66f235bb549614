package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/kube"
)

var (
	errHelp    = errors.New("help was asked for")
	errVersion = errors.New("the version was asked for")
)

// options are the flags, and what follows from them.
type options struct {
	election, namespace, id string
	lock, newLock           string
	ttl, renewEvery         time.Duration
	kubeconfig, server      string
	inCluster               bool
	http                    string
	logLevel, logFormat     string
	help, version           bool
	routing
	healthOptions
	appOptions
	runOptions
	eventOptions

	level  slog.Level
	access kube.Access
	self   claims // what the token says of this pod
	podUID string

	fromEnv map[string]bool // the flags that their variables stand for
}

// groups is the order of the manual.
var groups = []struct {
	title string
	flags []string
}{
	{"Identity", []string{"election", "election-namespace", "id", "lock", "new-lock"}},
	{"Timing", []string{"ttl", "renew-every"}},
	{"API server", []string{"kubeconfig", "server", "use-cluster-credentials"}},
	{"Health", healthGroup},
	{"Routing", routingGroup},
	{"App", appGroup},
	{"HTTP", []string{"http"}},
	{"Command (run)", runGroup},
	{"Logs and events", []string{"log-level", "log-format", "events"}},
	{"Other", []string{"help", "version"}},
}

// flags binds the options to flags of their names.
func (o *options) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("leader-elector", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	f.StringVar(&o.election, "election", "", "`NAME` of the election, and of its lock object; required")
	f.StringVar(&o.namespace, "election-namespace", "", "`NAMESPACE` of the lock object (default: the pod's; with --lock=endpoints and endpoints+leases \"default\", as in 0.5)")
	f.StringVar(&o.id, "id", "", "`NAME` of this candidate, as the lock shows it (default: the pod's name; with --lock=endpoints and endpoints+leases the hostname)")
	f.StringVar(&o.lock, "lock", "leases", "`KIND` of the lock object: leases; endpoints to take part in an election of leader-elector:0.5; or endpoints+leases, which holds both, on the way from 0.5 to leases")
	f.StringVar(&o.newLock, "new-lock", "wait", "`HOW` to take a lock that is missing at the start: wait for the length of a lease, or immediate, which is unsafe where the lock can be deleted while a leader acts: for first installs and demos")
	f.DurationVar(&o.ttl, "ttl", elector.DefaultTTL, "`DURATION` of the lease, whole seconds, at least 4s, the same for all candidates: a crashed leader is followed after it")
	f.DurationVar(&o.renewEvery, "renew-every", 0, "`DURATION` between two renewals, at least 1s, at most half of --ttl (default: a third of --ttl)")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "`FILE` with the API server and credentials; certificates and tokens only")
	f.StringVar(&o.server, "server", "", "`URL` of the API server without credentials, such as http://127.0.0.1:8001 of `kubectl proxy`")
	f.BoolVar(&o.inCluster, "use-cluster-credentials", false, "use the pod's service account (automatic in a pod, unless --kubeconfig or --server is given)")
	o.healthFlags(f)
	o.routingFlags(f)
	o.appFlags(f)
	f.StringVar(&o.http, "http", ":4040", "`ADDRESS` to answer on, HOST:PORT or :PORT; empty: no HTTP")
	o.runFlags(f)
	f.StringVar(&o.logLevel, "log-level", "info", "`LEVEL` of the log: debug, info, warn or error")
	f.StringVar(&o.logFormat, "log-format", "text", "`FORMAT` of the log: text or json; times are UTC")
	o.eventFlags(f)
	f.BoolVarP(&o.help, "help", "h", false, "print this manual")
	f.BoolVar(&o.version, "version", false, "print the version")
	return f
}

// twin is the environment variable that stands for a flag.
func twin(flag string) string {
	return "LEADER_ELECTOR_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// parse reads the command line, and for what it leaves out the environment.
// Variables that no flag has for a twin are somebody else's: Kubernetes makes
// some for every Service.
func parse(args []string, env lookup) (*options, error) {
	o := &options{fromEnv: map[string]bool{}}
	f := o.flags()
	if len(args) > 0 {
		switch args[0] {
		case "help":
			return nil, errHelp
		case "version":
			return nil, errVersion
		case "run":
			args = args[1:]
			o.command = []string{}
		}
	}
	if err := f.Parse(args); err != nil {
		return nil, mend(err, args)
	}
	switch {
	case o.help:
		return nil, errHelp
	case o.version:
		return nil, errVersion
	}
	var faults []error
	f.VisitAll(func(flag *pflag.Flag) {
		value, ok := env(twin(flag.Name))
		if !ok || flag.Changed || flag.Name == "help" || flag.Name == "version" {
			return
		}
		if err := f.Set(flag.Name, value); err != nil {
			faults = append(faults, fmt.Errorf("the variable %s=%q: %s", twin(flag.Name), value, cause(err)))
			return
		}
		o.fromEnv[flag.Name] = true
	})
	faults = append(faults, leftOver(o.takeCommand(f))...)
	faults = append(faults, o.check()...)
	return o, errors.Join(faults...)
}

// cause strips the words about a flag from the error of a variable.
func cause(err error) string {
	if under := errors.Unwrap(err); under != nil {
		return under.Error()
	}
	return err.Error()
}

// mend says what to write instead of a flag that cannot be read.
func mend(err error, args []string) error {
	for _, a := range args {
		name, _, _ := strings.Cut(a, "=")
		if strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && len(strings.TrimLeft(name, "-")) > 1 {
			return fmt.Errorf("%w; flags have two dashes: write -%s", err, a)
		}
	}
	return err
}

func leftOver(args []string) []error {
	if len(args) == 0 {
		return nil
	}
	what := strings.Join(args, " ")
	if slices.Contains([]string{"step-down", "status", "probe", "install", "doctor", "completion"}, args[0]) {
		return []error{fmt.Errorf("%q is left over; a subcommand comes first: write leader-elector %s", what, what)}
	}
	if args[0] == "run" {
		return []error{errors.New("run comes first: write `leader-elector run [flags] -- CMD`")}
	}
	if args[0] == "true" || args[0] == "false" {
		return []error{fmt.Errorf("%q is left over; a switch takes its value after an equals sign: write --use-cluster-credentials=%s", what, args[0])}
	}
	return []error{fmt.Errorf("%q is left over; a flag is written --name=value, and the subcommands are run, step-down, status, probe, install, doctor, completion, version and help", what)}
}

// indent puts each of several faults on a line of its own.
func indent(err error) string {
	lines := strings.Split(err.Error(), "\n")
	if len(lines) == 1 {
		return lines[0]
	}
	return "\n  - " + strings.Join(lines, "\n  - ")
}
