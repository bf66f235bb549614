package main

import "github.com/spf13/cobra"

func newDescribeCommand(f *factory) *cobra.Command   { return &cobra.Command{Use: "describe"} }
func newVerifyCommand(f *factory) *cobra.Command     { return &cobra.Command{Use: "verify"} }
func newSwitchoverCommand(f *factory) *cobra.Command { return &cobra.Command{Use: "switchover"} }
func newStepDownCommand(f *factory) *cobra.Command   { return &cobra.Command{Use: "step-down"} }
func newPauseCommand(f *factory) *cobra.Command      { return &cobra.Command{Use: "pause"} }
func newResumeCommand(f *factory) *cobra.Command     { return &cobra.Command{Use: "resume"} }
