package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/zclconf/go-cty/cty"

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
	var at string
	var out outputFlags
	cmd := &cobra.Command{
		Use:   "list [PATTERN]",
		Short: "List the hosts; --json as 'ansible-inventory --list' does",
		Long: `Lists the hosts that match the pattern (default: all), with their addresses and
groups. With --json, writes them in the form of 'ansible-inventory --list',
which Ansible reads too. Sensitive values are not shown.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			s.hosts = true
			st, err := a.load(placePath(at, &s, ""), &s)
			if err != nil {
				return err
			}
			hosts, err := st.Inventory.Match(strings.Join(append(args, "all")[:1], ""))
			if err != nil {
				return err
			}
			if asJSON {
				return a.listJSON(st.Inventory, hosts)
			}
			for _, h := range hosts {
				fmt.Fprintf(a.text(), "%-20s %-20s %s\n", h.Name, h.Address, strings.Join(h.Groups, ","))
			}
			return nil
		},
	}
	s.register(cmd)
	registerPlace(cmd, &at)
	out.register(cmd.Flags(), "text or json")
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
			s.hosts = true
			st, err := a.load(placePath(at, &s, ""), &s)
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
	registerPlace(cmd, &at)
	return cmd
}

func (a *app) graphGroup(inv *inventory.Inventory, name string, depth int) {
	row := func(text string, depth int) {
		if depth > 0 {
			text = strings.Repeat("  |", depth) + "--" + text
		}
		fmt.Fprintln(a.text(), text)
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
