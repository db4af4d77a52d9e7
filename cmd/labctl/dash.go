package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// longFlags lets a long flag be written with one dash, as Terraform's users do (-detailed-exitcode), where it is one that the
// command has; anything else, such as -vv or -lboxA, stays what it is. What follows "--", or belongs to a command to run
// elsewhere, is left alone.
func longFlags(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil || cmd.DisableFlagParsing {
		return args
	}
	out := make([]string, len(args))
	copy(out, args)
	for i, a := range out {
		if a == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "=")
		if len(name) > 1 && strings.HasPrefix(a, "-") && name[0] != '-' && cmd.Flags().Lookup(name) != nil {
			out[i] = "-" + a
		}
	}
	return out
}

// completable is longFlags, also of a command line that a shell wants completed.
func completable(root *cobra.Command, args []string) []string {
	if len(args) > 1 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		return append(args[:1:1], longFlags(root, args[1:])...)
	}
	return longFlags(root, args)
}
