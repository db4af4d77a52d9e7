package playbooks

import (
	"reflect"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// hoister replaces what depends on nothing but these names.
type hoister []string

// shared are the names whose values are the same for all hosts of a play.
var shared = hoister{"var", "local", "groups", "hosts"}

// onceExpr is a part of an expression that is the same for all hosts, such as length(groups.all), evaluated once. Without
// it the cost of such a part, which grows with the number of hosts, would be paid once for each of them.
type onceExpr struct {
	hclsyntax.Expression
	mu    sync.Mutex
	known bool
	value cty.Value
}

// Value keeps the value, but not a fault: that is told with the context in which it shows.
func (e *onceExpr) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known {
		return e.value, nil
	}
	v, diags := e.Expression.Value(ctx)
	if len(diags) == 0 {
		e.known, e.value = true, v
	}
	return v, diags
}

var exprType = reflect.TypeFor[hclsyntax.Expression]()

// hoist replaces, in the bodies and expressions below v, the calls and loops that are the same for all hosts.
func (h hoister) hoist(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			h.hoist(v.Elem())
		}
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		if v.Type() == exprType && v.CanSet() {
			if e := v.Interface().(hclsyntax.Expression); costly(e) && h.same(e) {
				v.Set(reflect.ValueOf(&onceExpr{Expression: e}))
				return
			}
		}
		h.hoist(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			h.hoist(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			h.hoist(v.MapIndex(k))
		}
	case reflect.Struct:
		if h.renames(v) {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && mayHoldExprs(f.Type) {
				h.hoist(v.Field(i))
			}
		}
	}
}

// renames reports whether v gives one of the shared names another meaning for what is in it.
func (h hoister) renames(v reflect.Value) bool {
	switch n := v.Interface().(type) {
	case hclsyntax.ForExpr:
		return slices.Contains(h, n.KeyVar) || slices.Contains(h, n.ValVar)
	case hclsyntax.Block:
		return n.Type == "dynamic" && (n.Body.Attributes["iterator"] != nil || slices.ContainsFunc(n.Labels, func(l string) bool { return slices.Contains(h, l) }))
	}
	return false
}

// mayHoldExprs keeps the walk to the nodes of the tree.
func mayHoldExprs(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return t == exprType
	case reflect.Slice, reflect.Pointer, reflect.Map:
		return mayHoldExprs(t.Elem())
	case reflect.Struct:
		return t.PkgPath() == exprType.PkgPath()
	}
	return false
}

// costly are the expressions that may take long.
func costly(e hclsyntax.Expression) bool {
	switch e.(type) {
	case *hclsyntax.FunctionCallExpr, *hclsyntax.ForExpr:
		return true
	}
	return false
}

func (h hoister) same(e hclsyntax.Expression) bool {
	return !slices.ContainsFunc(e.Variables(), func(t hcl.Traversal) bool { return !slices.Contains(h, t.RootName()) })
}
