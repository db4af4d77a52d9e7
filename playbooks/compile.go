package playbooks

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
	"labctl/modules"
	"labctl/modules/schema"
)

// metaArguments are the arguments that every task takes. A module's own argument of the same name comes first (ping has a
// timeout of its own).
var metaArguments = []string{"name", "when", "for_each", "ensure", "register", "notify", "tags", "become", "become_user", "timeout", "sensitive"}

// Task is one task block, checked and ready to be evaluated for any host. It is shared by all of them.
type Task struct {
	Module   modules.Module
	Label    string    // as written
	Handler  string    // the handler it belongs to, or ""
	Register string    // or ""
	Range    hcl.Range // the head of the block

	key                                              hcl.Expression
	keyRange                                         hcl.Range
	name, when, forEach, ensure, becomeUser, timeout hcl.Expression
	become                                           *bool
	notify, tags                                     []string
	sensitive                                        bool
	node                                             *node
	deps                                             deps
}

// deps are what the expressions of a task wait for.
type deps struct {
	facts   bool
	results []string
}

// node is the body of a task, or of a nested block in it, against the schema.
type node struct {
	block  *schema.Block
	args   []argument
	blocks []nested
	rng    hcl.Range
}

// argument is one attribute = expression.
type argument struct {
	attr *schema.Attribute
	expr hcl.Expression
	name hcl.Range
}

// nested is a nested block. With forEach it is a dynamic one, which stands for any number.
type nested struct {
	attr     *schema.Attribute
	node     *node
	forEach  hcl.Expression
	iterator string
}

// compiler turns the blocks of a play into tasks.
type compiler struct {
	site    *Site
	play    *Play
	scope   staticScope
	handler string
	names   []string // of handlers
}

func (s *Site) compilePlay(p *Play, blocks []*hclsyntax.Block) {
	bare := s.bareNames()
	for _, d := range p.vars {
		bare[d.name] = true
		s.bare[d.name] = true
	}
	c := &compiler{site: s, play: p, scope: staticScope{
		names: s.static, groups: true, hosts: true, host: true, facts: true, bare: bare,
		results: map[string]bool{}, later: registrations(blocks), where: "the tasks of this play",
	}}
	for _, d := range p.vars {
		sc := c.scope
		sc.results = registered(blocks)
		s.diags.add(s.checkRefs([]hcl.Expression{d.expr}, sc)...)
		p.dynamic = p.dynamic || d.late
	}
	if p.becomeUser != nil {
		c.refs(p.becomeUser)
	}
	for _, h := range p.handlers {
		c.names = append(c.names, h.Name)
	}
	for _, b := range blocks {
		if t := c.task(b); t != nil {
			p.tasks = append(p.tasks, t)
		}
	}
	s.compileHandlers(p, p.handlers, c)
}

func registered(blocks []*hclsyntax.Block) map[string]bool {
	out := map[string]bool{}
	for n := range registrations(blocks) {
		out[n] = true
	}
	return out
}

// registrations finds what the tasks register, without judging it.
func registrations(blocks []*hclsyntax.Block) map[string]hcl.Range {
	out := map[string]hcl.Range{}
	for _, b := range blocks {
		if a := b.Body.Attributes["register"]; a != nil {
			if v, diags := a.Expr.Value(nil); !diags.HasErrors() && v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
				out[v.AsString()] = a.SrcRange
			}
		}
	}
	return out
}

// compileHandlers compiles the tasks of handlers: of the play's own, and of those of the site in the scope of the play.
func (s *Site) compileHandlers(p *Play, handlers []*Handler, c *compiler) {
	if c == nil {
		c = &compiler{site: s, play: p, scope: staticScope{
			names: s.static, groups: true, hosts: true, host: true, facts: true, bare: s.bareNames(), results: map[string]bool{}, where: "a handler",
		}}
	}
	for _, h := range handlers {
		for _, a := range sortedAttributes(h.block.Body.Attributes) {
			s.diags.add(fault(a.NameRange, "Unsupported argument", "A handler holds tasks, and no arguments of its own."))
		}
		c.handler = h.Name
		for _, b := range h.block.Body.Blocks {
			if t := c.task(b); t != nil {
				h.tasks = append(h.tasks, t)
			}
		}
		if len(h.block.Body.Blocks) == 0 {
			s.diags.add(fault(h.Range, "Empty handler", "The handler %q holds no task.", h.Name))
		}
	}
}

func (c *compiler) fault(rng hcl.Range, summary, format string, args ...any) {
	c.site.diags.add(fault(rng, summary, format, args...))
}

func (c *compiler) refs(exprs ...hcl.Expression) {
	c.site.diags.add(c.site.checkRefs(exprs, c.scope)...)
}

