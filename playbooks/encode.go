package playbooks

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"labctl/inventory"
	"labctl/modules/schema"
)

// body is an evaluated node: what goes into the call, and where each part came from.
type body struct {
	node   *node
	params map[string]any
	blocks map[string][]*body
}

// evaluation gathers what comes to light while a task is evaluated.
type evaluation struct {
	site      *Site
	task      *Task
	sensitive bool
	unknown   []string // paths of arguments whose values are not known
	diags     hcl.Diagnostics
	host      *inventory.Host

	templateVars map[string]cty.Value // of a template task
}

func (e *evaluation) fault(rng hcl.Range, summary, format string, args ...any) {
	e.diags = append(e.diags, fault(rng, summary, format, args...))
}

// value evaluates an expression, takes off its marks and remembers that there were some.
func (e *evaluation) value(x hcl.Expression, ctx *hcl.EvalContext) (cty.Value, bool) {
	v, diags := x.Value(ctx)
	if len(diags) > 0 {
		e.diags = append(e.diags, redact(e.site.explain(diags, e.host))...)
		if diags.HasErrors() {
			return cty.DynamicVal, false
		}
	}
	if v.ContainsMarked() {
		var marks cty.ValueMarks
		v, marks = v.UnmarkDeep()
		if _, ok := marks[inventory.Template]; ok {
			e.fault(x.Range(), "Template of Jinja", "A variable that stands here has a template in the inventory of Ansible that does more than name other variables. labctl does not evaluate it; give the value with -e.")
			return cty.DynamicVal, false
		}
		if why := inventory.UnopenedIn(marks); why != "" {
			e.fault(x.Range(), "Encrypted variable", "A variable that stands here cannot be opened: %s.", why)
			return cty.DynamicVal, false
		}
		e.sensitive = true
	}
	return v, true
}

// node evaluates a body.
func (e *evaluation) node(n *node, ctx *hcl.EvalContext, path string) *body {
	b := &body{node: n, params: make(map[string]any, len(n.args)+1)}
	for i := range n.args {
		a := &n.args[i]
		if e.task.rendered() && path == "" && a.attr.Name == "vars" {
			e.vars(a.expr, ctx)
			continue
		}
		v, ok := e.value(a.expr, ctx)
		if !ok || v.IsNull() {
			continue
		}
		if !v.IsWhollyKnown() {
			e.unknown = append(e.unknown, path+a.attr.Name)
			continue
		}
		p, err := encode(a.attr, v)
		if err != nil {
			e.fault(a.expr.Range(), "Wrong value", "The argument %q %s", path+a.attr.Name, closed(e.hide(err)))
			continue
		}
		b.params[a.attr.Name] = p
	}
	for i := range n.blocks {
		e.block(b, &n.blocks[i], ctx, path)
	}
	return b
}

// vars evaluates the variables of a template, which may be anything and do not travel.
func (e *evaluation) vars(x hcl.Expression, ctx *hcl.EvalContext) {
	v, diags := x.Value(ctx)
	e.diags = append(e.diags, redact(e.site.explain(diags, e.host))...)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() {
		return
	}
	v, marks := v.Unmark()
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		e.fault(x.Range(), "Wrong value", "The argument \"vars\" is an object: { name = value, ... }.")
		return
	}
	e.templateVars = map[string]cty.Value{}
	for k, val := range v.AsValueMap() {
		e.templateVars[k] = val.WithMarks(marks)
	}
}

// hide keeps the value out of a message about a sensitive one.
func (e *evaluation) hide(err error) string {
	if e.sensitive {
		return "has a value, which is sensitive, of the wrong kind"
	}
	return err.Error()
}

// block evaluates a nested block into the next element of its argument, or, if dynamic, into as many as there are.
func (e *evaluation) block(b *body, k *nested, ctx *hcl.EvalContext, path string) {
	if k.forEach == nil {
		e.append(b, k, ctx, path)
		return
	}
	v, ok := e.value(k.forEach, ctx)
	if !ok {
		return
	}
	if !v.IsKnown() {
		e.unknown = append(e.unknown, path+k.attr.Name)
		return
	}
	if v.IsNull() || !v.CanIterateElements() {
		e.fault(k.forEach.Range(), "Wrong for_each", "It is a list, a set, a map or an object.")
		return
	}
	if v.LengthInt() > 1 && !k.attr.Repeated {
		e.fault(k.forEach.Range(), "Too many blocks", "Only one %q block is possible here.", k.attr.Name)
		return
	}
	for it := v.ElementIterator(); it.Next(); {
		key, val := it.Element()
		if v.Type().IsSetType() {
			key = val
		}
		child := ctx.NewChild()
		child.Variables = map[string]cty.Value{k.iterator: cty.ObjectVal(map[string]cty.Value{"key": key, "value": val})}
		e.append(b, k, child, path)
	}
}

