package playbooks

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"labctl/modules"
)

// SetFacts are the variables that set_fact has set in a run, by host: they last from one play to the next.
type SetFacts struct {
	mu     sync.Mutex
	byHost map[string]map[string]cty.Value
}

// all are the variables by host, for plays that are yet to come.
func (f *SetFacts) all() map[string]map[string]cty.Value {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]map[string]cty.Value{} // not nil: it is known that there are no others
	maps.Copy(out, f.byHost)
	return out
}

// Sets reports whether tasks of the site set variables.
func (s *Site) Sets() bool { return len(s.facts) > 0 }

func (f *SetFacts) of(host string) map[string]cty.Value {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.byHost[host])
}

func (f *SetFacts) put(host string, all map[string]cty.Value) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byHost == nil {
		f.byHost = map[string]map[string]cty.Value{}
	}
	f.byHost[host] = maps.Clone(all)
}

// sets notes that a task sets a variable, which the tasks behind it, those of later plays too, may refer to.
func (c *compiler) sets(t *Task, b *hclsyntax.Block) {
	if t.Module.Name() != modules.SetFactName || len(b.Labels) == 0 {
		return
	}
	switch {
	case c.site.file(t.Range).IsTemplate(b.Labels[0]) || !hclsyntax.ValidIdentifier(t.Label):
		c.fault(t.keyRange, "Wrong name", "The name of a variable is written out, a word of letters, digits and _: set_fact \"port\" { value = ... }.")
		return
	case slices.Contains(scopeRoots, t.Label):
		c.fault(t.keyRange, "Wrong name", "The name %q has a meaning of its own.", t.Label)
		return
	}
	if a := b.Body.Attributes["value"]; a != nil {
		t.value = a.Expr
	}
	c.site.facts[t.Label], c.site.bare[t.Label] = true, true
	for ; c != nil; c = c.outer {
		c.scope.bare[t.Label] = true
	}
}

// varsOfFacts marks the variables of the play that depend on what its tasks set, also by way of others.
func (p *Play) varsOfFacts() {
	set := maps.Clone(p.site.facts)
	for i, d := range p.vars { // each stands behind those that it refers to
		if p.vars[i].late = d.late || refersTo(d.expr, set); p.vars[i].late {
			set[d.name], p.dynamic = true, true
		}
	}
}

// refersTo reports whether an expression refers to one of these names.
func refersTo(x hcl.Expression, names map[string]bool) bool {
	return slices.ContainsFunc(x.Variables(), func(v hcl.Traversal) bool { return names[v.RootName()] })
}

// fact is what a set_fact task sets in an instance.
func (t *Task) fact(ctx *hcl.EvalContext) cty.Value {
	v, diags := t.value.Value(ctx)
	if diags.HasErrors() { // which are told where the argument is evaluated
		return cty.DynamicVal
	}
	if t.sensitive {
		v = v.Mark(sensitive)
	}
	return v
}

// sets is what the tasks behind a set_fact see: nothing that is known, where only a play can tell whether it has its turn.
func (s *Step) sets() cty.Value {
	if slices.ContainsFunc(s.Unknowns, func(what string) bool { return !strings.HasPrefix(what, "value") }) {
		return cty.DynamicVal
	}
	return s.fact
}

// setFact has the tasks behind the present one see a variable.
func (r *HostRun) setFact(name string, v cty.Value) {
	if _, given := r.play.site.extra[name]; given {
		return
	}
	before, known := r.ctx.Variables[name]
	was, set := r.set[name]
	r.change(func() {
		delete(r.ctx.Variables, name)
		if known {
			r.ctx.Variables[name] = before
		}
		delete(r.set, name)
		if set {
			r.set[name] = was
		}
		r.keepFacts()
	})
	r.ctx.Variables[name], r.set[name] = v, v
	r.keepFacts()
}

// keepFacts hands what is set on to later plays.
func (r *HostRun) keepFacts() {
	r.env.Facts.put(r.host.Name, r.set)
	r.version++
	if r.play.dynamic {
		r.setVars(true)
	}
}
