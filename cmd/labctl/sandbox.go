package main

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/sandbox"
	"labctl/inventory"
	"labctl/transport"
)

func (a *app) sandboxCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Make every host of a site a machine on this computer",
		Long: `Every inventory host becomes a machine on this computer: its own network,
mount, pid and uts namespaces, an overlay of this computer's file system and a
real OpenSSH server. The network blocks become wires, and a host behind a jump
host is reachable through it only. Nothing appears in this computer's own
network.

A host with kernel = "guest", or with kernel_modules that this computer's
kernel lacks, gets a kernel of its own: a User-mode Linux with systemd. What
those boot from is set up once, which "labctl sandbox setup-guest" does ahead.

  labctl sandbox up site.hcl
  labctl play --sandbox site.hcl
  labctl sandbox down site.hcl`,
		Args: oneOfVerbs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.sandboxUp(), a.sandboxSetupGuest(), a.sandboxDown(), a.sandboxStatus(), a.sandboxSSHConfig(), a.sandboxExec(), a.sandboxReboot())
	return cmd
}

func (a *app) sandboxUp() *cobra.Command {
	var s siteFlags
	cmd := &cobra.Command{
		Use:   "up [SITE]",
		Short: "Bring up the hosts of a site, or what is missing of them",
		Long: `Bring up the hosts of a site, or what is missing of them.

A host shares this computer's kernel unless its block says kernel = "guest", or
names kernel_modules, such as ["8021q"], that this kernel lacks; then it boots a
kernel of its own: User-mode Linux, on amd64, with the packages that labctl
names if they are missing. The sandbox block says the same for all hosts.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.hosts = true
			site, err := a.load(sitePath(args), &s)
			if err != nil {
				return err
			}
			t := topology(sandboxName(sitePath(args)), site.Inventory, site.usesLocalhost())
			if len(t.Hosts) == 0 {
				return fmt.Errorf("%s declares no host: nothing to bring up", sitePath(args))
			}
			st, err := sandbox.Up(cmd.Context(), sandbox.DefaultDir, t, sandbox.Options{Log: func(l string) { fmt.Fprintln(a.err, l) }})
			if err != nil {
				return err
			}
			fmt.Fprintf(a.text(), "Sandbox %s is up: %s.\n", st.Name, hostList(st))
			return nil
		},
	}
	s.register(cmd)
	return cmd
}

func (a *app) sandboxSetupGuest() *cobra.Command {
	return &cobra.Command{
		Use:   "setup-guest",
		Short: "Build what hosts with kernels of their own boot from",
		Long: `Build what hosts with a kernel of their own boot from, if it is not there: a
file system of this computer's distribution, from this computer's own package
sources, and the kernel modules that its user-mode-linux lacks. It takes some
minutes, once, and about 400 MB below /var/cache/labctl. "labctl sandbox up"
does the same when a site needs it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			base, err := sandbox.SetupGuest(cmd.Context(), func(l string) { fmt.Fprintln(a.err, l) })
			if err == nil {
				fmt.Fprintf(a.text(), "Guests boot from %s.\n", base)
			}
			return err
		},
	}
}

func hostList(st *sandbox.State) string {
	names := make([]string, len(st.Hosts))
	for i, h := range st.Hosts {
		names[i] = h.Name
		if len(h.Jump) > 0 {
			names[i] += " (behind " + h.Jump[len(h.Jump)-1] + ")"
		}
	}
	return strings.Join(names, ", ")
}

func (a *app) sandboxDown() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "down [SITE|NAME]",
		Short: "End a sandbox and leave nothing of it",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := a.downNames(args, all)
			if err != nil {
				return err
			}
			for _, n := range names {
				if err := sandbox.Down(cmd.Context(), sandbox.DefaultDir, n); err != nil {
					return err
				}
				fmt.Fprintf(a.text(), "Sandbox %s is down.\n", n)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every sandbox on this computer")
	return cmd
}

func (a *app) downNames(args []string, all bool) ([]string, error) {
	if !all {
		s, err := findSandbox(args)
		if err == nil {
			return []string{s.Name}, nil
		}
		// One that an interrupted up has left half made has no state yet.
		rest := sandboxName(sitePath(args))
		if _, missing := os.Stat(filepath.Join(sandbox.DefaultDir, rest)); missing == nil {
			return []string{rest}, nil
		}
		return nil, err
	}
	states, err := sandbox.List(sandbox.DefaultDir)
	var names []string
	for _, s := range states {
		names = append(names, s.Name)
	}
	return names, err
}

