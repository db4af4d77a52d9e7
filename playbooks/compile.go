package playbooks

import (
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
	"labctl/modules"
	"labctl/modules/schema"
)

// metaArguments are the arguments that every task takes. A module's own argument of the same name comes first (ping has a
// timeout of its own).
var metaArguments = []string{"name", "when", "for_each", "ensure", "register", "notify", "tags", "become", "become_user",
	"become_method", "become_flags", "become_password", "timeout", "sensitive",
	"ignore_errors", "changed_when", "failed_when", "until", "retries", "delay", "throttle", "on", "check",
	"run_once", "any_errors_fatal", "async", "poll"}

// Task is one task block, checked and ready to be evaluated for any host. It is shared by all of them.
type Task struct {
	Module   modules.Module
	Label    string    // as written
	Handler  string    // the handler it belongs to, or ""
	Register string    // or ""
	Range    hcl.Range // the head of the block

	key                                   hcl.Expression
	keyRange                              hcl.Range
	when                                  []hcl.Expression // of the blocks around it, then its own
	name, forEach, ensure, timeout        hcl.Expression
	ignoreErrors, changedWhen, failedWhen hcl.Expression
	until, retries, delay, throttle       hcl.Expression
	async, poll                           hcl.Expression // how long it may go on by itself, how often it is asked for
	checks                                hcl.Expression // whether it only looks
	on                                    hcl.Expression // the host that it runs on, in place of the one that it is for
	become                                becoming
	notify                                []target
	tags                                  []string
	role                                  string   // that it is shown under, or ""
	dirs                                  []string // where its files are looked for, too
	sensitive                             bool
	included                              bool // it stands in a file of tasks
	runOnce                               bool // one host of those that are at it runs it for all
	fatal                                 bool // its failure is one of all hosts
	node                                  *node
	deps                                  deps
	value                                 hcl.Expression // of set_fact
	uniform                               bool           // what it is evaluated to is the same on all hosts

	order int // in the site, from 1; 0: of a handler

	headed  sync.Once // guards heading
	heading string    // see Play.Heading
}

// node is the body of a task, or of a nested block in it, against the schema.
type node struct {
	block  *schema.Block
	args   []argument
	blocks []nested
	rng    hcl.Range

	incomplete bool // an argument in it is misspelt: another one may seem to be missing
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
	handler string   // that the tasks belong to, or ""
	current *Handler // of own, or nil
	own     []*Handler

	outer   *compiler        // of what uses the role; nil: of the play
	role    *role            // nil: the play
	depth   int              // how many roles it is in
	path    []string         // the roles and files around
	calls   []*call          // that lead here from the play
	vars    []definition     // of the files around, in the same role
	around  []hcl.Expression // the for_each of these
	dirs    []string         // where files are looked for, too
	roleDir string           // the directory of the role, or ""

	inherited inherited // from the blocks around
	included  bool      // they stand in a file of tasks
}

func (s *Site) compilePlay(p *Play, blocks []*hclsyntax.Block) {
	bare := s.bareNames()
	maps.Copy(bare, s.facts)
	maps.Copy(bare, s.given)
	for _, d := range p.vars {
		bare[d.name] = true
		s.bare[d.name] = true
	}
	c := &compiler{site: s, play: p, path: []string{filepath.Clean(p.Range.Filename)}, scope: staticScope{
		names: s.static, groups: true, hosts: true, host: true, facts: true, bare: bare,
		results: map[string]bool{}, outputs: map[string][]string{}, later: registrations(blocks), where: "the tasks of this play",
	}}
	for _, d := range p.vars {
		p.dynamic = p.dynamic || d.late
	}
	c.refs(p.become.expressions()...)
	c.own, p.registers = p.handlers, c.scope.results
	c.refs(p.when...)
	c.inherited.when = p.when
	c.list(&p.program, blocks)
	c.inherited.when = nil
	for _, d := range p.vars {
		c.refs(d.expr)
	}
	s.compileHandlers(p, p.handlers, c)
	p.varsOfFacts()
}

// grouping are the blocks that hold tasks.
var grouping = []string{"block", "rescue", "always"}

// registrations finds what the tasks register, without judging it.
func registrations(blocks []*hclsyntax.Block) map[string]hcl.Range {
	out := map[string]hcl.Range{}
	for _, b := range blocks {
		if a := b.Body.Attributes["register"]; a != nil {
			if v, diags := a.Expr.Value(nil); !diags.HasErrors() && v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
				out[v.AsString()] = a.SrcRange
			}
		}
		if slices.Contains(grouping, b.Type) {
			maps.Copy(out, registrations(b.Body.Blocks))
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
			if a.Name != "listen" {
				s.diags.add(fault(a.NameRange, "Unsupported argument", "A handler holds tasks, and no argument of its own but listen."))
			}
		}
		c.handler, c.current = h.Name, h
		c.list(&h.program, h.block.Body.Blocks)
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
	t := &Task{Module: m, Handler: c.handler, Range: b.DefRange(), dirs: c.dirs, included: c.included}
	if c.role != nil {
		t.role = c.role.name
	}
	outer := c.scope
	defer func() { c.scope = outer; c.registered(t, b) }()
	if b.Body.Attributes["for_each"] != nil {
		c.scope.each = true
	}
	c.label(t, b)
	c.meta(t, b.Body, outer)
	t.node = c.body(m.Schema(), b.Body, b.DefRange(), m.Name(), t)
	if key := m.Schema().Key(); key != nil && t.key == nil {
		c.fault(b.DefRange(), "Missing label", "%s task is labelled with its %s: %s \"...\" { }.", inventory.Article(m.Name()), key.Name, m.Name())
	}
	t.deps = c.dependencies(t, b)
	c.sets(t, b)
	c.adder(t, b)
	return t
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
	if !f.IsTemplate(b.Labels[0]) { // an expression is looked into with all others
		c.site.diags.add(foreign([]byte(t.Label), b.LabelRanges[0], "")...)
	}
	if t.Module.Schema().Key() == nil {
		return // free text
	}
	t.key, t.keyRange = f.Label(b.Labels[0], b.LabelRanges[0]), b.LabelRanges[0]
	c.refs(t.key)
}

