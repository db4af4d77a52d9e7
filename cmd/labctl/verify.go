package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"labctl/runner"
)

func (a *app) verifyCmd() *cobra.Command {
	var f runFlags
	var deadline time.Duration
	cmd := &cobra.Command{
		Use:   "verify [SITE]",
		Short: "Run the probes of a site alone, and change nothing",
		Long: `Runs the tasks of each play that only look (ping, tcp, http and the like) and
leaves out all others, and the handlers. One that fails does not keep the next
from being run: what is reported is everything that is not as it should be. A
probe that depends on the result of a task that is left out is skipped, with a
warning.

Exit codes: 0 all is as expected, 1 error in the site or the arguments, 2 some
probe failed, 4 some host unreachable, 99 interrupted.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("deadline") {
				if deadline < 0 {
					return fmt.Errorf("--deadline %s: how long to try cannot be negative", deadline)
				}
				f.deadline = &deadline
			}
			outcome, err := a.runSiteAs(cmd.Context(), runner.Verify, sitePath(args), &f)
			if err != nil {
				return err
			}
			return exitWith(outcome.PlayExit())
		},
	}
	f.register(cmd)
	cmd.Flags().DurationVar(&deadline, "deadline", 10*time.Second, "how long a probe tries that has no deadline itself; 0s: once")
	return cmd
}