func (a *app) sandboxStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status [SITE|NAME]",
		Short: "Show sandboxes and their hosts",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				states, err := sandbox.List(sandbox.DefaultDir)
				if len(states) == 0 && err == nil {
					fmt.Fprintln(a.text(), "No sandbox is up.")
				}
				for _, s := range states {
					a.status(s)
				}
				return withSudo(err)
			}
			s, err := findSandbox(args)
			if err != nil {
				return err
			}
			a.status(s)
			return nil
		},
	}
}

func (a *app) status(s *sandbox.State) {
	state := "up"
	if !s.Running() {
		state = "dead: labctl sandbox up repairs it"
	}
	fmt.Fprintf(a.text(), "%s: %s\n", s.Name, state)
	w := tabwriter.NewWriter(a.text(), 0, 0, 2, ' ', 0)
	for _, h := range s.Hosts {
		reach := "through " + strings.Join(h.Jump, ", ")
		if h.Entry != "" {
			reach = "ssh " + h.Entry
		}
		alive := "up"
		if !h.Alive {
			alive = "dead"
		}
		kernel := ""
		if h.Release != "" {
			kernel = "own kernel " + h.Release
		}
		fmt.Fprintf(w, "  %s\t%s\t%s@%s\t%s\t%s\n", h.Name, alive, h.User, h.Address, reach, kernel)
	}
	_ = w.Flush() // to a.text, whose errors show at the end
}

func (a *app) sandboxSSHConfig() *cobra.Command {
	return &cobra.Command{
		Use:   "ssh-config [SITE|NAME]",
		Short: "Print a configuration for OpenSSH (ssh -F FILE HOST)",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := findSandbox(args)
			if err != nil {
				return err
			}
			return sandbox.SSHConfig(a.out, s)
		},
	}
}

// sandboxFlag names a sandbox, by its name or by the path of its site.
type sandboxFlag string

func (f *sandboxFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP((*string)(f), "sandbox", "s", "", "site or name of the sandbox (default: that of the working directory, else the only one)")
}

func (f sandboxFlag) find() (*sandbox.State, error) {
	if f == "" {
		return defaultSandbox()
	}
	return findSandbox([]string{string(f)})
}

func (a *app) sandboxExec() *cobra.Command {
	var name sandboxFlag
	cmd := &cobra.Command{
		Use:                   "exec [-s SANDBOX] HOST [--] [COMMAND...]",
		DisableFlagsInUseLine: true,
		Short:                 "Run a command in a host, without SSH; a shell if none is given",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := name.find()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return fmt.Errorf("in which host? The sandbox %s has: %s\nSee '%s --help'", s.Name, hostList(s), cmd.CommandPath())
			}
			o := sandbox.ExecOptions{Argv: args[1:], Stdin: a.in, Stdout: a.out, Stderr: a.err}
			if len(o.Argv) > 0 && o.Argv[0] == "--" {
				o.Argv = o.Argv[1:]
			}
			code, err := sandbox.Exec(cmd.Context(), sandbox.DefaultDir, s.Name, args[0], o)
			if err == nil && code != 0 {
				err = exitError(code)
			}
			return err
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows HOST belongs to COMMAND
	name.register(cmd)
	return cmd
}

// findSandbox loads the sandbox that the argument of a verb names: by its name, or by the path of its site. Without an argument
// it is that of the working directory or, where that has none, the only one there is.
func findSandbox(args []string) (*sandbox.State, error) {
	if len(args) == 0 {
		return defaultSandbox()
	}
	s, err := sandbox.Load(sandbox.DefaultDir, args[0])
	if errors.Is(err, sandbox.ErrNotUp) {
		return sandboxState(args[0])
	}
	return s, withSudo(err)
}

func defaultSandbox() (*sandbox.State, error) {
	s, err := sandboxState(".")
	if !errors.Is(err, sandbox.ErrNotUp) {
		return s, err
	}
	all, err := sandbox.List(sandbox.DefaultDir)
	switch {
	case len(all) == 1:
		return all[0], nil
	case err != nil:
		return nil, withSudo(err)
	case len(all) == 0:
		return nil, errors.New("no sandbox is up: labctl sandbox up SITE")
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	return nil, fmt.Errorf("which sandbox? Up are: %s", strings.Join(names, ", "))
}

// withSudo says what to do about files that only root, or who has brought the sandbox up, may read.
func withSudo(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: run labctl with sudo", err)
	}
	return err
}

