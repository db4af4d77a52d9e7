package playbooks

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// deps are what expressions wait for.
type deps struct {
	facts   bool
	results []string // of the play or role that they stand in
	around  *deps    // of that which has called this role
}

// outside is the part of d that is waited for where the role is used.
func (d *deps) outside() *deps {
	if d.around == nil {
		d.around = &deps{}
	}
	return d.around
}

func (d *deps) any() bool {
	return d != nil && (d.facts || len(d.results) > 0 || d.around.any())
}

// awaits reports whether something of d is under way, and notes it.
func (r *HostRun) awaits(d *deps, sc *scope) bool {
	r.need = Need{}
	for home := sc.home; d != nil; d = d.around {
		r.need.Facts = r.need.Facts || d.facts && !r.facts
		for _, name := range d.results {
			r.need.Steps = append(r.need.Steps, r.pending(home.register[name])...)
		}
		if home.up != nil {
			home = home.up.home
		}
	}
	slices.Sort(r.need.Steps)
	r.need.Steps = slices.Compact(r.need.Steps)
	return r.need.Facts || len(r.need.Steps) > 0
}

// pending lists the steps under way that a result waits for.
func (r *HostRun) pending(reg *registration) (ids []int) {
	if reg == nil {
		return nil
	}
	for id := range reg.pending {
		ids = append(ids, id)
	}
	for id, s := range r.open {
		if slices.ContainsFunc(reg.turns, s.at.scope.in) {
			ids = append(ids, id)
		}
	}
	return ids
}

// dependencies finds what the task's expressions wait for.
func (c *compiler) dependencies(t *Task, b *hclsyntax.Block) deps {
	exprs := append(c.site.expressions(b.Body), c.inherited.when...)
	for _, x := range []hcl.Expression{t.key, t.timeout, t.ignoreErrors, t.throttle, t.on, t.checks} {
		if x != nil {
			exprs = append(exprs, x)
		}
	}
	var d deps
	exprs = append(exprs, t.become.over(c.play.become).expressions()...)
	t.uniform = c.outer == nil && c.role == nil && !t.sourced() && !t.Module.Ends() && sameForAll(exprs)
	c.waits(&d, exprs)
	if t.Module.Name() == "template" { // the text of a template may refer to anything
		c.waitsForAll(&d)
	}
	return d
}

// sameForAll reports whether expressions refer to nothing that one host has otherwise than another.
func sameForAll(exprs []hcl.Expression) bool {
	for _, x := range exprs {
		for _, v := range x.Variables() {
			if !slices.Contains([]string{"var", "local", "groups", "each"}, v.RootName()) {
				return false
			}
		}
	}
	return true
}

func (c *compiler) waitsForAll(d *deps) {
	for ; c != nil; c, d = c.outer, d.outside() {
		d.facts, d.results = true, sortedKeys(c.scope.results)
	}
}

// waits adds to d what expressions wait for, through the variables of the play, what is given to roles and files, and locals of
// roles.
func (c *compiler) waits(d *deps, exprs []hcl.Expression) {
	w := &waiting{seen: map[*compiler]map[string]bool{}}
	w.walk(c, d, exprs)
}

type waiting struct{ seen map[*compiler]map[string]bool }

// first reports whether a name is met for the first time.
func (w *waiting) first(c *compiler, name string) bool {
	if w.seen[c] == nil {
		w.seen[c] = map[string]bool{}
	}
	was := w.seen[c][name]
	w.seen[c][name] = true
	return !was
}

func (w *waiting) walk(c *compiler, d *deps, exprs []hcl.Expression) {
	for _, e := range exprs {
		if o, around := e.(outward); around {
			to := d
			from := c
			for range o.levels {
				from, to = from.outer, to.outside()
			}
			w.walk(from, to, []hcl.Expression{o.Expression})
			continue
		}
		for _, tr := range e.Variables() {
			w.name(c, d, tr)
		}
	}
}

func (w *waiting) name(c *compiler, d *deps, tr hcl.Traversal) {
	root := tr.RootName()
	switch root {
	case "facts":
		d.facts = true
		return
	case "result":
		if name := attributeOf(tr, "result"); name != "" && !slices.Contains(d.results, name) {
			d.results = append(d.results, name)
		}
		return
	case "each":
		if w.first(c, "each") {
			w.walk(c, d, c.around)
		}
		return
	case "var", "local":
		w.given(c, d, root, attributeOf(tr, root))
		return
	}
	for _, v := range c.vars { // of files
		if v.name == root && w.first(c, root) {
			w.walk(c, d, []hcl.Expression{v.expr})
			return
		}
	}
	for ; c.outer != nil; c, d = c.outer, d.outside() {
	}
	for _, v := range c.play.vars {
		if v.name == root && w.first(c, "play "+root) {
			w.walk(c, d, []hcl.Expression{v.expr})
		}
	}
}

// given follows a variable or a local of a role; of the site they are known before.
func (w *waiting) given(c *compiler, d *deps, kind, name string) {
	if c.role == nil || name != "" && !w.first(c, kind+"."+name) {
		return
	}
	if kind == "local" {
		for _, l := range c.role.locals {
			if name == "" || l.name == name {
				w.walk(c, d, []hcl.Expression{l.expr})
			}
		}
		return
	}
	for _, v := range c.role.inputs {
		if x := c.role.args[v.name]; x != nil && (name == "" || v.name == name) {
			w.walk(c.outer, d.outside(), []hcl.Expression{x})
		}
	}
}
