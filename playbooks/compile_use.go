package playbooks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"labctl/inventory"
)

// useArguments are the arguments of use that are no inputs of the role.
var useArguments = append([]string{"source", "name", "for_each", "register"}, blockArguments...)

// use compiles a role for one place where it is used.
func (c *compiler) use(p *program, b *hclsyntax.Block) {
	src := c.findRole(b)
	if src == nil || c.loops(src.id, "Role in itself", b.DefRange()) {
		return
	}
	k := &call{name: src.name, rng: b.DefRange(), handler: c.handler != "", program: &program{}}
	done := c.calling(k, b)
	inside := c.inside(k, src, b)
	k.role = inside.role
	inside.compileRole(src, b)
	k.late = c.isLate(inside)
	done()
	c.called(p, k)
	if a := b.Body.Attributes["register"]; a != nil {
		if k.register = c.site.constString(a); hclsyntax.ValidIdentifier(k.register) {
			c.registers(k.register, b)
			c.gives(k)
		} else {
			c.fault(a.Expr.Range(), "Wrong name", "A result is registered under a word: letters, digits, _ and -, the first a letter.")
		}
	}
}

// loops refuses what would lead into itself.
func (c *compiler) loops(id, summary string, rng hcl.Range) bool {
	i := slices.Index(c.path, id)
	if i < 0 {
		return false
	}
	c.fault(rng, summary, "It would lead into itself without end: %s.", strings.Join(append(slices.Clone(c.path[i:]), id), " -> "))
	return true
}

// calling reads what a use and an include have in common, and sets what counts for the tasks in them, until done.
func (c *compiler) calling(k *call, b *hclsyntax.Block) (done func()) {
	scope, in, around := c.scope, c.inherited, c.around
	if a := b.Body.Attributes["for_each"]; a != nil {
		k.forEach = a.Expr
		c.refs(a.Expr)
		c.scope.each = true
		c.around = append(slices.Clone(around), a.Expr)
	}
	said := hclsyntax.Attributes{}
	for _, name := range blockArguments {
		if a := b.Body.Attributes[name]; a != nil {
			said[name] = a
		}
	}
	c.inherit(&hclsyntax.Block{Type: b.Type, Body: &hclsyntax.Body{Attributes: said}})
	k.when = c.inherited.when
	c.inherited.when = nil
	c.waits(&k.deps, k.when)
	if k.forEach != nil {
		c.waits(&k.deps, []hcl.Expression{k.forEach})
	}
	c.calls = append(slices.Clone(c.calls), k)
	k.number = len(c.play.calls)
	c.play.calls = append(c.play.calls, k)
	return func() {
		c.scope, c.inherited, c.around = scope, in, around
		c.calls = c.calls[:len(c.calls)-1]
	}
}

// called puts the call into the program.
func (c *compiler) called(p *program, k *call) {
	k.tasks = append(k.tasks, k.program.tasks...)
	p.items = append(p.items, item{call: k})
	p.tasks = append(p.tasks, k.tasks...)
}

// inside is the compiler of the role: it knows the variables of hosts and of the play, and what the role itself declares.
func (c *compiler) inside(k *call, src *roleSource, b *hclsyntax.Block) *compiler {
	r := &role{name: src.name, args: map[string]hcl.Expression{}, registers: map[string]bool{}}
	if a := b.Body.Attributes["name"]; a != nil {
		if name := c.site.constString(a); name != "" {
			r.name = name
		}
	}
	bare := c.bottom().scope.bare
	in := &compiler{
		site: c.site, play: c.play, handler: c.handler, outer: c, role: r, depth: c.depth + 1, calls: c.calls,
		path: append(slices.Clone(c.path), src.id), inherited: c.inherited.outward(c.play.become),
		scope: staticScope{
			names: names{vars: map[string]bool{}, locals: map[string]bool{}}, groups: true, hosts: true, host: true, facts: true, bare: bare,
			results: r.registers, outputs: map[string][]string{}, where: fmt.Sprintf("the role %q", src.name),
		},
	}
	if in.roleDir = src.dir; src.dir != "" {
		in.dirs = []string{src.dir}
	}
	r.functions = c.site.functionsIn(src.dir)
	return in
}

// bottom is the compiler of the play.
func (c *compiler) bottom() *compiler {
	for c.outer != nil {
		c = c.outer
	}
	return c
}