// sandboxName derives the name of a site's sandbox from its directory, so that all playbooks beside one inventory have the same
// sandbox: the name of the directory and six hex digits of the absolute path's hash.
func sandboxName(site string) string {
	abs, err := filepath.Abs(site)
	if err != nil {
		abs = site
	}
	if fi, err := os.Stat(abs); err == nil && !fi.IsDir() {
		abs = filepath.Dir(abs)
	}
	base := strings.Map(func(r rune) rune {
		if r < 128 && (r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') {
			return r
		}
		return '-'
	}, filepath.Base(abs))
	sum := sha256.Sum256([]byte(abs))
	return fmt.Sprintf("%.40s-%x", cmp.Or(strings.TrimLeft(base, ".-_"), "site"), sum[:3])
}

// topology is the inventory as the sandbox wants it. A host that is reached without SSH becomes a machine as well, so that
// nothing played in a sandbox touches this computer.
func topology(name string, inv *inventory.Inventory, localhost bool) sandbox.Topology {
	t := sandbox.Topology{Name: name}
	for _, n := range inv.Networks {
		t.Networks = append(t.Networks, n.Name)
	}
	for _, h := range inv.Hosts {
		t.Hosts = append(t.Hosts, machine(inv, h))
	}
	if h := inv.Host("localhost"); localhost && h != nil && h.Implicit {
		t.Hosts = append(t.Hosts, machine(inv, h))
	}
	return t
}

func machine(inv *inventory.Inventory, h *inventory.Host) sandbox.Host {
	m := sandbox.Host{Name: h.Name, User: h.User, Kernel: h.Kernel.Kind, KernelModules: h.Kernel.Modules}
	m.Address, m.Port = inv.Place(h)
	if h.Connection == inventory.ConnectLocal {
		m.Address, m.Port, m.User = "", 0, ""
		h = &inventory.Host{Name: h.Name, NICs: h.NICs}
	}
	if m.Address == h.Name {
		m.Address = ""
	}
	if hops, err := inv.Chain(h); err == nil { // the loader has checked it
		for _, hop := range hops {
			m.Jump = append(m.Jump, hop.Name())
		}
	}
	for _, n := range h.NICs {
		nic := sandbox.NIC{Name: n.Name, Network: n.Network, MAC: n.MAC, MTU: n.MTU}
		for _, p := range n.Addresses {
			nic.Addresses = append(nic.Addresses, p.String())
		}
		m.NICs = append(m.NICs, nic)
	}
	return m
}

// sandboxTargets says how to reach the hosts of a sandbox: the first of a chain by its entry on this computer.
func sandboxTargets(st *sandbox.State) func(*inventory.Host) (*transport.Target, error) {
	return func(h *inventory.Host) (*transport.Target, error) {
		wanted, err := st.Host(h.Name)
		if err != nil {
			return nil, fmt.Errorf("%w: labctl sandbox up brings up those that the site declares", err)
		}
		var via *transport.Target
		for _, name := range append(slices.Clone(wanted.Jump), wanted.Name) {
			hop, err := st.Host(name)
			if err != nil {
				return nil, err
			}
			via = sandboxTarget(hop, via)
			via.ConnectTimeout = h.ConnectTimeout
		}
		return via, nil
	}
}

func sandboxTarget(h sandbox.HostState, via *transport.Target) *transport.Target {
	t := &transport.Target{
		Name: h.Name, Address: h.Address, Port: h.Port, User: h.User, HostKeyAlias: h.Name, Via: via,
		IdentityFiles: []string{h.IdentityFile}, IdentitiesOnly: true, IdentityAgent: "none",
		KnownHosts: []string{h.KnownHosts}, HostKeyPolicy: transport.PolicyStrict,
	}
	if via == nil {
		t.Dial = h.Entry
	}
	return t
}

// sandboxState loads the sandbox of a site. The error wraps sandbox.ErrNotUp when it is not up, and says what to do.
func sandboxState(site string) (*sandbox.State, error) {
	st, err := sandbox.Load(sandbox.DefaultDir, sandboxName(site))
	if errors.Is(err, sandbox.ErrNotUp) {
		return nil, notUpError(site)
	}
	return st, withSudo(err)
}

// notUpError names the site whose sandbox is not up, not the sandbox: its name is not of the user's making.
type notUpError string

func (e notUpError) Error() string {
	return fmt.Sprintf("the sandbox of %s is not up: labctl sandbox up %s", string(e), string(e))
}

func (e notUpError) Unwrap() error { return sandbox.ErrNotUp }
