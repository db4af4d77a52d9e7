package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/sandbox"
)

func (a *app) sandboxReboot() *cobra.Command {
	var name sandboxFlag
	cmd := &cobra.Command{
		Use:   "reboot [-s SANDBOX] HOST...",
		Short: "Reboot hosts, and wait until they are back",
		Long: `Reboot hosts, and wait until they are back.

A host with a kernel of its own reboots as a machine does: its disk is kept, and
what only its kernel held is gone. One that shares this computer's kernel starts
anew, with the files that every host begins with.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := name.find()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return fmt.Errorf("which host? The sandbox %s has: %s\nSee '%s --help'", s.Name, hostList(s), cmd.CommandPath())
			}
			return sandbox.Reboot(cmd.Context(), sandbox.DefaultDir, s.Name, args, func(l string) { fmt.Fprintln(a.err, l) })
		},
	}
	name.register(cmd)
	return cmd
}