// compileRole compiles what is in the role, and checks what is given to it.
func (c *compiler) compileRole(src *roleSource, b *hclsyntax.Block) {
	tasks, handlers := c.declares(src)
	c.scope.later = registrations(tasks)
	c.own = c.role.handlers
	outer := c.site.fixed
	c.given(b)
	c.site.fixed = &staticScope{groups: true, sealed: true, where: "an argument of a role that is the same for all who use it", hint: " It may be said where the role is used."}
	defer func() { c.site.fixed = outer }()
	program := c.calls[len(c.calls)-1].program
	c.list(program, tasks)
	for _, l := range c.role.locals {
		c.refs(l.expr)
	}
	for _, o := range c.role.outputs {
		c.refs(o.expr)
	}
	if len(tasks)+len(handlers) == 0 {
		c.fault(b.DefRange(), "Empty role", "The role %q holds no task.", src.name)
	}
	handler := c.handler
	c.site.compileHandlers(c.play, c.role.handlers, c)
	c.handler = handler
	c.play.roleHandlers = append(c.play.roleHandlers, c.role.handlers...)
}

// given checks the inputs that a use gives.
func (c *compiler) given(b *hclsyntax.Block) {
	var known []string
	for _, v := range c.role.inputs {
		known = append(known, v.name)
		if b.Body.Attributes[v.name] == nil && v.preset == nil {
			c.fault(b.DefRange(), "Missing input", "The role %q needs %s, %s, declared at %s:%d: %s = ...", c.role.name, v.name, typeName(v), v.rng.Filename, v.rng.Start.Line, v.name)
		}
	}
	for _, a := range sortedAttributes(b.Body.Attributes) {
		switch {
		case slices.Contains(known, a.Name):
			c.outer.refs(a.Expr)
			c.role.args[a.Name] = a.Expr
		case !slices.Contains(useArguments, a.Name):
			c.fault(a.NameRange, "Unknown input", "The role %q has no variable %q.%s", c.role.name, a.Name, inputHint(a.Name, known))
		}
	}
	for _, k := range b.Body.Blocks {
		c.fault(k.TypeRange, "Unsupported block", "What is given to a role are arguments: %s = ...", k.Type)
	}
}

func inputHint(name string, known []string) string {
	if name == "vars" {
		return " What is given to a role are arguments of use itself."
	}
	if s := inventory.Suggest(name, append(slices.Clone(known), useArguments...)); s != "" {
		return fmt.Sprintf(" Did you mean %q?", s)
	}
	if len(known) == 0 {
		return " It declares none."
	}
	return fmt.Sprintf(" It declares %s.", strings.Join(known, ", "))
}

// typeName is how the type of a variable reads.
func typeName(v *variable) string {
	if n := v.typ.FriendlyNameForConstraint(); n != "any type" {
		return strings.ToLower(inventory.Article(n))
	}
	return "a value of any type"
}

// isLate reports whether what is given to a role, or its locals, may depend on facts or results.
func (c *compiler) isLate(in *compiler) bool {
	var exprs []hcl.Expression
	for _, name := range slices.Sorted(maps.Keys(in.role.args)) {
		exprs = append(exprs, in.role.args[name])
	}
	var d, own deps
	c.waits(&d, exprs)
	for _, l := range in.role.locals {
		in.waits(&own, []hcl.Expression{l.expr})
	}
	return d.any() || own.any()
}

// gives makes the outputs known, for a reference to one that there is not.
func (c *compiler) gives(k *call) {
	if k.forEach != nil {
		return
	}
	list := slices.Clone(roleResults)
	for _, o := range k.role.outputs {
		list = append(list, o.name)
	}
	c.scope.outputs[k.register] = list
}

// outward is what is said around a role, for the tasks in it.
func (in inherited) outward(play becoming) inherited {
	b := in.become.over(play)
	b.user, b.method, b.flags, b.password = outside(b.user), outside(b.method), outside(b.flags), outside(b.password)
	in.become = b
	in.timeout, in.ignoreErrors = outside(in.timeout), outside(in.ignoreErrors)
	in.throttle, in.on, in.checks = outside(in.throttle), outside(in.on), outside(in.checks)
	return in
}

// outward is an expression of what is around a role, which is evaluated where the role is used.
type outward struct {
	hcl.Expression
	levels int
}

func outside(x hcl.Expression) hcl.Expression {
	switch o := x.(type) {
	case nil:
		return nil
	case outward:
		return outward{o.Expression, o.levels + 1}
	}
	return outward{x, 1}
}
