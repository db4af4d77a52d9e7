package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/adopt"
	"labctl/runner"
)

func (a *app) importCmd() *cobra.Command {
	var (
		f    placeFlags
		o    adopt.Options
		as   becomeFlags
		only []string
	)
	cmd := &cobra.Command{
		Use:   "import HOST",
		Short: "Write what a host is as a play whose plan is empty there",
		Long: `Looks at a host and writes a play of tasks that make it what it is: its
namespaces, devices, addresses, routes, rules, sysctls, iptables, nftables, IP
sets and Open vSwitch. What comes by itself is left out, such as an address from
DHCP; the file says in comments what is missing, and why. HOST is one of the
inventory or, where there is none, [user@]address[:port]:

    labctl import boxA > boxA.hcl
    labctl import admin@192.0.2.7 --only bridge,vxlan,address`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.become(&as, &f.siteFlags, &f.connectFlags); err != nil {
				return err
			}
			pattern := f.alone(args[0])
			st, err := a.place(&f, pattern)
			if err != nil {
				return err
			}
			h, err := st.oneHost(pattern, "import looks at one")
			if err != nil {
				return err
			}
			opener, _, done, err := a.opener(st, &f.connectFlags, a.logf(f.verbose))
			if err != nil {
				return err
			}
			defer done()
			snap, err := runner.TakeSnapshot(cmd.Context(), opener, h, as.name(), runner.Network, nil)
			if err != nil {
				return err
			}
			o.Name, o.Only = h.Name, splitNames(only)
			out, err := adopt.Adopt(cmd.Context(), snap, o)
			if err != nil {
				return err
			}
			_, err = a.out.Write(out)
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().StringArrayVar(&only, "only", nil, "only tasks of these modules, with commas between them (repeatable)")
	cmd.Flags().BoolVar(&o.All, "all", false, "also what the kernel makes up, as MAC addresses, and what DHCP and daemons give")
	as.register(cmd.Flags(), "look as root, or as --become-user", true)
	return cmd
}

// alone has a host that is named as ssh does stand for itself where there is no inventory, and returns the pattern for it.
func (f *placeFlags) alone(host string) string {
	if f.at != "" || len(f.inventory) > 0 {
		return host
	}
	if files, _ := filepath.Glob("*.hcl"); len(files) > 0 && !strings.Contains(host, "@") {
		return host
	}
	f.inventory = []string{host + ","}
	return "all"
}

func splitNames(lists []string) []string {
	var out []string
	for _, l := range lists {
		for _, name := range strings.Split(l, ",") {
			if name = strings.TrimSpace(name); name != "" {
				out = append(out, name)
			}
		}
	}
	return out
}
