package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"labctl/playbooks"
)

// listing is what to show of each play in place of playing it.
type listing struct{ hosts, tasks, tags bool }

func (l *listing) register(fs *pflag.FlagSet) {
	fs.BoolVar(&l.hosts, "list-hosts", false, "list the hosts of each play, and play nothing")
	fs.BoolVar(&l.tasks, "list-tasks", false, "list the tasks of each play that --tags and --skip-tags leave, and play nothing")
	fs.BoolVar(&l.tags, "list-tags", false, "list the tags of each play, and play nothing")
}

// listPlays prints the plays of a site as ansible-playbook does (lib/ansible/cli/playbook.py).
func (a *app) listPlays(path string, f *runFlags) error {
	s, err := a.load(path, &f.siteFlags)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.text(), "\nplaybook: %s\n", path)
	for i, p := range s.Plays() {
		fmt.Fprintf(a.text(), "\n  play #%d: %s\n", i+1, p.Display())
		if f.list.hosts {
			hosts, diags := p.Hosts(f.limit)
			if err := a.diagnose(s.Site, diags); err != nil {
				return err
			}
			fmt.Fprintf(a.text(), "    hosts (%d):\n", len(hosts))
			for _, h := range hosts {
				fmt.Fprintf(a.text(), "      %s\n", h.Name)
			}
			if p.Grows() {
				fmt.Fprintln(a.text(), "      (and those that the plays before it add)")
			}
		}
		a.listTasks(p, f.list, playbooks.Env{Tags: f.tags, SkipTags: f.skipTags})
	}
	return nil
}

// listTasks prints the tasks of a play that are selected, or their tags.
func (a *app) listTasks(p *playbooks.Play, l listing, env playbooks.Env) {
	if l.tasks {
		fmt.Fprintln(a.text(), "    tasks:")
	}
	var all []string
	for _, t := range p.Tasks() {
		if !env.Selects(t) {
			continue
		}
		tags := slices.Compact(slices.Sorted(slices.Values(t.Tags())))
		all = append(all, tags...)
		if l.tasks {
			fmt.Fprintf(a.text(), "      %s\tTAGS: [%s]\n", p.Called(t), strings.Join(tags, ", "))
		}
	}
	if l.tags {
		slices.Sort(all)
		fmt.Fprintf(a.text(), "      TASK TAGS: [%s]\n", strings.Join(slices.Compact(all), ", "))
	}
}