// task compiles one task block; nil when its module is not known.
func (c *compiler) task(b *hclsyntax.Block) *Task {
	m := c.module(b)
	if m == nil {
		return nil
	}
	t := &Task{Module: m, Handler: c.handler, Range: b.DefRange()}
	outer := c.scope
	defer func() { c.scope = outer; c.registered(t, b) }()
	if b.Body.Attributes["for_each"] != nil {
		c.scope.each = true
	}
	c.label(t, b)
	c.meta(t, b.Body, outer)
	t.node = c.body(m.Schema(), b.Body, b.DefRange(), m.Name(), t)
	if key := m.Schema().Key(); key != nil && t.key == nil {
		c.fault(b.DefRange(), "Missing label", "A %s task is labelled with its %s: %s \"...\" { }.", m.Name(), key.Name, m.Name())
	}
	t.deps = c.dependencies(t, b)
	return t
}

// laterBlocks are parts of the language that are designed but not there yet.
var laterBlocks = []string{"block", "rescue", "always", "role", "use", "import", "sync"}

func (c *compiler) module(b *hclsyntax.Block) modules.Module {
	m, err := c.site.registry.Lookup(b.Type)
	if err == nil {
		return m
	}
	if slices.Contains(laterBlocks, b.Type) {
		c.fault(b.TypeRange, "Not supported", "The %q block is not supported yet.", b.Type)
		return nil
	}
	known := c.site.registry.Names()
	if c.handler == "" {
		known = append(known, "handler")
	}
	c.fault(b.TypeRange, "Unknown module", "There is no module %q.%s", b.Type, didYouMeanLong(b.Type, known))
	return nil
}

func didYouMeanLong(given string, known []string) string {
	if s := inventory.Suggest(given, known); s != "" {
		return fmt.Sprintf(" Did you mean %q?", s)
	}
	return " labctl doc lists them all."
}

// label takes the key from the block label.
func (c *compiler) label(t *Task, b *hclsyntax.Block) {
	f := c.site.file(t.Range)
	if len(b.Labels) > 1 {
		c.fault(b.LabelRanges[1], "Too many labels", "A task has one label.")
	}
	if len(b.Labels) == 0 {
		return
	}
	t.Label = f.Source(b.Labels[0])
	if t.Module.Schema().Key() == nil {
		return // free text
	}
	t.key, t.keyRange = f.Label(b.Labels[0], b.LabelRanges[0]), b.LabelRanges[0]
	c.refs(t.key)
}

// meta reads the arguments that every task takes. The for_each of a task is outside of its own loop.
func (c *compiler) meta(t *Task, body *hclsyntax.Body, outer staticScope) {
	expr := func(name string) hcl.Expression {
		a := c.metaArgument(t, body, name)
		if a == nil {
			return nil
		}
		c.refs(a.Expr)
		return a.Expr
	}
	t.name, t.when, t.ensure = expr("name"), expr("when"), expr("ensure")
	t.becomeUser, t.timeout = expr("become_user"), expr("timeout")
	if a := c.metaArgument(t, body, "for_each"); a != nil {
		t.forEach = a.Expr
		c.site.diags.add(c.site.checkRefs([]hcl.Expression{a.Expr}, outer)...)
	}
	if a := c.metaArgument(t, body, "become"); a != nil {
		v := c.site.constBool(a)
		t.become = &v
	}
	if a := c.metaArgument(t, body, "sensitive"); a != nil {
		t.sensitive = c.site.constBool(a)
	}
	if a := c.metaArgument(t, body, "tags"); a != nil {
		t.tags = c.site.constStrings(a)
	}
	if t.Handler == "" {
		t.tags = append(t.tags, c.play.tags...)
	}
	if a := c.metaArgument(t, body, "notify"); a != nil {
		c.notify(t, a)
	}
	if a := c.metaArgument(t, body, "register"); a != nil {
		t.Register = c.site.constString(a)
		if t.Register != "" && !hclsyntax.ValidIdentifier(t.Register) {
			c.fault(a.Expr.Range(), "Wrong name", "A result is registered under a word: letters, digits, _ and -, the first a letter.")
		}
	}
}

func (c *compiler) metaArgument(t *Task, body *hclsyntax.Body, name string) *hclsyntax.Attribute {
	if own := t.Module.Schema().Find(name); own != nil && !own.Key && !own.Computed {
		return nil
	}
	return body.Attributes[name]
}

