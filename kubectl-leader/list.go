package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// listOptions are the flags of list.
type listOptions struct {
	*factory
	listScope
	allNamespaces bool
	everything    bool
	lock          string
	watch         bool
	noHeaders     bool
	output        outputFlag
	kinds         []record.Kind
}

// listScope says what to ask the API server for.
type listScope struct {
	namespace string // empty: all
	selector  string
	chunk     int64 // zero: all at once
}

func newListCommand(f *factory) *cobra.Command {
	o := &listOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls", "get"},
		Short:   "List elections: who leads, since when, with which term",
		Long: `List elections: who leads, since when, with which term.

One request reads all Leases, and those that are locks of an election are shown:
of leader-elector, and of client-go's leaderelection, which has no terms (-).
Heartbeats of nodes and of API servers are Leases too, and are left out unless
--all is given.

STATUS is Led, Expired (the leader has not renewed for the length of its lease),
Free (the last leader released it), Vacant (nobody holds it, and candidates wait
for a leader that they may not know) or Unreadable; ",Paused" is added while the
election is paused. SINCE and EXPIRES compare the leader's clock with the API
server's.

With --watch a line is printed per change of anything but the renewals.`,
		Example: examples(`
# the elections of this namespace, and those of all of them
kubectl leader list
kubectl leader list -A

# watch them change, with the time to live and what is under way
kubectl leader list -w -o wide

# elections that nobody leads
kubectl leader list -A -o json | jq -r '.items[] | select(.status != "Led") | .namespace + "/" + .name'

# elections of leader-elector:0.5, which are kept in Endpoints
kubectl leader list -A --lock=endpoints`),
		Args: noArgs,
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "list those of all namespaces")
	flags.BoolVar(&o.everything, "all", false, "show every object of the kind, the locks of no election too")
	flags.StringVar(&o.lock, "lock", "leases", "`KIND` of the lock objects: leases, endpoints, or both of them as endpoints+leases, with a request each")
	flags.StringVarP(&o.selector, "selector", "l", "", "`SELECTOR` of labels that the lock objects have")
	flags.Int64Var(&o.chunk, "chunk-size", 10000, "`NUMBER` of objects per request; 0 asks for all at once")
	flags.BoolVarP(&o.watch, "watch", "w", false, "go on, and print a line per change")
	flags.BoolVar(&o.noHeaders, "no-headers", false, "leave the headers out")
	o.output.add(cmd, "json", "yaml", "wide", "name")
	cmd.RegisterFlagCompletionFunc("lock", cobra.FixedCompletions([]string{"leases", "endpoints", "endpoints+leases"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := o.check(cmd); err != nil {
			return err
		}
		return o.run(cmd.Context())
	}
	return cmd
}

func (o *listOptions) check(cmd *cobra.Command) error {
	switch o.lock {
	case "leases", "endpoints":
		o.kinds = []record.Kind{record.Kind(o.lock)}
	case "endpoints+leases":
		o.kinds = []record.Kind{record.Endpoints, record.Leases}
	default:
		return usage(cmd, fmt.Errorf("--lock=%s: there are leases, endpoints and endpoints+leases", o.lock))
	}
	if o.chunk < 0 {
		return usage(cmd, fmt.Errorf("--chunk-size=%d is below 0", o.chunk))
	}
	return o.output.check(cmd)
}

func (o *listOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	if !o.allNamespaces {
		o.namespace = c.Namespace
	}
	records, versions, err := readAll(ctx, c, o.kinds, o.listScope)
	if err != nil {
		return o.nearby(err)
	}
	records = slices.DeleteFunc(records, func(r record.Record) bool { return !o.shows(&r) })
	p := o.newPrinter(c)
	if o.watch {
		return p.follow(ctx, records, versions)
	}
	return p.all(records)
}

// nearby says what is left to somebody who may not look everywhere.
func (o *listOptions) nearby(err error) error {
	if o.allNamespaces && apierrors.IsForbidden(err) {
		return fmt.Errorf("%w\nWithout it: kubectl leader list -n NAMESPACE", err)
	}
	return err
}

// shows says whether a lock is to be listed.
func (o *listOptions) shows(r *record.Record) bool { return o.everything || r.Election() }

// readAll reads all objects of the kinds, with one request for each unless they
// are more than a chunk. versions are those of the lists, to watch from.
func readAll(ctx context.Context, c *cluster.Client, kinds []record.Kind, s listScope) ([]record.Record, map[record.Kind]string, error) {
	var all []record.Record
	versions := map[record.Kind]string{}
	for _, kind := range kinds {
		records, version, err := readKind(ctx, c, kind, s)
		if err != nil {
			return nil, nil, err
		}
		all, versions[kind] = append(all, records...), version
	}
	slices.SortStableFunc(all, func(a, b record.Record) int {
		if by := strings.Compare(a.Namespace, b.Namespace); by != 0 {
			return by
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, versions, nil
}

func readKind(ctx context.Context, c *cluster.Client, kind record.Kind, s listScope) (all []record.Record, version string, err error) {
	opts := metav1.ListOptions{LabelSelector: s.selector, Limit: s.chunk}
	for {
		page, err := c.List(ctx, kind, s.namespace, opts)
		if apierrors.IsResourceExpired(err) && opts.Continue != "" {
			// The pages took longer than the server keeps their version: all at once.
			all, opts = nil, metav1.ListOptions{LabelSelector: s.selector}
			continue
		}
		if err != nil {
			return nil, "", err
		}
		all, version = append(all, page.Records...), page.Version
		if opts.Continue = page.Continue; opts.Continue == "" {
			return all, version, nil
		}
	}
}

// listPrinter prints elections in the form that was asked for.
type listPrinter struct {
	*listOptions
	c     *cluster.Client
	table *table
}

func (o *listOptions) newPrinter(c *cluster.Client) *listPrinter {
	drop := 1
	if o.allNamespaces {
		drop = 0
	}
	return &listPrinter{listOptions: o, c: c, table: newTable(o.Out, &o.output, columns, drop, o.noHeaders)}
}

// all prints a list.
func (p *listPrinter) all(records []record.Record) error {
	now := p.c.Now()
	list := electionList{APIVersion: apiVersion, Kind: "ElectionList", Items: make([]election, len(records))}
	for i := range records {
		list.Items[i] = newElection(&records[i], now)
	}
	if !p.output.text() && p.output.value != "name" {
		return p.output.object(p.Out, list)
	}
	if len(records) == 0 {
		return p.none()
	}
	return p.lines(list.Items, now)
}

// none says so where nothing would look like a fault.
func (p *listPrinter) none() error {
	where := fmt.Sprintf("in the namespace %q", p.namespace)
	if p.namespace == "" {
		where = "in any namespace"
	}
	_, err := fmt.Fprintf(p.ErrOut, "No elections %s among the %s.\n", where, p.lock)
	return err
}

// lines prints a line for each.
func (p *listPrinter) lines(items []election, now time.Time) error {
	if p.output.value == "name" {
		return p.names(items)
	}
	rows := make([][]any, len(items))
	for i := range items {
		rows[i] = items[i].cells(now)
	}
	return p.table.print(rows...)
}

func (p *listPrinter) names(items []election) error {
	var lines strings.Builder
	for i := range items {
		lines.WriteString(items[i].ref() + "\n")
	}
	_, err := fmt.Fprint(p.Out, lines.String())
	return err
}

// ref is the lock's name as `kubectl get` takes it.
func (e *election) ref() string {
	if e.Lock == string(record.Endpoints) {
		return "endpoints/" + e.Name
	}
	return "lease.coordination.k8s.io/" + e.Name
}
