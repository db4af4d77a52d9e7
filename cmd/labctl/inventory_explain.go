package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"labctl/inventory"
	"labctl/runner"
	"labctl/transport/sshconfig"
)

func (a *app) inventoryExplainCmd() *cobra.Command {
	var f placeFlags
	cmd := &cobra.Command{
		Use:   "explain HOST",
		Short: "Say where each variable and each SSH setting of a host comes from",
		Long: `Lists the variables of a host, those of the plays that it is in, and how it is
reached: the settings of the inventory, of -o and of ssh_config that count, each
with the file and line it comes from, and what it hides. Sensitive values are
not shown.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			st, err := a.load(placePath(f.at, &f.siteFlags, args[0]), &f.siteFlags)
			if err != nil {
				return err
			}
			h, err := st.oneHost(args[0], "explain tells of one")
			if err != nil {
				return err
			}
			if err := a.explainVariables("# variables", st.Explain(h)); err != nil {
				return err
			}
			for _, p := range st.Plays() {
				if err := a.explainVariables(fmt.Sprintf("# variables in play %q", p.Display()), p.Explain(h)); err != nil {
					return err
				}
			}
			config, err := a.sshConfig(&f.connectFlags, a.logf(f.verbose))
			if err != nil {
				return err
			}
			origins, err := runner.Explain(st.Inventory, h, config)
			if err != nil {
				return err
			}
			a.explainSSH(h, st.Inventory.ExplainSSH(h), origins)
			return nil
		},
	}
	f.register(cmd)
	for _, idle := range []string{"batch", "no-persist", "sandbox"} {
		_ = cmd.Flags().MarkHidden(idle)
	}
	return cmd
}

func (a *app) explainVariables(title string, all []inventory.Origin) error {
	if len(all) > 0 {
		fmt.Fprintln(a.text(), title)
	}
	for _, o := range all {
		if !o.Value.IsWhollyKnown() { // of facts
			a.explained(o.Name, "(known after apply)", o.From, place(o.Range), o.Wins)
			continue
		}
		b, err := ctyjson.Marshal(shown(o.Value), shown(o.Value).Type())
		if err != nil {
			return err
		}
		a.explained(o.Name, string(b), o.From, place(o.Range), o.Wins)
	}
	if len(all) > 0 {
		fmt.Fprintln(a.text())
	}
	return nil
}

// explained prints one value and where it comes from.
func (a *app) explained(name, value, from, at string, wins bool) {
	var notes []string
	for _, s := range []string{from, at} {
		if s != "" {
			notes = append(notes, s)
		}
	}
	if !wins {
		notes = append(notes, "hidden")
	}
	fmt.Fprintf(a.text(), "%s = %s  (%s)\n", name, value, strings.Join(notes, ", "))
}

func place(r hcl.Range) string {
	if r.Start.Line == 0 {
		return filepath.ToSlash(r.Filename)
	}
	return fmt.Sprintf("%s:%d", filepath.ToSlash(r.Filename), r.Start.Line)
}

// adds are the keywords of ssh_config that add up.
var adds = []string{"identityfile", "certificatefile"}

// explainSSH prints the settings of the inventory and then those of ssh_config. The command line's hide the inventory's, those of the
// files are hidden by it.
func (a *app) explainSSH(h *inventory.Host, settings []inventory.Setting, origins []sshconfig.Origin) {
	fmt.Fprintln(a.text(), "# ssh")
	given, said := map[string]bool{}, map[string]bool{}
	for _, o := range origins {
		given[o.Keyword] = given[o.Keyword] || o.File == "-o"
	}
	if !slices.ContainsFunc(settings, func(s inventory.Setting) bool { return s.Name == "address" && s.Wins }) && h.Address == h.Name {
		a.explained("address", h.Address, "its name", "", true)
	}
	for _, s := range settings {
		if s.Sensitive {
			s.Value = "(sensitive)"
		}
		wins := s.Wins && !given[s.Keyword]
		said[s.Keyword] = said[s.Keyword] || wins && (s.Name != "options" || !slices.Contains(adds, s.Keyword))
		a.explained(s.Name, s.Value, s.From, place(s.Range), wins)
	}
	for _, o := range origins {
		at := o.File
		if o.Line > 0 {
			at = fmt.Sprintf("%s:%d", o.File, o.Line)
		}
		a.explained(o.Keyword, o.Value, "", at, o.File == "-o" || !said[o.Keyword])
	}
}
