package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/sandbox"
)

func (a *app) sandboxReboot() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "reboot [-s SANDBOX] HOST...",
		Short: "Reboot hosts, and wait until they are back",
		Long: `Reboot hosts, and wait until they are back.

A host with a kernel of its own reboots as a machine does: its disk is kept, and
what only its kernel held is gone. One that shares this computer's kernel starts
anew, with the files that every host begins with.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var which []string
			if name != "" {
				which = []string{name}
			}
			s, err := findSandbox(which)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return fmt.Errorf("which host? The sandbox %s has: %s\nSee '%s --help'", s.Name, hostList(s), cmd.CommandPath())
			}
			return sandbox.Reboot(cmd.Context(), sandbox.DefaultDir, s.Name, args, func(l string) { fmt.Fprintln(a.err, l) })
		},
	}
	cmd.Flags().StringVarP(&name, "sandbox", "s", "", "site or name of the sandbox (default: that of the working directory, else the only one)")
	return cmd
}
