package playbooks

import (
	"encoding/json"
	"slices"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/schema"
)

// factsValue is the name "facts". Attributes that the host does not tell are null.
func factsValue(f host.Facts) (cty.Value, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return cty.NilVal, err
	}
	ty, err := ctyjson.ImpliedType(b)
	if err != nil {
		return cty.NilVal, err
	}
	v, err := ctyjson.Unmarshal(b, ty)
	if err != nil {
		return cty.NilVal, err
	}
	m := v.AsValueMap()
	for _, optional := range []string{"default_ipv4", "default_ipv6", "machine_id", "boot_id", "env"} {
		if _, ok := m[optional]; !ok {
			m[optional] = cty.NullVal(cty.DynamicPseudoType)
		}
	}
	return cty.ObjectVal(m), nil
}

// Outcome is how a step ended.
type Outcome struct {
	Result  modules.Result
	Job     string // of a step that goes on by itself: its ID on the host
	Running bool   // it has not ended
	Skipped bool
	Failed  bool
	Error   string // when Failed
	Unknown bool   // planning: only a play can tell
	Changed *bool  // nil: by the action of the result
	Final   bool   // it is not for the conditions of the task to judge: the run was interrupted, or nothing was done
}

// Changes reports whether the step has changed something, or would: what handlers are told.
func (o Outcome) Changes() bool {
	if o.Changed != nil {
		return *o.Changed && !o.Failed && !o.Skipped
	}
	return !o.Failed && !o.Skipped && o.Result.Diff.Action.Changes()
}

// value is what register keeps of an outcome: the state of the object by the module's schema, and what happened.
func (o Outcome) value(m modules.Module) cty.Value {
	out := map[string]cty.Value{}
	var state map[string]json.RawMessage
	if len(o.Result.State) > 0 {
		_ = json.Unmarshal(o.Result.State, &state) // not an object: all attributes are null
	}
	b := m.Schema()
	for i := range b.Attributes {
		a := &b.Attributes[i]
		out[a.Name] = o.attribute(a, state)
	}
	action := o.Result.Diff.Action
	if action == "" {
		action = modules.None
	}
	out["action"] = cty.StringVal(string(action))
	out["changed"] = cty.BoolVal(o.Changes())
	if o.Changed == nil && o.Result.Unknown && m.Kind() == modules.Command && !o.Skipped {
		out["changed"] = cty.UnknownVal(cty.Bool)
	}
	out["skipped"], out["failed"], out["error"] = cty.BoolVal(o.Skipped), cty.BoolVal(o.Failed), optional(o.Error)
	return cty.ObjectVal(out)
}

func (o Outcome) attribute(a *schema.Attribute, state map[string]json.RawMessage) cty.Value {
	ty := valueType(a)
	v := cty.NullVal(ty)
	switch raw, ok := state[a.Name]; {
	case ok && string(raw) != "null":
		if x, err := decodeValue(raw, ty); err == nil {
			v = x
		}
	case (o.Result.Unknown || slices.Contains(o.Result.UnknownAttributes, a.Name)) && !o.Skipped:
		v = cty.UnknownVal(ty)
	case state != nil && a.Always() && !o.Running:
		v = empty(ty) // omitted on the wire: a command that has printed nothing
	}
	if a.Sensitive {
		v = v.Mark(sensitive)
	}
	return v
}

// empty is the value of a type that stands for nothing: no text, 0, false, no elements.
func empty(ty cty.Type) cty.Value {
	switch {
	case ty == cty.String:
		return cty.StringVal("")
	case ty == cty.Number:
		return cty.Zero
	case ty == cty.Bool:
		return cty.False
	case ty.IsListType():
		return cty.ListValEmpty(ty.ElementType())
	case ty.IsMapType():
		return cty.MapValEmpty(ty.ElementType())
	}
	return cty.NullVal(ty)
}

func decodeValue(raw json.RawMessage, ty cty.Type) (cty.Value, error) {
	if ty == cty.DynamicPseudoType {
		implied, err := ctyjson.ImpliedType(raw)
		if err != nil {
			return cty.NilVal, err
		}
		ty = implied
	}
	return ctyjson.Unmarshal(raw, ty)
}

// valueType is the type of an attribute as a value. Nested blocks, whose fields may be missing, take the type of what is there.
func valueType(a *schema.Attribute) cty.Type {
	switch a.Kind {
	case schema.List:
		return cty.List(scalarType(a.Elem))
	case schema.Map:
		return cty.Map(scalarType(a.Elem))
	}
	return scalarType(a.Kind)
}

func scalarType(k schema.Kind) cty.Type {
	switch k {
	case schema.String:
		return cty.String
	case schema.Int, schema.Float:
		return cty.Number
	case schema.Bool:
		return cty.Bool
	}
	return cty.DynamicPseudoType
}
