package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/prompt"
	"labctl/cmd/labctl/internal/view"
	"labctl/inventory/secrets"
)

// app is one invocation: its streams and what every verb shares.
type app struct {
	in       *os.File
	out, err io.Writer
	prompter *prompt.Prompter // set by run
	answers  *bufio.Reader    // to the questions of --step, where those are read from a pipe
	secrets  *secrets.Keys    // see keys
	shown    *viewFlags       // of the run, once there is one
	running  atomic.Pointer[view.View]
	line     []string        // the command, for the record of a run
	environ  []string        // as it was at the start; nil: as it is
	held     atomic.Bool     // Ctrl-C is for the program in front, an editor
	ctx      context.Context // the same: of the invocation, with which programs end that know of hosts
	unsaid   error           // why a text is not on standard output
}

// text is standard output for texts whose writers look at no errors: the exit code tells that one could not be written.
func (a *app) text() io.Writer { return printed{a} }

type printed struct{ of *app }

func (p printed) Write(text []byte) (int, error) {
	n, err := p.of.out.Write(text)
	if err != nil && p.of.unsaid == nil {
		p.of.unsaid = err
	}
	return n, err
}

func (a *app) run(ctx context.Context, args []string) int {
	a.ctx, a.prompter = ctx, prompt.New(ctx, os.Getenv)
	root := a.root()
	root.SetArgs(completable(root, args))
	return a.exitCode(ctx, root.ExecuteContext(ctx))
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "labctl",
		Short: "Provision machines over SSH, through any chain of jump hosts",
		Long: `labctl brings machines to the state that a playbook describes. It needs nothing
on them but sshd.

  labctl plan site.hcl         show what would change
  labctl play site.hcl         change it
  labctl verify site.hcl       see whether it works
  labctl sandbox up site.hcl   make the site's hosts machines on this computer,
                               to try it on (then: labctl play --sandbox)`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRun: func(cmd *cobra.Command, args []string) { a.line = commandLine(cmd, args) },
		Args:             oneOfVerbs,
		RunE:             func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.text())
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w\nSee '%s --help'", flagError(cmd, err), cmd.CommandPath())
	})
	wrap(root)
	root.SetHelpCommand(helpCmd(root))
	root.AddCommand(a.playCmd(), a.planCmd(), a.showCmd(), a.runCmd(), a.verifyCmd(), a.validateCmd(), a.factsCmd(), a.captureCmd(), a.pingCmd(), a.sshCmd(), a.proxyCmd(), a.tunnelCmd(), a.sandboxCmd(), a.inventoryCmd(), a.docCmd(), a.versionCmd())
	root.AddCommand(a.connectionsCmd(), a.sshConfigCmd(), a.fmtCmd())
	root.AddCommand(a.secretCmd(), a.logCmd())
	root.AddCommand(a.importCmd(), a.consoleCmd(), a.initCmd(), a.testCmd())
	root.AddCommand(a.manCmd(root))
	a.addCompletion(root)
	group(root)
	explainArguments(root)
	return root
}

// wrap keeps the help of a command, and of all below it, within 80 columns.
func wrap(cmd *cobra.Command) {
	cmd.SetUsageTemplate(strings.ReplaceAll(cmd.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
}

// helpCmd shows the help of a verb. Cobra's own takes what it does not know for good.
func helpCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB...]",
		Short: "Show how a verb is used",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err == nil && len(rest) > 0 {
				err = oneOfVerbs(cmd, rest)
			}
			if err != nil {
				return err
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}
