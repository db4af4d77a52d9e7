package playbooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"labctl/inventory"
	"labctl/modules/schema"
)

// body compiles a body against a schema. t is nil in nested blocks, which have no meta-arguments and no key.
func (c *compiler) body(b *schema.Block, body *hclsyntax.Body, rng hcl.Range, what string, t *Task) *node {
	n := &node{block: b, rng: rng}
	for _, a := range sortedAttributes(body.Attributes) {
		attr := b.Find(a.Name)
		switch {
		case attr != nil && attr.Key && t != nil && !slices.Contains(metaArguments, a.Name):
			if t.key != nil {
				c.fault(a.NameRange, "Given twice", "The label of the block is its %s already.", a.Name)
				continue
			}
			t.key, t.keyRange = a.Expr, a.Expr.Range()
			c.refs(a.Expr)
		case attr != nil && attr.Filled:
			c.fault(a.NameRange, "Unsupported argument", "%q is filled in from src; it cannot be given.", a.Name)
		case attr != nil && !attr.Computed && (!attr.Key || t == nil):
			c.refs(a.Expr)
			n.args = append(n.args, argument{attr, a.Expr, a.NameRange})
		case t != nil && slices.Contains(metaArguments, a.Name):
		case attr != nil && attr.Computed && blockHabit(a.Name, b) == "":
			c.fault(a.NameRange, "Unsupported argument", "%q is in the result of %s; it cannot be given.", a.Name, lower(inventory.Article(what)))
		default:
			n.incomplete = true
			c.unsupported(a, b, what, t != nil)
		}
	}
	seen := map[string]bool{}
	for _, k := range body.Blocks {
		if k.Type == "dynamic" {
			c.dynamic(n, k, what)
			continue
		}
		c.nested(n, k, what, seen)
	}
	return n
}

func (c *compiler) unsupported(a *hclsyntax.Attribute, b *schema.Block, what string, task bool) {
	known := argumentNames(b, task)
	hint := blockHabit(a.Name, b)
	if hint == "" {
		hint = argumentHabit(a.Name, known)
	}
	if hint == "" {
		hint = inventory.DidYouMean(a.Name, known)
	}
	c.fault(a.NameRange, "Unsupported argument", "%s has no argument %q.%s", inventory.Article(what), a.Name, hint)
}

func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func argumentNames(b *schema.Block, task bool) []string {
	var out []string
	for i := range b.Attributes {
		if a := &b.Attributes[i]; !a.Computed && !a.Filled && (!a.Key || !task) {
			out = append(out, a.Name)
		}
	}
	if task {
		out = append(out, metaArguments...)
	}
	return out
}

func blockNames(b *schema.Block) []string {
	var out []string
	for i := range b.Attributes {
		if a := &b.Attributes[i]; a.Kind == schema.Object && !a.Computed {
			out = append(out, a.Name)
		}
	}
	return out
}

// nested compiles a nested block.
func (c *compiler) nested(n *node, b *hclsyntax.Block, what string, seen map[string]bool) {
	attr := n.block.Find(b.Type)
	if attr == nil || attr.Kind != schema.Object || attr.Computed {
		n.incomplete = true
		detail := inventory.DidYouMean(b.Type, blockNames(n.block))
		if attr != nil && !attr.Computed || slices.Contains(metaArguments, b.Type) {
			detail = fmt.Sprintf(" It is an argument: %s = ...", b.Type)
		}
		c.fault(b.TypeRange, "Unsupported block", "%s has no block %q.%s", inventory.Article(what), b.Type, detail)
		return
	}
	if len(b.Labels) > 0 {
		c.fault(b.LabelRanges[0], "Label not expected", "The block %q has no label.", b.Type)
	}
	if seen[b.Type] && !attr.Repeated {
		c.fault(b.TypeRange, "Duplicate block", "Only one %q block is possible here.", b.Type)
	}
	seen[b.Type] = true
	n.blocks = append(n.blocks, nested{attr: attr, node: c.body(attr.Fields, b.Body, b.DefRange(), b.Type+" block", nil)})
}

// dynamic compiles a block that stands for one nested block for each element of a collection, as Terraform has it.
func (c *compiler) dynamic(n *node, b *hclsyntax.Block, what string) {
	if len(b.Labels) != 1 {
		c.fault(b.DefRange(), "Wrong dynamic block", "It is labelled with the block that it stands for: dynamic \"rule\" { for_each = ...  content { ... } }.")
		return
	}
	attr := n.block.Find(b.Labels[0])
	if attr == nil || attr.Kind != schema.Object || attr.Computed {
		c.fault(b.LabelRanges[0], "Unsupported block", "%s has no block %q.%s", inventory.Article(what), b.Labels[0], inventory.DidYouMean(b.Labels[0], blockNames(n.block)))
		return
	}
	k := nested{attr: attr, iterator: b.Labels[0]}
	for _, a := range sortedAttributes(b.Body.Attributes) {
		switch a.Name {
		case "for_each":
			k.forEach = a.Expr
			c.refs(a.Expr)
		case "iterator":
			if k.iterator = hcl.ExprAsKeyword(a.Expr); k.iterator == "" {
				c.fault(a.Expr.Range(), "Wrong iterator", "The iterator is a name, without quotes.")
			}
		default:
			c.fault(a.NameRange, "Unsupported argument", "A dynamic block has for_each, iterator and content.%s", inventory.DidYouMean(a.Name, []string{"for_each", "iterator"}))
		}
	}
	if k.forEach == nil || len(b.Body.Blocks) != 1 || b.Body.Blocks[0].Type != "content" {
		c.fault(b.DefRange(), "Wrong dynamic block", "It has a for_each and one content block: dynamic %q { for_each = ...  content { ... } }.", b.Labels[0])
		return
	}
	outer := c.scope
	c.scope = c.scope.with(k.iterator)
	content := b.Body.Blocks[0]
	k.node = c.body(attr.Fields, content.Body, content.DefRange(), b.Labels[0]+" block", nil)
	c.scope = outer
	n.blocks = append(n.blocks, k)
}
