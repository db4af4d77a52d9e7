package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"labctl/inventory"
)

func (a *app) inventoryCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "Show the hosts, the groups, and where values come from",
		Args:  oneOfVerbs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.inventoryListCmd(), a.inventoryGraphCmd(), a.inventoryExplainCmd())
	return cmd
}

func (a *app) inventoryListCmd() *cobra.Command {
	var s siteFlags
	var at, out string
	cmd := &cobra.Command{
		Use:   "list [PATTERN]",
		Short: "List the hosts; -o json as 'ansible-inventory --list' does",
		Long: `Lists the hosts that match the pattern (default: all), with their addresses and
groups. With -o json, writes them in the form of 'ansible-inventory --list',
which Ansible reads too. Sensitive values are not shown.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			st, err := a.load(at, &s)
			if err != nil {
				return err
			}
			hosts, err := st.Inventory.Match(strings.Join(append(args, "all")[:1], ""))
			if err != nil {
				return err
			}
			switch out {
			case "json":
				return a.listJSON(st.Inventory, hosts)
			case "text":
				for _, h := range hosts {
					fmt.Fprintf(a.out, "%-20s %-20s %s\n", h.Name, h.Address, strings.Join(h.Groups, ","))
				}
				return nil
			}
			return fmt.Errorf("output %q is not known: text or json", out)
		},
	}
	s.register(cmd)
	cmd.Flags().StringVar(&at, "site", ".", "site that declares the hosts")
	cmd.Flags().StringVarP(&out, "output", "o", "text", "text or json")
	return cmd
}

func (a *app) listJSON(inv *inventory.Inventory, hosts []*inventory.Host) error {
	in := map[*inventory.Host]bool{}
	for _, h := range hosts {
		in[h] = true
	}
	all, err := inv.List(func(h *inventory.Host) bool { return in[h] }, func(h *inventory.Host) map[string]cty.Value {
		out := map[string]cty.Value{}
		for k, v := range h.Vars {
			out[k] = shown(v)
		}
		return out
	})
	if err != nil {
		return err
	}
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "    ")
	return enc.Encode(all)
}

// shown is a value without what may not be shown of it.
func shown(v cty.Value) cty.Value {
	plain, marks := v.UnmarkDeep()
	if _, secret := marks[inventory.Sensitive]; secret {
		return cty.StringVal("(sensitive)")
	}
	return plain
}

func (a *app) inventoryGraphCmd() *cobra.Command {
	var s siteFlags
	var at string
	cmd := &cobra.Command{
		Use:   "graph [GROUP]",
		Short: "Draw the groups and hosts as 'ansible-inventory --graph' does",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			st, err := a.load(at, &s)
			if err != nil {
				return err
			}
			top := strings.Join(append(args, "all")[:1], "")
			if top != "all" && top != "ungrouped" && st.Inventory.Group(top) == nil {
				return fmt.Errorf("there is no group %q", top)
			}
			a.graphGroup(st.Inventory, top, 0)
			return nil
		},
	}
	s.register(cmd)
	cmd.Flags().StringVar(&at, "site", ".", "site that declares the hosts")
	return cmd
}

func (a *app) graphGroup(inv *inventory.Inventory, name string, depth int) {
	row := func(text string, depth int) {
		if depth > 0 {
			text = strings.Repeat("  |", depth) + "--" + text
		}
		fmt.Fprintln(a.out, text)
	}
	row("@"+name+":", depth)
	hosts, children := inv.Direct(name)
	for _, c := range children {
		a.graphGroup(inv, c, depth+1)
	}
	for _, h := range hosts {
		row(h, depth+1)
	}
}

func (a *app) inventoryExplainCmd() *cobra.Command {
	var s siteFlags
	var at string
	cmd := &cobra.Command{
		Use:   "explain HOST",
		Short: "Say where each variable of a host comes from",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			st, err := a.load(at, &s)
			if err != nil {
				return err
			}
			h, err := st.oneHost(args[0], "explain tells of one")
			if err != nil {
				return err
			}
			for _, o := range st.Inventory.Explain(h) {
				b, err := ctyjson.Marshal(shown(o.Value), shown(o.Value).Type())
				if err != nil {
					return err
				}
				hidden := ""
				if !o.Wins {
					hidden = ", hidden"
				}
				fmt.Fprintf(a.out, "%s = %s  (%s, %s:%d%s)\n", o.Name, b, o.From, filepath.ToSlash(o.Range.Filename), o.Range.Start.Line, hidden)
			}
			return nil
		},
	}
	s.register(cmd)
	cmd.Flags().StringVar(&at, "site", ".", "site that declares the host")
	return cmd
}