func (c *compiler) notify(t *Task, a *hclsyntax.Attribute) {
	for _, n := range c.site.constStrings(a) {
		if !slices.Contains(c.names, n) {
			c.fault(a.Expr.Range(), "Unknown handler", "No handler %q is declared.%s", n, inventory.DidYouMean(n, c.names))
			continue
		}
		if t.Handler != "" && slices.Index(c.names, n) <= slices.Index(c.names, t.Handler) {
			c.fault(a.Expr.Range(), "Handler out of order", "Handlers run in the order of their declaration: %q has had its turn before %q runs.", n, t.Handler)
			continue
		}
		t.notify = append(t.notify, n)
	}
}

// registered makes a task's result known to those that come after it.
func (c *compiler) registered(t *Task, b *hclsyntax.Block) {
	if t == nil || t.Register == "" {
		return
	}
	if c.scope.results[t.Register] {
		c.fault(b.Body.Attributes["register"].SrcRange, "Duplicate result", "An earlier task registers %q already. Choose another name.", t.Register)
	}
	c.scope.results[t.Register] = true
	delete(c.scope.later, t.Register)
}

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
		case attr != nil && !attr.Computed && (!attr.Key || t == nil):
			c.refs(a.Expr)
			n.args = append(n.args, argument{attr, a.Expr, a.NameRange})
		case t != nil && slices.Contains(metaArguments, a.Name):
		case attr != nil && attr.Computed:
			c.fault(a.NameRange, "Unsupported argument", "%q is in the result of a %s; it cannot be given.", a.Name, what)
		default:
			c.unsupported(a, b, what, t != nil)
		}
	}
	seen := map[string]bool{}
	for _, k := range body.Blocks {
		if k.Type == "dynamic" {
			c.dynamic(n, k, what)
			continue
		}
		c.block(n, k, what, seen)
	}
	return n
}

// designed are meta-arguments of the design that are not there yet.
var designed = []string{"on", "run_once", "retries", "delay", "until", "changed_when", "failed_when", "ignore_errors"}

func (c *compiler) unsupported(a *hclsyntax.Attribute, b *schema.Block, what string, task bool) {
	if task && slices.Contains(designed, a.Name) {
		c.fault(a.NameRange, "Not supported", "The argument %q is not supported yet.", a.Name)
		return
	}
	known := argumentNames(b, task)
	c.fault(a.NameRange, "Unsupported argument", "%s has no argument %q.%s", article(what), a.Name, inventory.DidYouMean(a.Name, known))
}

func article(what string) string {
	switch what[0] {
	case 'a', 'e', 'i', 'o', 'u':
		return "An " + what
	}
	return "A " + what
}

func argumentNames(b *schema.Block, task bool) []string {
	var out []string
	for i := range b.Attributes {
		if a := &b.Attributes[i]; !a.Computed && (!a.Key || !task) {
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

// block compiles a nested block.
func (c *compiler) block(n *node, b *hclsyntax.Block, what string, seen map[string]bool) {
	attr := n.block.Find(b.Type)
	if attr == nil || attr.Kind != schema.Object || attr.Computed {
		detail := inventory.DidYouMean(b.Type, blockNames(n.block))
		if attr != nil && !attr.Computed {
			detail = fmt.Sprintf(" It is an argument: %s = ...", b.Type)
		}
		c.fault(b.TypeRange, "Unsupported block", "%s has no block %q.%s", article(what), b.Type, detail)
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
		c.fault(b.LabelRanges[0], "Unsupported block", "%s has no block %q.%s", article(what), b.Labels[0], inventory.DidYouMean(b.Labels[0], blockNames(n.block)))
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

// dependencies finds what the task's expressions wait for, through the variables of the play too.
func (c *compiler) dependencies(t *Task, b *hclsyntax.Block) deps {
	exprs := c.site.expressions(b.Body)
	if t.key != nil {
		exprs = append(exprs, t.key)
	}
	if c.play.becomeUser != nil {
		exprs = append(exprs, c.play.becomeUser)
	}
	if t.Module.Name() == "template" { // the text of a template may refer to anything
		d := deps{facts: true, results: sortedKeys(c.scope.results)}
		return d
	}
	var d deps
	seen := map[string]bool{}
	var walk func(exprs []hcl.Expression)
	walk = func(exprs []hcl.Expression) {
		for _, e := range exprs {
			for _, tr := range e.Variables() {
				root := tr.RootName()
				d.facts = d.facts || root == "facts"
				if name := attributeOf(tr, "result"); name != "" && !slices.Contains(d.results, name) {
					d.results = append(d.results, name)
				}
				if i := slices.IndexFunc(c.play.vars, func(v definition) bool { return v.name == root }); i >= 0 && !seen[root] {
					seen[root] = true
					walk([]hcl.Expression{c.play.vars[i].expr})
				}
			}
		}
	}
	walk(exprs)
	return d
}
