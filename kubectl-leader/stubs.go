package main

import "github.com/spf13/cobra"

func newDescribeCommand(f *factory) *cobra.Command { return &cobra.Command{Use: "describe"} }
