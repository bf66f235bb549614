package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/leader-elector/leader-elector/kubectl-leader/traffic"
)

// describeOptions are the flags of describe.
type describeOptions struct {
	*factory
	podFlags
	lock   lockFlag
	output outputFlag
	target target
}

// description is what describe prints.
type description struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"` // ElectionDescription
	Election   election          `json:"election"`
	Candidates []candidateView   `json:"candidates"`
	Services   []traffic.Service `json:"services"`
	Rights     []rightsView      `json:"rights"`
	Events     []eventView       `json:"events"`
	Problems   []string          `json:"problems"` // what could not be read
}

func newDescribeCommand(f *factory) *cobra.Command {
	o := &describeOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "describe NAME",
		Aliases: []string{"show"},
		Short:   "Show all about one election: its lock, candidates, traffic, rights and events",
		Long: `Show all about one election: its lock, candidates, traffic, rights and events.

The candidates are the pods with the label leader-elector.io/election=NAME, or
else those with a container that was told --election=NAME. Each is asked for its
/status through the API server's pod proxy. What may not be read is left out,
with the rule that is missing.`,
		Example: examples(`
kubectl leader describe music

# as JSON: the candidates that could take over
kubectl leader describe music -o json | jq -r '.candidates[] | select(.role == "standby") | .pod'`),
		ValidArgsFunction: f.complete,
	}
	o.lock.add(cmd)
	o.podFlags.add(cmd)
	o.output.add(cmd, "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if o.target, err = newTarget(cmd, args, o.lock); err != nil {
			return err
		}
		if err := errors.Join(o.output.check(cmd), o.podFlags.check(cmd)); err != nil {
			return err
		}
		return o.run(cmd.Context())
	}
	return cmd
}

func (o *describeOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	s, err := look(ctx, c, o.target, o.podFlags)
	if err != nil {
		return err
	}
	d := &description{
		APIVersion: apiVersion, Kind: "ElectionDescription", Election: newElection(&s.record, c.Now()),
		Candidates: s.views(), Services: s.services, Rights: rights(ctx, c, s),
	}
	if d.Services == nil {
		d.Services = []traffic.Service{}
	}
	if d.Events, err = events(ctx, c, s); err != nil {
		s.trouble = append(s.trouble, err)
	}
	d.Problems = make([]string, len(s.trouble))
	for i, err := range s.trouble {
		d.Problems[i] = err.Error()
	}
	if !o.output.text() {
		return o.output.object(o.Out, d)
	}
	return d.print(o.Out, c.Now())
}

// print writes it as `kubectl describe` would.
func (d *description) print(out io.Writer, now time.Time) error {
	w := printers.GetNewTabWriter(out)
	d.Election.print(w, now)
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "Candidates:")
	rows := make([][]any, len(d.Candidates))
	for i := range d.Candidates {
		rows[i] = d.Candidates[i].cells()
	}
	if err := section(out, candidateColumns, rows); err != nil {
		return err
	}
	d.printServices(out)
	d.printRights(out)
	if err := d.printEvents(out, now); err != nil {
		return err
	}
	for _, p := range d.Problems {
		fmt.Fprintf(out, "Not read:  %s\n", strings.ReplaceAll(p, "\n", "\n           "))
	}
	return nil
}

func (e *election) print(w io.Writer, now time.Time) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s:\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("Name", "%s", e.Name)
	line("Namespace", "%s", e.Namespace)
	line("Lock", "%s (resourceVersion %s)", e.ref(), e.ResourceVersion)
	line("Status", "%s", e.Status)
	switch {
	case e.Leader == "":
		line("Leader", "<none>")
	case e.Foreign:
		line("Leader", "%s (not leader-elector: client-go's leaderelection, or 0.5)", e.Leader)
	default:
		line("Leader", "%s", e.Leader)
	}
	line("Since", "%s", moment(e.Since, now))
	line("Term", "%s", orDash(text(e.Term)))
	line("Lease", "%v, renewed %s, %s", time.Duration(e.TTLSeconds)*time.Second, moment(e.Renewed, now), e.lapse(now))
	line("Transitions", "%d", e.Transitions)
	pause := "no"
	if e.Paused {
		pause = "yes"
		if e.PausedReason != "" {
			pause = "yes: " + e.PausedReason
		}
	}
	line("Paused", "%s", pause)
	line("Under way", "%s", orDash(strings.TrimPrefix(e.note(), e.PausedReason)))
}

func moment(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	return fmt.Sprintf("%s ago (%s)", ago(t, now), t.Format(time.RFC3339))
}

// section prints a table, indented.
func section(out io.Writer, columns []metav1.TableColumnDefinition, rows [][]any) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(out, "  <none>")
		return err
	}
	var text strings.Builder
	if err := newTable(&text, &outputFlag{}, columns, 0, false).print(rows...); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "  "+strings.ReplaceAll(strings.TrimRight(text.String(), "\n"), "\n", "\n  "))
	return err
}

func (d *description) printServices(out io.Writer) {
	fmt.Fprintln(out, "Services:")
	for _, s := range d.Services {
		to := "nobody"
		if pods := s.Pods(); len(pods) > 0 {
			to = strings.Join(pods, ", ")
		}
		switch {
		case s.Missing:
			fmt.Fprintf(out, "  %s: there is none of that name, which the candidates' --service names\n", s.Name)
		case s.Exclusive():
			fmt.Fprintf(out, "  %s (follows the lead by %s) points to %s\n", s.Name, s.Route, to)
		default:
			fmt.Fprintf(out, "  %s (reaches all candidates) points to %s\n", s.Name, to)
		}
		for _, e := range s.Endpoints {
			ready := map[bool]string{true: "ready", false: "not ready"}[e.Ready]
			term := ""
			if e.Term != "" {
				term = ", written with term " + e.Term
			}
			fmt.Fprintf(out, "    %s %s, %s, in the slice %s%s\n", e.Address, orDash(e.Pod), ready, e.Slice, term)
		}
	}
	if len(d.Services) == 0 {
		fmt.Fprintln(out, "  <none>")
	}
}

func (d *description) printRights(out io.Writer) {
	fmt.Fprintln(out, "Rights:")
	for _, r := range d.Rights {
		switch {
		case r.Unknown != "":
			fmt.Fprintf(out, "  %s: not looked at: %s\n", r.Who, r.Unknown)
		case len(r.Missing) == 0:
			fmt.Fprintf(out, "  %s: all that is needed\n", r.Who)
		default:
			fmt.Fprintf(out, "  %s: a Role lacks\n    %s\n", r.Who, strings.Join(r.Missing, "\n    "))
		}
	}
}

var eventColumns = []metav1.TableColumnDefinition{
	{Name: "Age", Type: "string"}, {Name: "Type", Type: "string"}, {Name: "Reason", Type: "string"},
	{Name: "Object", Type: "string"}, {Name: "Message", Type: "string"},
}

func (d *description) printEvents(out io.Writer, now time.Time) error {
	fmt.Fprintln(out, "Events:")
	rows := make([][]any, len(d.Events))
	for i, e := range d.Events {
		age := ago(&e.Last, now)
		if e.Count > 1 {
			age = fmt.Sprintf("%s (%d times)", age, e.Count)
		}
		rows[i] = []any{age, e.Type, e.Reason, e.Object, e.Message}
	}
	return section(out, eventColumns, rows)
}
