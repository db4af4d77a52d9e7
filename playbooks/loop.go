package playbooks

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// instance is one turn of a loop.
type instance struct {
	key   string
	ctx   *hcl.EvalContext
	scope *scope
}

// instances expands for_each.
func (r *HostRun) instances(t *Task, sc *scope) ([]instance, *evaluation) {
	e := &evaluation{site: r.play.site, task: t, host: r.host}
	if sc.holds == no && t.forEach != nil {
		return nil, e // nothing is known of what is skipped
	}
	return r.loop(t.forEach, sc, e), e
}

// loop expands a for_each.
func (r *HostRun) loop(forEach hcl.Expression, sc *scope, e *evaluation) []instance {
	if forEach == nil {
		return []instance{{ctx: sc.ctx, scope: sc}}
	}
	v, ok := e.value(forEach, sc.ctx)
	if !ok {
		return nil
	}
	if !v.IsKnown() || !keysKnown(v) {
		e.unknown = append(e.unknown, "for_each")
		return nil
	}
	if v.IsNull() || !v.CanIterateElements() {
		e.fault(forEach.Range(), "Wrong for_each", "It is a list, a set, a map or an object.")
		return nil
	}
	if e.sensitive {
		e.fault(forEach.Range(), "Sensitive for_each", "The elements are shown as the names of the steps, so they cannot be sensitive. nonsensitive(...) says that they may be seen.")
		return nil
	}
	return each(v, forEach, sc, e)
}

func each(v cty.Value, forEach hcl.Expression, sc *scope, e *evaluation) []instance {
	var out []instance
	seen := map[string]bool{}
	for it := v.ElementIterator(); it.Next(); {
		key, val := it.Element()
		if v.Type().IsSetType() || listOfNames(v) {
			key = val
		}
		name, err := convert.Convert(key, cty.String)
		if err != nil || name.IsNull() || !name.IsKnown() {
			e.fault(forEach.Range(), "Wrong for_each", "The key of each element must be a string that is known. Use a map, or a list of strings.")
			return nil
		}
		k := name.AsString()
		if seen[k] {
			e.fault(forEach.Range(), "Duplicate key", "The list of for_each holds %q twice.", k)
			return nil
		}
		seen[k] = true
		ctx := sc.ctx.NewChild()
		ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": name, "value": val})}
		out = append(out, instance{k, ctx, sc})
	}
	return out
}

// listOfNames reports whether v is a list of known strings, whose elements are keys themselves.
func listOfNames(v cty.Value) bool {
	if t := v.Type(); !t.IsListType() && !t.IsTupleType() {
		return false
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.Type() != cty.String || !e.IsKnown() || e.IsNull() {
			return false
		}
	}
	return true
}

// keysKnown reports whether it is known what the elements will be called: those of a set, and the strings of a list, by themselves.
func keysKnown(v cty.Value) bool {
	t := v.Type()
	if v.IsNull() || !t.IsSetType() && !t.IsListType() && !t.IsTupleType() {
		return true
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if !e.IsKnown() && (e.Type() == cty.String || e.Type() == cty.DynamicPseudoType) {
			return false
		}
	}
	return true
}
