package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leader-elector/leader-elector/kubectl-leader/inject"
)

// injectOptions are the flags of `kubectl leader inject`.
type injectOptions struct {
	inject.Options
	files    []string
	local    bool
	dryRun   string
	minReady int
}

func newInjectCommand(f *factory) *cobra.Command {
	o := &injectOptions{}
	cmd := &cobra.Command{
		Use:   "inject -f FILE",
		Short: "Make an election of a Deployment or StatefulSet",
		Long: `Make an election of a Deployment or StatefulSet: print its manifest with the
sidecar, its rights and the routing of its Service.

Everything else stays byte for byte as it is. What is injected already is
brought up to date; flags that are not given stay as they are there.

The cluster is only read (not with --local): if the Service lives there with a
selector, objects are printed too that move it over without a second endpoint.`,
		Example: examples(`
# a Deployment and its Service become one active pod and one that stands by
kubectl leader inject -f nginx.yaml | kubectl apply -f -

# as long as the server takes all of it
kubectl leader inject -f nginx.yaml --dry-run=server | kubectl apply -f -

# another version of the sidecar
kubectl leader inject -f nginx.yaml --image=registry.example/leader-elector:v1.1.0

# a workload without a Service: the app is told who leads
kubectl leader inject -f worker.yaml --route=none --extra-arg=--notify-url=http://:8080/leadership`),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(o.files) == 0 {
				return usage(cmd, errors.New("-f FILE is missing; - is the standard input"))
			}
			if o.dryRun != "none" && o.dryRun != "server" {
				return usage(cmd, fmt.Errorf("--dry-run=%q: write none or server", o.dryRun))
			}
			if cmd.Flags().Changed("min-ready-seconds") {
				o.MinReadySeconds = &o.minReady
			}
			if err := o.Validate(); err != nil {
				return usage(cmd, err)
			}
			return o.run(cmd, f)
		},
	}
	o.bind(cmd.Flags())
	for flag, values := range map[string][]string{
		"route": {inject.EndpointSlice, inject.Label, inject.Readiness, inject.None},
		"lock":  {"leases", "endpoints", "endpoints+leases"}, "dry-run": {"none", "server"},
	} {
		cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	return cmd
}

func (o *injectOptions) bind(f *pflag.FlagSet) {
	f.StringArrayVarP(&o.files, "filename", "f", nil, "`FILE` with the manifests, - is the standard input; may be repeated, as for a workload and its Service")
	f.StringVar(&o.Route, "route", "", "`WAY` in which traffic follows the leader: endpointslice, label, readiness or none (default endpointslice)")
	f.StringVar(&o.Service, "service", "", "`NAME` of the Service, if several lead to the pods")
	f.StringVar(&o.Workload, "workload", "", "`NAME` or KIND/NAME of the only workload to inject, if there are several")
	f.StringVar(&o.Image, "image", "", "`IMAGE` of the sidecar (default "+defaultImage()+")")
	f.StringVar(&o.Election, "election", "", "`NAME` of the election (default: the workload's)")
	f.StringVar(&o.ElectionNamespace, "election-namespace", "", "`NAMESPACE` of the lock (default: the pods'; of an endpoints lock default, as in leader-elector:0.5)")
	f.StringVar(&o.Lock, "lock", "", "`KIND` of the lock: leases, endpoints or endpoints+leases (default leases)")
	f.DurationVar(&o.TTL, "ttl", 0, "`DURATION` after which a crashed leader is followed (default 10s)")
	f.StringArrayVar(&o.HealthChecks, "health-check", nil, "`URL` that must answer for a pod to lead; may be repeated (default: what the app's probes ask)")
	f.BoolVar(&o.NoHealthCheck, "no-health-check", false, "let a pod lead whatever its app does")
	f.StringVar(&o.ServiceAccount, "service-account", "", "`NAME` of the account of pods that name none (default: one of their own, leader-elector-ELECTION)")
	f.IntVar(&o.Port, "port", 0, "`PORT` that the sidecar answers on (default 4040)")
	f.IntVar(&o.minReady, "min-ready-seconds", 0, "`SECONDS` for which a roll waits with a new pod; 0 takes it away (default: --ttl and 5 more, so that a first leader is elected before the pods of before are ended)")
	f.StringArrayVar(&o.ExtraArgs, "extra-arg", nil, "`FLAG` more of the sidecar, as --NAME=VALUE; may be repeated")
	f.BoolVar(&o.local, "local", false, "do not look at the cluster")
	f.StringVar(&o.dryRun, "dry-run", "none", "none, or server: print only what the server takes, and each refusal")
}

// defaultImage is the sidecar's of this plugin's own version. Where nobody has
// released it, that is what `make image` makes.
func defaultImage() string {
	v := version()
	if !strings.HasPrefix(v, "v") || strings.ContainsAny(v, "+-") {
		v = "dev"
	}
	return "leader-elector:" + v
}

func (o *injectOptions) run(cmd *cobra.Command, f *factory) error {
	var err error
	if o.Namespace, _, err = f.config.ToRawKubeConfigLoader().Namespace(); err != nil {
		return err
	}
	o.ForceNamespace = f.config.Namespace != nil && *f.config.Namespace != ""
	o.DefaultImage = defaultImage()
	if !o.local {
		if f.config.Timeout != nil && *f.config.Timeout == "0" {
			*f.config.Timeout = (5 * time.Second).String() // a cluster that does not answer is no reason to wait for ever
		}
		view := &injectView{f: f, ctx: cmd.Context()}
		if err := view.compatible(); err != nil {
			return err
		}
		o.Look = view.look
	}
	inputs, err := o.read(f.In)
	if err != nil {
		return err
	}
	result, err := inject.Inject(inputs, o.Options)
	if err != nil {
		return err
	}
	for _, note := range result.Notes {
		fmt.Fprintln(f.ErrOut, "note:", note)
	}
	if o.dryRun == "server" {
		if err := tryOnServer(f, result.Output); err != nil {
			return err
		}
	}
	_, err = f.Out.Write(result.Output)
	return err
}

// read reads the files, in their order.
func (o *injectOptions) read(stdin io.Reader) (inputs []inject.Input, err error) {
	for _, name := range o.files {
		in := inject.Input{Name: name}
		if name == "-" {
			in.Name = "the standard input"
			in.Data, err = io.ReadAll(stdin)
		} else {
			in.Data, err = os.ReadFile(name)
		}
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, in)
	}
	return inputs, nil
}
