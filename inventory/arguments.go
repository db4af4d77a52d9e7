package inventory

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// habits are arguments that the inventories of other tools have, and what is said here.
var habits = map[string]string{
	"username":             "user",
	"login":                "user",
	"ansible_user":         "user",
	"remote_user":          "user",
	"ip":                   "address",
	"hostname":             "address",
	"host_name":            "address",
	"ansible_host":         "address",
	"ansible_port":         "port",
	"key":                  "identity_file",
	"private_key":          "identity_file",
	"ssh_key":              "identity_file",
	"key_file":             "identity_file",
	"identity":             "identity_file",
	"proxy_jump":           "jump",
	"bastion":              "jump",
	"bastion_host":         "jump",
	"proxy":                "jump",
	"subnet":               "cidr",
	"prefix":               "cidr",
	"range":                "cidr",
	"timeout":              "connect_timeout",
	"members":              "hosts",
	"variables":            "vars",
	"ansible_connection":   "connection",
	"group":                "groups",
	"host_key_checking":    "host_key_policy",
	"ansible_ssh_key_file": "identity_file",
	"file":                 "path",
	"project_path":         "path",
	"inventory":            "path",
	"cmd":                  "command",
	"binary":               "program",
	"binary_path":          "program",
	"env":                  "environment",
}

// content reads a body by its schema. What is not in it is reported with what there is instead.
func (d *decoder) content(b *hcl.Block, schema *hcl.BodySchema) *hcl.BodyContent {
	body, ok := b.Body.(*hclsyntax.Body)
	if !ok {
		c, diags := b.Body.Content(schema)
		d.diags = append(d.diags, diags...)
		return c
	}
	args, blocks := argumentNames(schema)
	for _, name := range slices.Sorted(maps.Keys(body.Attributes)) {
		a := body.Attributes[name]
		if !slices.Contains(args, a.Name) {
			d.fault(a.NameRange, "Unsupported argument", "%s block has no argument %q.%s", Article(b.Type), a.Name, argumentHint(a.Name, args, blocks))
		}
	}
	for _, k := range body.Blocks {
		switch {
		case slices.Contains(blocks, k.Type):
		case slices.Contains(args, k.Type):
			d.fault(k.TypeRange, "Unsupported block", "%q is an argument, not a block: %s", k.Type, argumentForm(k.Type))
		default:
			d.fault(k.TypeRange, "Unsupported block", "%s block has no block %q.%s", Article(b.Type), k.Type, blockHint(k, blocks))
		}
	}
	c, _, diags := b.Body.PartialContent(schema)
	d.diags = append(d.diags, diags...)
	return c
}

func argumentNames(schema *hcl.BodySchema) (args, blocks []string) {
	for _, a := range schema.Attributes {
		args = append(args, a.Name)
	}
	for _, b := range schema.Blocks {
		blocks = append(blocks, b.Type)
	}
	return args, blocks
}

// argumentHint says, with a blank before it, what the argument is called or which ones there are.
func argumentHint(name string, args, blocks []string) string {
	if to := habits[name]; slices.Contains(args, to) {
		return fmt.Sprintf(" Write %s = ...", to)
	}
	if slices.Contains(blocks, name) {
		return fmt.Sprintf(" It is a block: %s \"NAME\" { ... }", name)
	}
	return DidYouMean(name, args)
}

func blockHint(b *hclsyntax.Block, known []string) string {
	if b.Type == "host" || b.Type == "group" || b.Type == "play" || b.Type == "ssh" || b.Type == "network" {
		return fmt.Sprintf(" A %s is declared on its own. Or is a closing brace } missing above?", b.Type)
	}
	return DidYouMean(b.Type, known)
}

func argumentForm(name string) string {
	if name == "vars" {
		return "vars = { name = value, ... }"
	}
	return name + " = ..."
}

// Article puts "A" or "An" before a word, as it begins a sentence.
func Article(word string) string {
	if word == "" {
		return ""
	}
	switch word[0] {
	case 'a', 'e', 'i', 'o', 'u':
		if word != "user" && word != "udp" { // they begin as "you" does
			return "An " + word
		}
	case 's': // ssh is spelt out
		if word == "ssh" {
			return "An " + word
		}
	}
	return "A " + word
}
