package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// app is one invocation: its streams and what every verb shares.
type app struct {
	in       *os.File
	out, err io.Writer
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(longFlags(root, args))
	return a.exitCode(ctx, root.ExecuteContext(ctx))
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "labctl",
		Short: "Provision machines over SSH, through any chain of jump hosts",
		Long: `labctl brings machines to the state that a playbook describes. It needs nothing on them but sshd.

  labctl plan site.hcl                 show what would change
  labctl play site.hcl                 change it
  labctl sandbox up site.hcl           make the site's hosts machines on this computer, to try it on`,
		SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w\nSee 'labctl help %s'", err, cmd.Name())
	})
	root.AddCommand(a.playCmd(), a.planCmd(), a.validateCmd(), a.factsCmd(), a.sandboxCmd(), a.docCmd(), a.versionCmd())
	return root
}
