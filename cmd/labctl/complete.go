package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/adopt"
	"labctl/modules"
	"labctl/playbooks"
	"labctl/transport/persist"
)

// What shells complete comes from the site that the words before name, or that is here. It is read without running what its
// sources need and without asking for what opens secrets, and whatever is wrong with it goes unsaid: a shell that waits for a
// list is no place for either.

// completion returns what could stand in one place, given the words before.
type completion func(cmd *cobra.Command, args []string) []string

// byWord are completions by the words with which a verb's usage names its arguments.
func (a *app) byWord() map[string]completion {
	return map[string]completion{"HOST": a.hosts, "PATTERN": a.patterns, "MODULE": moduleNames, "HOP": a.hosts}
}

// byFlag are completions by flags.
func (a *app) byFlag() map[string]completion {
	words := func(list ...string) completion {
		return func(*cobra.Command, []string) []string { return list }
	}
	return map[string]completion{
		"limit": a.patterns, "tags": a.tags, "skip-tags": a.tags, "start-at-task": a.taskNames, "target": a.addresses, "replace": a.addresses,
		"become-method": words("sudo", "doas", "su"), "pending": words("run", "keep", "drop"), "output": words("text", "json"), "only": words(adopt.Modules...),
		"color": words("auto", "always", "never"), "connection": words("ssh", "smart", "local"),
	}
}

// completed are the flags of which several values stand in one, with commas between them.
var completed = []string{"limit", "tags", "skip-tags", "only"}

// addCompletion teaches the shells about a verb and those below it.
func (a *app) addCompletion(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		a.addCompletion(c)
	}
	for name, values := range a.byFlag() {
		if cmd.Flags().Lookup(name) != nil {
			several := slices.Contains(completed, name)
			_ = cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
				return matching(values(cmd, args), typed, several), cobra.ShellCompDirectiveNoFileComp
			})
		}
	}
	if cmd.ValidArgsFunction == nil && cmd.Runnable() {
		cmd.ValidArgsFunction = a.arguments(places(cmd.Use))
	}
}

// places are the words of a usage that stand for arguments: not flags, nor their values.
func places(usage string) []string {
	var out []string
	words := strings.Fields(usage)[1:]
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case w == "[FLAGS]" || w == "[--]":
		case strings.HasPrefix(strings.TrimPrefix(w, "["), "-"):
			i++
		default:
			out = append(out, w)
		}
	}
	return out
}

// arguments completes those that a usage names: "PATTERN", "[HOST]", "HOST:PORT". Files are what the shell knows itself.
func (a *app) arguments(usage []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(usage) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		word := strings.Trim(usage[min(len(args), len(usage)-1)], "[].")
		if len(args) >= len(usage) && !strings.Contains(usage[len(usage)-1], "...") {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if values := a.byWord()[word]; values != nil {
			return matching(values(cmd, args), typed, word == "PATTERN"), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
}

// matching are the values that begin as typed. With several, what stands before the last separator of a pattern stays.
func matching(values []string, typed string, several bool) []string {
	before := ""
	if i := strings.LastIndexAny(typed, ",:!&"); several && i >= 0 {
		before, typed = typed[:i+1], typed[i+1:]
	}
	var out []string
	for _, v := range values {
		if strings.HasPrefix(v, typed) {
			out = append(out, before+v)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// named completes any number of names, each once.
func named(values completion) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		left := slices.DeleteFunc(values(cmd, args), func(name string) bool { return slices.Contains(args, name) })
		return matching(left, typed, false), cobra.ShellCompDirectiveNoFileComp
	}
}

func moduleNames(*cobra.Command, []string) []string { return modules.Default.Names() }

// completedSite is the site that completion is about; nil: there is none.
func completedSite(cmd *cobra.Command, args []string) *playbooks.Site {
	path := "."
	if strings.Contains(cmd.Use, "SITE") {
		path = sitePath(args)
	}
	var o playbooks.Options
	if f := cmd.Flags().Lookup("site"); f != nil && f.Value.String() != "" {
		path = f.Value.String()
	}
	if i, err := cmd.Flags().GetStringArray("inventory"); err == nil {
		o.Inventory = i
	}
	s, _ := playbooks.Load(path, o)
	return s
}

func (a *app) hosts(cmd *cobra.Command, args []string) []string {
	var out []string
	if s := completedSite(cmd, args); s.Inventory != nil {
		for _, h := range s.Inventory.Hosts {
			out = append(out, h.Name)
		}
	}
	return out
}

func (a *app) tunnels(cmd *cobra.Command, args []string) []string {
	var out []string
	if s := completedSite(cmd, args); s.Inventory != nil {
		for _, t := range s.Inventory.Tunnels {
			out = append(out, t.Name)
		}
	}
	return out
}

// keptNames are the names of the connections that are kept.
func keptNames(*cobra.Command, []string) []string {
	dir, err := persist.Dir()
	if err != nil {
		return nil
	}
	list, _ := persist.List(dir)
	var out []string
	for _, c := range list {
		out = append(out, c.Name)
	}
	return out
}

func (a *app) patterns(cmd *cobra.Command, args []string) []string {
	out := append(a.hosts(cmd, args), "all")
	if s := completedSite(cmd, args); s.Inventory != nil {
		for _, g := range s.Inventory.Groups {
			out = append(out, g.Name)
		}
	}
	return out
}

func (a *app) tags(cmd *cobra.Command, args []string) []string {
	var out []string
	eachTask(cmd, args, func(_ *playbooks.Play, t *playbooks.Task) { out = append(out, t.Tags()...) })
	return out
}

func (a *app) taskNames(cmd *cobra.Command, args []string) []string {
	var out []string
	eachTask(cmd, args, func(p *playbooks.Play, t *playbooks.Task) { out = append(out, p.Called(t)) })
	return out
}

func (a *app) addresses(cmd *cobra.Command, args []string) []string {
	var out []string
	eachTask(cmd, args, func(_ *playbooks.Play, t *playbooks.Task) { out = append(out, t.Module.Name()+"."+t.Label) })
	return out
}

func eachTask(cmd *cobra.Command, args []string, do func(*playbooks.Play, *playbooks.Task)) {
	for _, p := range completedSite(cmd, args).Plays() {
		for _, t := range p.Tasks() {
			do(p, t)
		}
	}
}
