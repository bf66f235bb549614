package main

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// newRootCommand is the plugin with all its commands.
func newRootCommand(f *factory) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-leader",
		Short: "See and move the leaders of elections",
		Long: `See and move the leaders of elections.

An election is a lock object (a Lease, or an Endpoints as leader-elector:0.5
kept it) and the pods that compete for it. The election's name is the lock's.

Exit codes: 0 done, 1 failed or refused, 2 wrong usage.`,
		Example: examples(`
# who leads, in every namespace
kubectl leader list -A

# give the lead of "music" to another pod, and wait until it leads
kubectl leader switchover music --wait

# is all as it should be?
kubectl leader verify music`),
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl leader"},
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(f.In)
	root.SetOut(f.Out)
	root.SetErr(f.ErrOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, err) })
	f.config.AddFlags(root.PersistentFlags())

	root.AddCommand(newListCommand(f))
	root.AddCommand(newDescribeCommand(f))
	root.AddCommand(newVerifyCommand(f))
	root.AddCommand(newSwitchoverCommand(f))
	root.AddCommand(newStepDownCommand(f))
	root.AddCommand(newPauseCommand(f))
	root.AddCommand(newResumeCommand(f))
	root.AddCommand(newInjectCommand(f))
	root.AddCommand(newVersionCommand(f))
	return root
}

// run carries out a command line and returns the exit code.
func run(ctx context.Context, streams genericiooptions.IOStreams, args []string) int {
	root := newRootCommand(newFactory(streams))
	root.SetArgs(args)
	return exit(streams.ErrOut, root.ExecuteContext(ctx))
}
