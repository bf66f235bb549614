package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// linked is the version that a release build names; `go install` leaves it
// empty, and the module's own version says it.
var linked string

func version() string {
	if linked != "" {
		return linked
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func newVersionCommand(f *factory) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this plugin",
		Example: examples("kubectl leader version"),
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(f.Out, version())
			return err
		},
	}
}
