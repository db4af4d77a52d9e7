package main

import (
	"os"
	"strings"
	"testing"
)

// The playbook of the README is the one that make demo plays, so what the README shows is what runs.
func TestReadmePlaybookIsTheDemo(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	demo, err := os.ReadFile("../../playbooks/examples/demo/site.hcl")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```hcl\n")
	shown, _, _ := strings.Cut(rest, "```")
	_, played, _ := strings.Cut(string(demo), "\n\n") // without the comment on top
	if shown != played {
		t.Errorf("README.md shows another playbook than playbooks/examples/demo/site.hcl holds")
	}
}
