package playbooks

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// roleResults are what the result of a role tells beside its outputs.
var roleResults = []string{"changed", "skipped"}

// outputs is the result of a role, as far as it is known: its outputs, and whether it has changed something or was skipped. With
// for_each it is an object with one for each key. What is wrong with an output goes to wrong.
func (r *HostRun) outputs(reg *registration, wrong *collector) cty.Value {
	if !reg.loop {
		if len(reg.turns) == 0 {
			return cty.DynamicVal
		}
		return r.output(reg.turns[0], wrong)
	}
	all := map[string]cty.Value{}
	for _, t := range reg.turns {
		switch {
		case t.holds == perhaps: // nor is it known which keys there will be
			return cty.DynamicVal
		case t.holds == no:
		default:
			all[t.turn.key] = r.output(t, wrong)
		}
	}
	return cty.ObjectVal(all)
}

func (r *HostRun) output(t *scope, wrong *collector) cty.Value {
	switch t.holds {
	case no:
		return t.call.without(cty.True)
	case perhaps:
		return cty.DynamicVal
	}
	r.fresh(t)
	all := map[string]cty.Value{"skipped": cty.False, "changed": r.roleChanged(t)}
	ctx := t.after
	if ctx == nil {
		ctx = t.ctx
	}
	for _, o := range t.call.role.outputs {
		v, diags := o.expr.Value(ctx)
		if diags.HasErrors() {
			v = cty.DynamicVal
			wrong.add(redact(r.play.site.explain(diags, r.host))...)
		}
		if o.sensitive {
			v = v.Mark(sensitive)
		}
		all[o.name] = v
	}
	return cty.ObjectVal(all)
}

func (r *role) outputExpressions() (out []hcl.Expression) {
	for _, o := range r.outputs {
		out = append(out, o.expr)
	}
	return out
}

// roleChanged is known as soon as something has changed, or all has ended.
func (r *HostRun) roleChanged(t *scope) cty.Value {
	switch {
	case t.changed:
		return cty.True
	case t.unsure || r.isOpen(t):
		return cty.UnknownVal(cty.Bool)
	}
	return cty.False
}

// isOpen reports whether a step of the scope, or of what it has called, is under way.
func (r *HostRun) isOpen(sc *scope) bool {
	for _, s := range r.open {
		if s.at.scope.in(sc) {
			return true
		}
	}
	return false
}

// without is the result of a role that is not used.
func (c *call) without(skipped cty.Value) cty.Value {
	if c.forEach != nil {
		return cty.EmptyObjectVal
	}
	all := map[string]cty.Value{"changed": cty.False, "skipped": skipped}
	for _, o := range c.role.outputs {
		all[o.name] = cty.NullVal(cty.DynamicPseudoType)
	}
	return cty.ObjectVal(all)
}
