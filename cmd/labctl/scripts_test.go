package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// scripts are all testscripts, one after the other.
func scripts(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// unscripted are the verbs that have no script, and why.
var unscripted = map[string]string{
	"sandbox setup-guest": "it takes minutes and 400 MB: TestRebootThroughAJump boots from what it builds",
}

// Each verb, and each of its options, is used by a script.
func TestEachOptionHasAScript(t *testing.T) {
	t.Parallel()
	all := scripts(t)
	found := map[string]bool{}
	used := func(pattern string) bool {
		if _, again := found[pattern]; !again {
			found[pattern] = regexp.MustCompile("(?m)" + pattern).MatchString(all)
		}
		return found[pattern]
	}
	missing := map[string]string{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		verb := strings.TrimPrefix(c.CommandPath(), "labctl ")
		if c.Hidden || !c.HasParent() || !c.Runnable() || unscripted[verb] != "" {
			return
		}
		if !used(`labctl ` + verb + `\b`) {
			t.Errorf("no testdata/script/*.txtar uses labctl %s: write one, which shows what it does and what it refuses", verb)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			names := "--?" + f.Name
			if f.Shorthand != "" {
				names += "|-" + f.Shorthand
			}
			if !f.Hidden && !used(`^[^#\n]*\s(`+names+`)\b`) {
				missing[f.Name] = verb
			}
		})
	}
	a := &app{out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	walk(a.root())
	for name, verb := range missing {
		t.Errorf("no testdata/script/*.txtar uses --%s, such as of labctl %s: show in one what it does", name, verb)
	}
}
