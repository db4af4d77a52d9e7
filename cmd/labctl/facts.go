package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"labctl/inventory"
	"labctl/modules/host"
	"labctl/runner"
)

func (a *app) factsCmd() *cobra.Command {
	var (
		s     siteFlags
		c     connectFlags
		at    string
		out   outputFlags
		files []string
		as    becomeFlags
	)
	cmd := &cobra.Command{
		Use:   "facts HOST",
		Short: "Show what a host is, or write all of it as a snapshot (-o json)",
		Long: `Without -o, prints the facts that a playbook may use as facts.NAME. With
-o json, writes a snapshot of the whole host, which 'labctl plan --against'
reads. Of its files it holds those that the site's tasks name for the host,
with their text, and those of --file.

A host shows all of itself to root only, hence the default of --become. With
--become=false the login user looks.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			whole, err := out.json()
			if err != nil {
				return err
			}
			if err := a.become(&as, &s, &c); err != nil {
				return err
			}
			s.hosts = !whole // which has the files that tasks name
			st, err := a.load(at, &s)
			if err != nil {
				return err
			}
			h, err := st.oneHost(args[0], "facts shows one")
			if err != nil {
				return err
			}
			opener, _, done, err := a.opener(st, &c, a.logf(c.verbose))
			if err != nil {
				return err
			}
			defer done()
			extent := runner.FactsAlone
			if whole {
				extent = runner.Whole
				files = append(files, st.paths(h)...)
			}
			snap, err := runner.TakeSnapshot(cmd.Context(), opener, h, as.name(), extent, files)
			if err != nil {
				return err
			}
			return a.printFacts(snap, whole)
		},
	}
	s.register(cmd)
	out.register(cmd.Flags(), "text, or json for a snapshot")
	c.register(cmd)
	s.keyFlags.batch = &c.batch
	cmd.Flags().StringVar(&at, "site", ".", "site that declares the host")
	cmd.Flags().StringArrayVar(&files, "file", nil, "file to put into the snapshot (repeatable)")
	as.register(cmd.Flags(), "look as root, or as --become-user", true)
	return cmd
}

// paths lists the files that the site's tasks name for a host, each once.
func (s *site) paths(h *inventory.Host) []string {
	var out []string
	for _, p := range s.Plays() {
		if hosts, diags := p.Hosts(""); !diags.HasErrors() && slices.Contains(hosts, h) {
			out = append(out, p.Paths(h)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (a *app) printFacts(s *host.Snapshot, whole bool) error {
	if !whole {
		return a.factLines(s.Facts)
	}
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}

// factLines prints each fact as an expression would name it.
func (a *app) factLines(f host.Facts) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	var lines []string
	flatten("facts", v, &lines)
	sort.Strings(lines)
	_, err = fmt.Fprintln(a.out, strings.Join(lines, "\n"))
	return err
}

func flatten(path string, v any, lines *[]string) {
	m, ok := v.(map[string]any)
	if !ok {
		b, _ := json.Marshal(v) // came from JSON
		*lines = append(*lines, path+" = "+string(b))
		return
	}
	for k, x := range m {
		if path == "facts.interfaces" || path == "facts.env" {
			flatten(fmt.Sprintf("%s[%q]", path, k), x, lines)
			continue
		}
		flatten(path+"."+k, x, lines)
	}
}
