package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// factory gives the commands what they share: the flags of kubectl, and the
// client that follows from them.
type factory struct {
	genericiooptions.IOStreams
	config *genericclioptions.ConfigFlags
}

func newFactory(streams genericiooptions.IOStreams) *factory {
	return &factory{IOStreams: streams, config: genericclioptions.NewConfigFlags(true)}
}

func (f *factory) client() (*cluster.Client, error) {
	return cluster.Connect(f.config, "kubectl-leader/"+version())
}

// lockFlag is --lock: where the election's record lies.
type lockFlag string

func (l *lockFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar((*string)(l), "lock", "", "`KIND` of the lock object: leases, or endpoints for an election of leader-elector:0.5 (default: whichever there is, leases first)")
	cmd.RegisterFlagCompletionFunc("lock", cobra.FixedCompletions([]string{"leases", "endpoints"}, cobra.ShellCompDirectiveNoFileComp))
}

// target is the lock of an election that the user named.
type target struct {
	name  string
	kinds []record.Kind // where to look for it, in this order
}

// newTarget reads NAME, which may be written as `-o name` prints it.
func newTarget(cmd *cobra.Command, args []string, kind lockFlag) (t target, err error) {
	if len(args) != 1 {
		return t, usage(cmd, fmt.Errorf("give the name of one election, not %d; `kubectl leader list` shows them", len(args)))
	}
	t = target{name: args[0], kinds: []record.Kind{record.Leases, record.Endpoints}}
	if word, name, ok := strings.Cut(args[0], "/"); ok {
		t.name = name
		word, _, _ = strings.Cut(word, ".")
		switch word {
		case "lease", "leases":
			t.kinds = t.kinds[:1]
		case "endpoints", "ep":
			t.kinds = t.kinds[1:]
		default:
			return t, usage(cmd, fmt.Errorf("%q is no lock: write NAME, lease/NAME or endpoints/NAME", args[0]))
		}
	}
	switch kind {
	case "":
	case "leases", "endpoints":
		t.kinds = []record.Kind{record.Kind(kind)}
	default:
		return t, usage(cmd, fmt.Errorf("--lock=%s: there are leases and endpoints", kind))
	}
	if t.name == "" {
		return t, usage(cmd, errors.New("the election's name is empty"))
	}
	return t, nil
}

// find reads the lock.
func (t target) find(ctx context.Context, c *cluster.Client) (r record.Record, err error) {
	for _, kind := range t.kinds {
		r, err = c.Get(ctx, kind, c.Namespace, t.name)
		if err == nil && !r.Election() {
			err = fmt.Errorf("%w: %s %q in the namespace %q is no lock of an election", cluster.ErrNoLock, kind, t.name, c.Namespace)
		}
		if !errors.Is(err, cluster.ErrNoLock) {
			return r, err
		}
	}
	if len(t.kinds) > 1 {
		err = fmt.Errorf("%w as %q: the namespace %q has neither a Lease nor an Endpoints of that name that is a lock", cluster.ErrNoLock, t.name, c.Namespace)
	}
	return r, fmt.Errorf("%w; `kubectl leader list -A` shows them all, -n says in which namespace to look", err)
}

// complete offers the names of the elections.
func (f *factory) complete(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := f.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	records, _, err := readAll(cmd.Context(), c, []record.Kind{record.Leases}, listScope{namespace: c.Namespace})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, r := range records {
		if r.Election() {
			names = append(names, r.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
