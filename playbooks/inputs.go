package playbooks

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// inputs evaluates what is given to a role, with its locals, or to a file of tasks.
func (r *HostRun) inputs(sc *scope) {
	e := &evaluation{site: r.play.site, host: r.host}
	defer func() { sc.faults = e.diags }()
	if sc.call.role == nil {
		r.fileVars(sc, e)
		return
	}
	values := map[string]cty.Value{}
	for _, v := range sc.call.role.inputs {
		values[v.name] = r.input(sc, v, e)
	}
	sc.ctx.Variables["var"] = cty.ObjectVal(values)
	for _, v := range sc.call.role.inputs {
		r.checkInput(sc, v, e)
	}
	r.locals(sc, e)
}

// fileVars gives a file of tasks its variables. What -e says of them goes before.
func (r *HostRun) fileVars(sc *scope, e *evaluation) {
	for _, d := range sc.call.vars {
		v, given := r.play.site.extra[d.name]
		if !given {
			v = valued(d.expr, sc.ctx, e)
		}
		sc.ctx.Variables[d.name] = v
	}
}

// valued is the value of an expression with its marks; unknown if it is at fault, which is told.
func valued(x hcl.Expression, ctx *hcl.EvalContext, e *evaluation) cty.Value {
	v, diags := x.Value(ctx)
	e.diags = append(e.diags, redact(e.site.explain(diags, e.host))...)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	return v
}

func (r *HostRun) locals(sc *scope, e *evaluation) {
	values := map[string]cty.Value{}
	for _, d := range sc.call.role.locals {
		sc.ctx.Variables["local"] = cty.ObjectVal(values)
		values[d.name] = valued(d.expr, sc.ctx, e)
	}
	sc.ctx.Variables["local"] = cty.ObjectVal(values)
}

// input is the value of a variable of a role: what the use gives, or the default.
func (r *HostRun) input(sc *scope, v *variable, e *evaluation) cty.Value {
	x, given := sc.call.role.args[v.name]
	var val cty.Value
	switch {
	case v.unusable:
		return cty.DynamicVal
	case given:
		val = valued(x, sc.turn.ctx, e)
	case v.preset != nil:
		x = v.preset.Expr
		val = valued(x, &hcl.EvalContext{Functions: r.play.site.scope.Functions}, e)
	default:
		return cty.UnknownVal(v.typ) // told before
	}
	if given && val.IsNull() && !v.nullable && v.preset != nil { // as Terraform does
		x = v.preset.Expr
		val = valued(x, &hcl.EvalContext{Functions: r.play.site.scope.Functions}, e)
	}
	if v.defaults != nil && !val.IsNull() && val.IsKnown() {
		val = v.defaults.Apply(val)
	}
	out, err := convert.Convert(val, v.typ)
	switch {
	case err != nil:
		e.fault(x.Range(), "Wrong input", "The variable %q of the role %q is %s: %s.", v.name, sc.call.name, typeName(v), err)
		return cty.UnknownVal(v.typ)
	case out.IsNull() && !v.nullable:
		e.fault(x.Range(), "Wrong input", "The variable %q of the role %q cannot be null.", v.name, sc.call.name)
		return cty.UnknownVal(v.typ)
	}
	if v.sensitive {
		out = out.Mark(sensitive)
	}
	return out
}

// checkInput evaluates the conditions that a variable of a role must meet. What they refuse is told where it was given.
func (r *HostRun) checkInput(sc *scope, v *variable, e *evaluation) {
	for _, b := range v.checks {
		c, _ := b.Body.Content(validationSchema)
		cond, msg := c.Attributes["condition"], c.Attributes["error_message"]
		if cond == nil || msg == nil {
			continue // told when it was compiled
		}
		ok := valued(cond.Expr, sc.ctx, e)
		ok, _ = ok.UnmarkDeep()
		ok, err := convert.Convert(ok, cty.Bool)
		if err != nil || ok.IsNull() {
			e.fault(cond.Expr.Range(), "Wrong condition", "A condition is true or false.")
			continue
		}
		if ok.IsKnown() && ok.False() {
			r.refuseInput(sc, v, msg.Expr, e)
		}
	}
}

func (r *HostRun) refuseInput(sc *scope, v *variable, msg hcl.Expression, e *evaluation) {
	rng := v.rng
	if x := sc.call.role.args[v.name]; x != nil {
		rng = x.Range()
	}
	detail := "The value does not meet the condition."
	text := valued(msg, sc.ctx, e)
	if str, err := convert.Convert(text, cty.String); err == nil && str.IsKnown() && !str.IsMarked() && !str.IsNull() {
		detail = str.AsString()
	}
	e.fault(rng, fmt.Sprintf("Invalid value for variable %q of role %q", v.name, sc.call.name), "%s", detail)
}