// meta reads the arguments that every task takes. The for_each of a task is outside of its own loop.
func (c *compiler) meta(t *Task, body *hclsyntax.Body, outer staticScope) {
	expr := func(name string) hcl.Expression { return c.metaExpression(t, body, name) }
	in := c.inherited
	t.when, t.tags, t.notify, t.sensitive = in.when, slices.Clone(in.tags), slices.Clone(in.notify), in.sensitive
	t.name, t.ensure = expr("name"), expr("ensure")
	if x := expr("when"); x != nil {
		t.when = append(slices.Clone(in.when), x)
	}
	t.timeout = either(expr("timeout"), in.timeout)
	t.ignoreErrors = either(expr("ignore_errors"), in.ignoreErrors)
	t.retries, t.delay = expr("retries"), expr("delay")
	t.throttle = either(expr("throttle"), in.throttle)
	t.checks = either(expr("check"), in.checks)
	c.checked(t)
	t.async, t.poll = expr("async"), expr("poll")
	c.jobs(t, expr("timeout"))
	if t.on = either(expr("on"), in.on); t.on != nil {
		c.delegated(t)
	}
	if a := c.metaArgument(t, body, "for_each"); a != nil {
		t.forEach = a.Expr
		c.site.diags.add(c.site.checkRefs([]hcl.Expression{a.Expr}, outer)...)
	}
	t.become = c.site.becoming(func(name string) *hclsyntax.Attribute { return c.metaArgument(t, body, name) })
	c.refs(t.become.expressions()...)
	t.become = t.become.over(in.become)
	if a := c.metaArgument(t, body, "sensitive"); a != nil {
		t.sensitive = c.site.constBool(a)
	}
	if a := c.metaArgument(t, body, "tags"); a != nil {
		t.tags = append(t.tags, c.site.constStrings(a)...)
	}
	if t.Handler == "" {
		t.tags = append(t.tags, c.play.tags...)
	}
	if a := c.metaArgument(t, body, "notify"); a != nil {
		t.notify = append(t.notify, c.notified(a)...)
	}
	if a := c.metaArgument(t, body, "register"); a != nil {
		t.Register = c.site.constString(a)
		if t.Register != "" && !hclsyntax.ValidIdentifier(t.Register) {
			c.fault(a.Expr.Range(), "Wrong name", "A result is registered under a word: letters, digits, _ and -, the first a letter.")
		}
	}
	c.togetherness(t, body)
	c.conditions(t, body)
}

// conditions reads those on the outcome of the task itself, which they know as self and by the name that it is registered under.
func (c *compiler) conditions(t *Task, body *hclsyntax.Body) {
	outer := c.scope
	defer func() { c.scope = outer }()
	c.scope.self, c.scope.results = true, maps.Clone(c.scope.results)
	if t.Register != "" && c.scope.results != nil {
		c.scope.results[t.Register] = true
	}
	expr := func(name string) hcl.Expression { return c.metaExpression(t, body, name) }
	t.changedWhen, t.failedWhen, t.until = expr("changed_when"), expr("failed_when"), expr("until")
	if t.retried() && t.Module.Ends() {
		c.fault(t.Range, "Tried again", "%s involves two hosts, and cannot be tried again by until or retries: a deadline says how long it tries.", inventory.Article(t.Module.Name()))
	}
	if t.delay != nil && !t.retried() {
		c.fault(t.delay.Range(), "Delay of nothing", "delay is what lies between two tries: it goes with until or retries.")
	}
}

// metaExpression is the value of an argument, whose names are checked; nil if it is not given.
func (c *compiler) metaExpression(t *Task, body *hclsyntax.Body, name string) hcl.Expression {
	a := c.metaArgument(t, body, name)
	if a == nil {
		return nil
	}
	c.refs(a.Expr)
	return a.Expr
}

func (c *compiler) metaArgument(t *Task, body *hclsyntax.Body, name string) *hclsyntax.Attribute {
	if own := t.Module.Schema().Find(name); own != nil && !own.Key && !own.Computed {
		return nil
	}
	return body.Attributes[name]
}

// either is the first of two that is there.
func either(a, b hcl.Expression) hcl.Expression {
	if a != nil {
		return a
	}
	return b
}

// registered makes a task's result known to those that come after it.
func (c *compiler) registered(t *Task, b *hclsyntax.Block) {
	if t == nil || t.Register == "" {
		return
	}
	c.registers(t.Register, b)
}

func (c *compiler) registers(name string, b *hclsyntax.Block) {
	if c.scope.results[name] && !c.included { // a file may be included twice, and of several one may be taken
		c.fault(b.Body.Attributes["register"].SrcRange, "Duplicate result", "An earlier task registers %q already. Choose another name.", name)
	}
	c.scope.results[name] = true
	delete(c.scope.later, name)
}