func (e *evaluation) append(b *body, k *nested, ctx *hcl.EvalContext, path string) {
	name := k.attr.Name
	if b.blocks == nil {
		b.blocks = map[string][]*body{}
	}
	at := path + name + "."
	if k.attr.Repeated {
		at = fmt.Sprintf("%s%s[%d].", path, name, len(b.blocks[name]))
	}
	inner := e.node(k.node, ctx, at)
	b.blocks[name] = append(b.blocks[name], inner)
	if !k.attr.Repeated {
		b.params[name] = inner.params
		return
	}
	list, _ := b.params[name].([]any)
	b.params[name] = append(list, inner.params)
}

// encode turns a known value that is not null into JSON as the schema asks. Its error goes on from: The argument "x" ...
func encode(a *schema.Attribute, v cty.Value) (any, error) {
	switch a.Kind {
	case schema.List:
		return encodeList(a.Elem, v)
	case schema.Map:
		return encodeMap(a.Elem, v)
	case schema.Object:
		return encodeObjects(a, v)
	}
	return encodeScalar(a.Kind, v)
}

func encodeScalar(k schema.Kind, v cty.Value) (any, error) {
	if v.IsNull() {
		return nil, fmt.Errorf("holds null")
	}
	switch k {
	case schema.String:
		v, err := convert.Convert(v, cty.String)
		if err != nil {
			return nil, fmt.Errorf("is not a string: %w", err)
		}
		return v.AsString(), nil
	case schema.Int:
		return encodeInt(v)
	case schema.Float:
		v, err := convert.Convert(v, cty.Number)
		if err != nil {
			return nil, fmt.Errorf("is not a number: %w", err)
		}
		return json.Number(v.AsBigFloat().Text('g', -1)), nil
	case schema.Bool:
		given := v
		v, err := convert.Convert(v, cty.Bool)
		if err != nil {
			return nil, fmt.Errorf("is not true or false: %w.%s", err, truthHint(given, cty.Bool))
		}
		return v.True(), nil
	}
	b, err := ctyjson.SimpleJSONValue{Value: v}.MarshalJSON()
	return json.RawMessage(b), err
}

func encodeInt(v cty.Value) (any, error) {
	v, err := convert.Convert(v, cty.Number)
	if err != nil {
		return nil, fmt.Errorf("is not a number: %w", err)
	}
	f := v.AsBigFloat()
	if !f.IsInt() {
		return nil, fmt.Errorf("is not a whole number: %s", f.Text('g', 20))
	}
	n, acc := f.Int64()
	if acc != 0 {
		return nil, fmt.Errorf("is too large a number: %s", f.Text('g', 20))
	}
	return json.Number(strconv.FormatInt(n, 10)), nil
}

func encodeList(elem schema.Kind, v cty.Value) (any, error) {
	if t := v.Type(); !t.IsListType() && !t.IsTupleType() && !t.IsSetType() {
		return nil, fmt.Errorf("is not a list, but a %s: write [ ... ]", t.FriendlyName())
	}
	out := []any{}
	for i, e := range v.AsValueSlice() {
		x, err := encodeScalar(elem, e)
		if err != nil {
			return nil, fmt.Errorf("at [%d] %w", i, err)
		}
		out = append(out, x)
	}
	return out, nil
}

func encodeMap(elem schema.Kind, v cty.Value) (any, error) {
	if t := v.Type(); !t.IsMapType() && !t.IsObjectType() {
		return nil, fmt.Errorf("is not a map, but a %s: write { name = value }", t.FriendlyName())
	}
	out := map[string]any{}
	for k, e := range v.AsValueMap() {
		if e.IsNull() && elem != schema.Any {
			continue
		}
		x, err := encodeScalar(elem, e)
		if err != nil && !e.IsNull() {
			return nil, fmt.Errorf("at %q %w", k, err)
		}
		out[k] = x
	}
	return out, nil
}

// encodeObjects encodes what stands for nested blocks: an object, or a list of them.
func encodeObjects(a *schema.Attribute, v cty.Value) (any, error) {
	if !a.Repeated {
		return encodeObject(a.Fields, v)
	}
	if t := v.Type(); !t.IsListType() && !t.IsTupleType() && !t.IsSetType() {
		return nil, fmt.Errorf("is not a list of objects, but a %s", t.FriendlyName())
	}
	out := []any{}
	for i, e := range v.AsValueSlice() {
		x, err := encodeObject(a.Fields, e)
		if err != nil {
			return nil, fmt.Errorf("at [%d] %w", i, err)
		}
		out = append(out, x)
	}
	return out, nil
}

func encodeObject(b *schema.Block, v cty.Value) (any, error) {
	if t := v.Type(); v.IsNull() || !t.IsMapType() && !t.IsObjectType() {
		return nil, fmt.Errorf("is not an object, but a %s", t.FriendlyName())
	}
	out := map[string]any{}
	m := v.AsValueMap()
	for _, k := range sortedKeys(m) {
		a := b.Find(k)
		if a == nil || a.Computed {
			return nil, fmt.Errorf("has no attribute %q.%s", k, inventory.DidYouMean(k, argumentNames(b, false)))
		}
		if m[k].IsNull() {
			continue
		}
		x, err := encode(a, m[k])
		if err != nil {
			return nil, fmt.Errorf("at %s %w", k, err)
		}
		out[k] = x
	}
	return out, nil
}
