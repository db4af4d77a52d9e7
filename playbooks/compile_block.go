package playbooks

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"labctl/inventory"
)

// blockArguments are the arguments of a block of tasks: what they say counts for every task in it.
var blockArguments = append([]string{"when", "tags", "notify", "become", "timeout", "ignore_errors", "throttle", "on", "check", "sensitive",
	"run_once", "any_errors_fatal"}, becomeArguments...)

// inherited is what the blocks around a task say for it. Where a task says so itself, that counts; conditions, tags and
// handlers are added to.
type inherited struct {
	when                  []hcl.Expression
	tags                  []string
	notify                []target
	become                becoming
	timeout, ignoreErrors hcl.Expression
	throttle, on, checks  hcl.Expression
	sensitive, runOnce    bool
	fatal                 *bool // nil: as the play has it
}

// list compiles what stands in a play, a handler or a block.
func (c *compiler) list(p *program, blocks []*hclsyntax.Block) {
	for _, b := range blocks {
		switch {
		case b.Type == "sync":
			c.sync(p, b)
		case b.Type == "flush_handlers" && c.handler == "":
			c.empty(b, "All handlers that were notified up to there run there.")
			rng := b.DefRange()
			p.items = append(p.items, item{flush: &rng})
		case b.Type == "block":
			c.block(p, b)
		case b.Type == "use":
			c.use(p, b)
		case b.Type == "include":
			c.include(p, b)
		default:
			if t := c.task(b); t != nil {
				p.add(t)
			}
		}
	}
}

// block compiles a block of tasks, with its rescue and always parts.
func (c *compiler) block(p *program, b *hclsyntax.Block) {
	if len(b.Labels) > 1 {
		c.fault(b.LabelRanges[1], "Too many labels", "A block has one label, which says what it is for, or none.")
	}
	outer := c.inherited
	c.inherit(b)
	body, rescue, always := c.parts(b)
	if len(body) == 0 {
		c.fault(b.DefRange(), "Empty block", "The block holds no task.")
	}
	k := &block{}
	p.blocks = append(p.blocks, k)
	k.body = c.span(p, body)
	failure := c.scope.failure
	c.scope.failure = true
	k.rescue = c.span(p, rescue)
	k.always = c.span(p, always)
	c.scope.failure, c.inherited = failure, outer
}

func (c *compiler) span(p *program, blocks []*hclsyntax.Block) span {
	from := len(p.items)
	c.list(p, blocks)
	return span{from, len(p.items)}
}

// parts tells the tasks of a block from those of its rescue and always parts.
func (c *compiler) parts(b *hclsyntax.Block) (body, rescue, always []*hclsyntax.Block) {
	at := map[string]*hclsyntax.Block{}
	for _, k := range b.Body.Blocks {
		switch {
		case k.Type != "rescue" && k.Type != "always":
			if len(at) > 0 {
				c.fault(k.DefRange(), "Task behind a part", "The tasks of a block stand first, then its rescue, then its always.")
			}
			body = append(body, k)
			continue
		case at[k.Type] != nil:
			c.fault(k.DefRange(), "Duplicate block", "A block has one %s.", k.Type)
		case k.Type == "rescue" && at["always"] != nil:
			c.fault(k.DefRange(), "Out of order", "The rescue of a block stands before its always.")
		case len(k.Body.Blocks) == 0:
			c.fault(k.DefRange(), "Empty block", "The %s holds no task.", k.Type)
		}
		at[k.Type] = k
		for _, rng := range k.LabelRanges {
			c.fault(rng, "Label not expected", "It has no label: %s { ... }.", k.Type)
		}
		for _, a := range sortedAttributes(k.Body.Attributes) {
			c.fault(a.NameRange, "Unsupported argument", "%s part holds tasks, and no arguments of its own.", inventory.Article(k.Type))
		}
	}
	if r := at["rescue"]; r != nil {
		rescue = r.Body.Blocks
	}
	if a := at["always"]; a != nil {
		always = a.Body.Blocks
	}
	return body, rescue, always
}

// inherit adds what a block says to what those around it say.
func (c *compiler) inherit(b *hclsyntax.Block) {
	in := &c.inherited
	become := c.site.becoming(func(name string) *hclsyntax.Attribute { return b.Body.Attributes[name] })
	c.refs(become.expressions()...)
	in.become = become.over(in.become)
	for _, a := range sortedAttributes(b.Body.Attributes) {
		switch a.Name {
		case "when":
			c.refs(a.Expr)
			in.when = append(slices.Clone(in.when), a.Expr)
		case "tags":
			in.tags = append(slices.Clone(in.tags), c.site.constStrings(a)...)
		case "notify":
			in.notify = append(slices.Clone(in.notify), c.notified(a)...)
		case "timeout":
			c.refs(a.Expr)
			in.timeout = a.Expr
		case "ignore_errors":
			c.refs(a.Expr)
			in.ignoreErrors = a.Expr
		case "throttle":
			c.refs(a.Expr)
			in.throttle = a.Expr
		case "check":
			c.refs(a.Expr)
			in.checks = a.Expr
		case "on":
			c.refs(a.Expr)
			in.on = a.Expr
		case "sensitive":
			in.sensitive = c.site.constBool(a)
		case "run_once":
			in.runOnce = c.site.constBool(a)
		case "any_errors_fatal":
			fatal := c.site.constBool(a)
			in.fatal = &fatal
		default:
			if a.Name == "become" || slices.Contains(becomeArguments, a.Name) {
				continue
			}
			hint := blockHint(a.Name)
			if hint == "" {
				hint = inventory.DidYouMean(a.Name, blockArguments)
			}
			c.fault(a.NameRange, "Unsupported argument", "A block has no argument %q.%s", a.Name, hint)
		}
	}
}

// blockHint says what to do in place of an argument that a block does not have.
func blockHint(name string) string {
	switch name {
	case "name":
		return " Its label is its name: block \"...\" { }."
	case "for_each", "loop":
		return " The tasks in it have for_each."
	case "vars":
		return " Variables are those of the play, or locals."
	case "register", "retries", "until", "changed_when", "failed_when":
		return " The tasks in it have."
	}
	return ""
}

// empty refuses what stands in a block that only marks a place.
func (c *compiler) empty(b *hclsyntax.Block, what string) {
	for _, rng := range b.LabelRanges {
		c.fault(rng, "Label not expected", "It has no label: %s {}.", b.Type)
	}
	for _, a := range sortedAttributes(b.Body.Attributes) {
		c.fault(a.NameRange, "Unsupported argument", "A %s is empty. %s", b.Type, what)
	}
	for _, k := range b.Body.Blocks {
		c.fault(k.TypeRange, "Unsupported block", "A %s is empty: tasks stand before and behind it.", b.Type)
	}
}
