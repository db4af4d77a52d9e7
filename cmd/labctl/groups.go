package main

import "github.com/spf13/cobra"

// groups are the verbs by what one wants, as the help lists them.
var groups = []struct {
	id, title string
	verbs     []string
}{
	{"run", "Hosts and what is to be on them:", []string{"play", "plan", "show", "verify", "run", "log"}},
	{"look", "Looking at hosts:", []string{"ping", "facts", "import", "capture", "inventory"}},
	{"reach", "Reaching hosts:", []string{"ssh", "ssh-config", "proxy", "tunnel", "connections"}},
	{"write", "Writing a site:", []string{"init", "validate", "fmt", "console", "doc", "secret"}},
	{"try", "Trying a site on this computer:", []string{"sandbox", "test"}},
	{"self", "labctl itself:", []string{"help", "version", "completion", "man"}},
}

// group puts the verbs of root into their groups.
func group(root *cobra.Command) {
	of := map[string]string{}
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, v := range g.verbs {
			of[v] = g.id
		}
	}
	root.SetHelpCommandGroupID("self")
	root.SetCompletionCommandGroupID("self")
	for _, c := range root.Commands() {
		c.GroupID = of[c.Name()]
	}
}
