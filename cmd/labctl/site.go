package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/view"
	"labctl/inventory"
	"labctl/playbooks"
)

// siteFlags say what is loaded.
type siteFlags struct {
	inventory []string
	varFiles  []string
	vars      []string
	keyFlags
	adHoc   *playbooks.Source // run
	become  bool              // plays that do not say whether to
	user    string            // to become, of plays that do not say whom
	force   bool              // handlers run on hosts that have failed
	login   inventory.SSH     // of hosts
	lenient bool              // labctl-playbook: what nobody is called is passed over
	hosts   bool              // the verb is about hosts, and plays nothing
}

func (s *siteFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVarP(&s.inventory, "inventory", "i", nil, "inventory: HCL, Ansible's (file, program or directory), Terraform's output or directory, Vagrant's directory, ssh_config, or \"host1,host2,\" (repeatable)")
	f.StringArrayVarP(&s.vars, "extra-vars", "e", nil, "variables: \"k=v k2=v2\", a JSON object, or @FILE (repeatable)")
	f.StringArrayVar(&s.varFiles, "var-file", nil, "file of variables (.hcl, .json, .yaml), which may be encrypted; -e goes before (repeatable)")
	s.keyFlags.register(f)
}

func (a *app) options(s *siteFlags) playbooks.Options {
	return playbooks.Options{Inventory: s.inventory, Vars: s.vars, VarFiles: s.varFiles, Keys: a.keys(&s.keyFlags), Environ: a.environ, AdHoc: s.adHoc, Become: s.become, BecomeUser: s.user, Force: s.force, Login: s.login, Lenient: s.lenient, HostsOnly: s.hosts, Run: a.runCommand, SSHHosts: sshHosts}
}

// site is a loaded site with what the verbs ask of it.
type site struct {
	*playbooks.Site
	path string
}

// sitePath is the site to load: the argument, or the working directory.
func sitePath(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return "."
}

// load reads a site. Faults are shown with their source; the error then says only that there were some.
func (a *app) load(path string, s *siteFlags) (*site, error) {
	loaded, diags := playbooks.Load(path, a.options(s))
	if err := a.diagnose(loaded, diags); err != nil {
		return nil, err
	}
	return &site{Site: loaded, path: path}, nil
}

// loadValid reads a site and evaluates it for every host as far as is known without one, and shows all faults of both at
// once. limit is a pattern, or "". more checks what a verb asks of
// a site without faults.
func (a *app) loadValid(path string, s *siteFlags, limit string, more func(*playbooks.Site) hcl.Diagnostics) (*site, error) {
	loaded, diags := playbooks.Load(path, a.options(s))
	diags = append(diags, loaded.Validate(limit)...)
	if !diags.HasErrors() {
		diags = append(diags, more(loaded)...)
	}
	if err := a.diagnose(loaded, diags); err != nil {
		return nil, err
	}
	return &site{Site: loaded, path: path}, nil
}

// diagnose shows diagnostics and returns an error when they hold errors.
func (a *app) diagnose(s *playbooks.Site, diags hcl.Diagnostics) error {
	if len(diags) == 0 {
		return nil
	}
	if diags.HasErrors() && errors.Is(context.Cause(a.ctx), errInterrupted) {
		return errInterrupted // which is what they are about
	}
	if err := view.Diagnostics(a.viewOptions(), s.Files(), s.Mask(diags)); err != nil {
		return err
	}
	if diags.HasErrors() {
		return exitError(exitUser)
	}
	return nil
}

// oneHost is the host that a pattern matches. Of one that matches more, limits says what the verb does with one alone.
func (s *site) oneHost(pattern, limits string) (*inventory.Host, error) {
	hosts, err := s.Inventory.Match(pattern)
	if err != nil {
		return nil, err
	}
	if len(hosts) != 1 {
		return nil, fmt.Errorf("%q names %d hosts: %s", pattern, len(hosts), limits)
	}
	return hosts[0], nil
}

// usesLocalhost reports whether a play is for the implicit localhost, or a task may run on it for another host.
func (s *site) usesLocalhost() bool {
	all := s.Lenders()
	for _, p := range s.Plays() {
		if hosts, diags := p.Hosts(""); !diags.HasErrors() {
			all = append(all, hosts...)
		}
	}
	return slices.ContainsFunc(all, func(h *inventory.Host) bool { return h.Implicit })
}

func (a *app) validateCmd() *cobra.Command {
	var s siteFlags
	cmd := &cobra.Command{
		Use:   "validate [SITE]",
		Short: "Check a site without touching any host",
		Long: `Check a site: its syntax, its names, its patterns and the arguments of its
modules. No host is connected to. Programs that tell which hosts there are do
run, as for a play: those of source blocks, and inventories given with -i.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := a.loadValid(sitePath(args), &s, "", (*playbooks.Site).CheckPlays); err != nil {
				return err
			}
			_, err := a.out.Write([]byte("The site is valid.\n"))
			return err
		},
	}
	s.register(cmd)
	return cmd
}
