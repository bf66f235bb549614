package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// pauseOptions are the flags of pause and resume.
type pauseOptions struct {
	*factory
	lock   lockFlag
	reason string
	dryRun string
	output outputFlag
	target target
}

func newPauseCommand(f *factory) *cobra.Command {
	o := &pauseOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "pause NAME",
		Short: "Keep the leader: nobody else may take over until the election is resumed",
		Long: `Keep the leader: nobody else may take over until the election is resumed.

While an election is paused its leader leads on, may restart in its pod, and
hands over to nobody. If it stops or dies, nobody leads until the election is
resumed. Pause for work in which a change of leader is worse than none.

It writes the annotation ` + record.PausedNote + ` on the lock, whose value is the
reason. Candidates of client-go and of leader-elector:0.5 do not heed it.`,
		Example: examples(`
kubectl leader pause music --reason="database migration, until 15:00, jane"
kubectl leader resume music`),
		ValidArgsFunction: f.complete,
	}
	cmd.Flags().StringVar(&o.reason, "reason", "", "`TEXT` that list, describe and verify show")
	cmd.RunE = o.runE(func(ctx context.Context, c *cluster.Client) error { return o.set(ctx, c, true) })
	o.add(cmd)
	return cmd
}

func newResumeCommand(f *factory) *cobra.Command {
	o := &pauseOptions{factory: f}
	cmd := &cobra.Command{
		Use:               "resume NAME",
		Short:             "End a pause",
		Long:              "End a pause: the candidates may take over again.\n\nIt removes the annotation " + record.PausedNote + " of the lock.",
		Example:           examples("kubectl leader resume music"),
		ValidArgsFunction: f.complete,
	}
	cmd.RunE = o.runE(func(ctx context.Context, c *cluster.Client) error { return o.set(ctx, c, false) })
	o.add(cmd)
	return cmd
}

func (o *pauseOptions) add(cmd *cobra.Command) {
	o.lock.add(cmd)
	addDryRun(cmd, &o.dryRun)
	o.output.add(cmd, "json", "yaml", "name")
}

func (o *pauseOptions) runE(do func(context.Context, *cluster.Client) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		if o.target, err = newTarget(cmd, args, o.lock); err != nil {
			return err
		}
		if err := o.output.check(cmd); err != nil {
			return err
		}
		if err := checkDryRun(cmd, o.dryRun); err != nil {
			return err
		}
		c, err := o.client()
		if err != nil {
			return err
		}
		return do(cmd.Context(), c)
	}
}

// set pauses or resumes. It says what the state is, whether or not it changed.
func (o *pauseOptions) set(ctx context.Context, c *cluster.Client, pause bool) error {
	want := strings.TrimSpace(o.reason)
	if want == "" || want == "false" {
		want = "true" // the empty value and "false" would pause nothing
	}
	for try := 0; ; try++ {
		r, err := o.target.find(ctx, c)
		if err != nil {
			return err
		}
		word := map[bool]string{true: "paused", false: "resumed"}[pause]
		if r.Paused == pause && (!pause || r.PausedBy == want || o.reason == "") {
			return o.done(c, r, map[bool]string{true: "is paused already", false: "was not paused"}[pause])
		}
		notes := map[string]any{record.PausedNote: nil}
		if pause {
			notes[record.PausedNote] = want
		}
		r, err = annotate(ctx, c, r, notes, o.dryRun)
		if err == nil {
			return o.done(c, r, word+dryRunNote(o.dryRun))
		}
		if !apierrors.IsConflict(err) || try == maxConflicts {
			return err
		}
	}
}

func (o *pauseOptions) done(c *cluster.Client, r record.Record, what string) error {
	e := newElection(&r, c.Now())
	switch {
	case o.output.value == "name":
		_, err := fmt.Fprintln(o.Out, e.ref())
		return err
	case !o.output.text():
		e.APIVersion, e.Kind = apiVersion, "Election"
		return o.output.object(o.Out, e)
	}
	_, err := fmt.Fprintf(o.Out, "%s %s\n", e.ref(), what)
	if e.Foreign && r.Paused {
		fmt.Fprintf(o.ErrOut, "warning: %s leads, which is not leader-elector and does not heed a pause\n", e.Leader)
	}
	return err
}

// maxConflicts is how often a change is tried again because somebody else wrote
// the lock meanwhile, as its leader does every few seconds.
const maxConflicts = 8

// addDryRun binds --dry-run, which has kubectl's meaning.
func addDryRun(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "dry-run", "none", `"none", "client" (send nothing) or "server" (send it, and have it not stored)`)
	cmd.Flags().Lookup("dry-run").NoOptDefVal = "client"
	cmd.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions([]string{"none", "client", "server"}, cobra.ShellCompDirectiveNoFileComp))
}

func checkDryRun(cmd *cobra.Command, value string) error {
	switch value {
	case "none", "client", "server":
		return nil
	}
	return usage(cmd, fmt.Errorf("--dry-run=%s: there are none, client and server", value))
}

// annotate changes the lock as far as --dry-run lets it.
func annotate(ctx context.Context, c *cluster.Client, r record.Record, notes map[string]any, dryRun string) (record.Record, error) {
	if dryRun == "client" {
		return r, nil
	}
	return c.Annotate(ctx, r, notes, dryRun == "server")
}

func dryRunNote(dryRun string) string {
	switch dryRun {
	case "client":
		return " (dry run)"
	case "server":
		return " (server dry run)"
	}
	return ""
}
