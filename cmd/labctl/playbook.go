package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"labctl/cmd/labctl/internal/prompt"
	"labctl/runner"
)

// playbookName is the name under which labctl takes the arguments and the environment of ansible-playbook, so that what starts
// that, such as Vagrant, can start labctl.
const playbookName = "labctl-playbook"

// playbook is labctl under that name.
func (a *app) playbook(ctx context.Context, args []string) int {
	a.ctx, a.prompter = ctx, prompt.New(ctx, os.Getenv)
	root := a.playbookCmd()
	a.addCompletion(root)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.text())
	root.SetErr(a.err)
	explainArguments(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		fmt.Fprintf(a.err, "labctl-playbook: %v\nSee 'labctl-playbook --help'\n", flagError(cmd, err))
		return exitError(exitUsage)
	})
	return a.exitCode(ctx, root.ExecuteContext(ctx))
}

// playbookFlags are those of ansible-playbook (lib/ansible/cli/arguments/option_helpers.py).
type playbookFlags struct {
	runFlags
	login  ansibleLogin
	syntax bool
}

// otherNames are what options were called in Ansible 1, or are called as well.
var otherNames = map[string]string{"inventory-file": "inventory", "sudo": "become", "sudo-user": "become-user",
	"ask-sudo-pass": "ask-become-pass", "key-file": "private-key",
	"vault-pass-file": "vault-password-file", "ask-vault-password": "ask-vault-pass"}

func (a *app) playbookCmd() *cobra.Command {
	var f playbookFlags
	cmd := &cobra.Command{
		Use:   playbookName + " SITE...",
		Short: "Play sites, with the arguments of ansible-playbook",
		Long: `labctl under the name of ansible-playbook: the arguments, the environment and
the exit codes are Ansible's, and the playbook is a site in HCL. The options of
'labctl play' are there, too.

    source <(labctl-playbook completion bash)

has the shell complete them; zsh, fish and powershell have theirs.`,
		Version:      version(),
		SilenceUsage: true, SilenceErrors: true,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.line = append([]string{playbookName}, commandLine(cmd, args)...)
			if err := a.refuse(cmd); err != nil {
				return err
			}
			if f.junit != "" && len(args) > 1 {
				return fmt.Errorf("--junit takes one site: the report of %s would stand in place of that of %s", args[1], args[0])
			}
			if err := f.configure(os.Getenv); err != nil {
				return err
			}
			var err error
			if f.siteFlags.login, err = a.ansibleSettings(cmd.Context(), &f.login, &f.as); err != nil {
				return err
			}
			for _, site := range args {
				if err := a.playAs(cmd.Context(), &f, site); err != nil {
					return err
				}
			}
			return nil
		},
	}
	wrap(cmd)
	cmd.SetVersionTemplate("ansible-playbook [labctl {{.Version}}]\n")
	f.register(cmd)
	return cmd
}

func (f *playbookFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(first(otherNames[name], name))
	})
	f.registerPlay(cmd)
	fs.BoolVar(&f.syntax, "syntax-check", false, "check the site, and play nothing")
	f.login.register(fs)
	registerForeign(fs)
}

// playAs plays one site.
func (a *app) playAs(ctx context.Context, f *playbookFlags, path string) error {
	run := f.runFlags
	run.siteFlags.lenient = true
	run.siteFlags.become, run.user, run.becomes = f.as.on, f.as.user, &f.as
	switch {
	case f.syntax:
		if _, err := a.load(path, &run.siteFlags); err != nil {
			return err
		}
		_, err := fmt.Fprintf(a.out, "\nplaybook: %s\n", path)
		return err
	case f.list != listing{}:
		return a.listPlays(path, &run)
	}
	mode := runner.Play
	if run.check {
		mode = runner.Check
	}
	outcome, err := a.runSite(ctx, mode, path, &run)
	if err != nil {
		return err
	}
	return exitWith(outcome.PlayExit())
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
