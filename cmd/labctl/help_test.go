package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// No line of any help is longer than a terminal of 80 columns, and each verb says what it is and belongs to a group.
func TestHelpReadsWell(t *testing.T) {
	t.Parallel()
	a := &app{out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	root := a.root()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden {
			return
		}
		var out bytes.Buffer
		c.InitDefaultHelpFlag()
		c.SetOut(&out)
		if err := c.Help(); err != nil {
			t.Errorf("%s: %v", c.CommandPath(), err)
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s is described as %q: a phrase, without a full stop", c.CommandPath(), c.Short)
		}
		if c.Parent() == root && c.GroupID == "" {
			t.Errorf("%s belongs to no group: add it to groups", c.CommandPath())
		}
		ours := !strings.HasPrefix(c.CommandPath(), "labctl completion") // cobra's own
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimRight(line, "\n"); len(line) > 80 && ours {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), len(line), line)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	walk(a.playbookCmd())
}
