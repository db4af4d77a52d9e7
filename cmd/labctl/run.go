package main

import (
	"github.com/spf13/cobra"

	"labctl/playbooks"
	"labctl/runner"
)

func (a *app) runCmd() *cobra.Command {
	var f runFlags
	var at string
	cmd := &cobra.Command{
		Use:   "run PATTERN MODULE [LABEL] [NAME=VALUE...]",
		Short: "Run one task on hosts, without a playbook",
		Long: `Makes a play of one task for the hosts that the pattern names, and plays it as
'labctl play' would: what the module's manual says (labctl doc MODULE) holds.

  labctl run all ping                          as 'labctl ping all'
  labctl run 'vteps:!boxC' command uptime
  labctl run boxA bridge br0 ports=eth1,eth2 mtu=1400 -b --check --diff
  labctl run all command 'who' when='facts.user != "root"'

A value is read as the argument is: text as it is, a list by its commas or as
["a", "b"], a map as A=1,B=2 or { A = "1" }, a block as { ... }; all may hold
${...} as in a playbook. What every task takes (when, ensure, timeout ...) can
be given too.

The hosts are those of --site (default: the working directory), whose plays are
left out, or of -i; "localhost" needs neither. Exit codes are those of play.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[1] == "ping" && len(args) == 2 { // as Ansible's users mean it: ICMP needs an address
				p := pingFlags{placeFlags: placeFlags{siteFlags: f.siteFlags, connectFlags: f.connectFlags, at: at}, json: f.json, as: f.as, forks: f.forks}
				return a.ping(cmd.Context(), &p, args[0])
			}
			text, err := adHoc(args[0], args[1], args[2:], f.as.on, f.as.user)
			if err != nil {
				return err
			}
			f.adHoc = &playbooks.Source{Name: "labctl run", Text: []byte(text)}
			mode := runner.Play
			if f.check {
				mode = runner.Check
			}
			outcome, err := a.runSiteAs(cmd.Context(), mode, placePath(at, &f.siteFlags, args[0]), &f)
			if err != nil {
				return err
			}
			return exitWith(outcome.PlayExit())
		},
	}
	f.register(cmd)
	fs := cmd.Flags()
	registerPlace(cmd, &at)
	fs.BoolVarP(&f.check, "check", "C", false, "change nothing, say what would change")
	return cmd
}
