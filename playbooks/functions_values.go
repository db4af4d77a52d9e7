package playbooks

import (
	"errors"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// anything is a parameter that takes every value as it is.
func anything(name string) function.Parameter {
	return function.Parameter{Name: name, Type: cty.DynamicPseudoType, AllowDynamicType: true}
}

// marking makes a function that changes nothing but the marks of its argument.
func marking(do func(cty.Value) cty.Value) function.Function {
	p := anything("value")
	p.AllowMarked, p.AllowNull, p.AllowUnknown = true, true, true
	return function.New(&function.Spec{
		Params: []function.Parameter{p},
		Type:   func(a []cty.Value) (cty.Type, error) { return a[0].Type(), nil },
		Impl:   func(a []cty.Value, _ cty.Type) (cty.Value, error) { return do(a[0]), nil },
	})
}

// to makes a conversion.
func to(want cty.Type) function.Function {
	p := anything("value")
	p.AllowNull, p.AllowUnknown, p.AllowMarked = true, true, true
	return function.New(&function.Spec{
		Params: []function.Parameter{p},
		Type: func(a []cty.Value) (cty.Type, error) {
			v, err := convert.Convert(a[0], want)
			if err != nil {
				return cty.NilType, function.NewArgError(0, err)
			}
			return v.Type(), nil
		},
		Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) { return convert.Convert(a[0], want) },
	})
}

// length counts the elements of a collection or an object, or the characters of a string.
var length = function.New(&function.Spec{
	Params: []function.Parameter{anything("value")},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
		switch t := a[0].Type(); {
		case t == cty.String:
			return stdlib.Strlen(a[0])
		case t.IsObjectType():
			return cty.NumberIntVal(int64(len(t.AttributeTypes()))), nil
		}
		return stdlib.Length(a[0])
	},
})

// lookup returns the element of an object or map under a key, or the default.
var lookup = function.New(&function.Spec{
	Params: []function.Parameter{anything("map"), {Name: "key", Type: cty.String}},
	VarParam: &function.Parameter{
		Name: "default", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowNull: true, AllowUnknown: true,
	},
	Type: func(a []cty.Value) (cty.Type, error) {
		v, err := lookupValue(a)
		return v.Type(), err
	},
	Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) { return lookupValue(a) },
})

func lookupValue(a []cty.Value) (cty.Value, error) {
	if len(a) > 3 {
		return cty.DynamicVal, errors.New("lookup takes a map, a key and a default")
	}
	t := a[0].Type()
	if !a[0].IsKnown() || !a[1].IsKnown() {
		return cty.DynamicVal, nil
	}
	key := a[1].AsString()
	switch {
	case t.IsObjectType() && t.HasAttribute(key):
		return a[0].GetAttr(key), nil
	case t.IsMapType() && a[0].HasIndex(a[1]).True():
		return a[0].Index(a[1]), nil
	case !t.IsObjectType() && !t.IsMapType():
		return cty.DynamicVal, function.NewArgErrorf(0, "an object or a map is needed here")
	case len(a) == 3:
		return a[2], nil
	}
	return cty.DynamicVal, function.NewArgErrorf(1, "there is no element %q, and no default is given", key)
}

// one returns the only element of a list or set, or null when it is empty.
var one = function.New(&function.Spec{
	Params: []function.Parameter{anything("list")},
	Type: func(a []cty.Value) (cty.Type, error) {
		v, err := only(a[0])
		return v.Type(), err
	},
	Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) { return only(a[0]) },
})

func only(v cty.Value) (cty.Value, error) {
	if !v.IsKnown() {
		return cty.DynamicVal, nil
	}
	if !v.CanIterateElements() {
		return cty.DynamicVal, errors.New("a list, set or tuple is needed here")
	}
	switch list := v.AsValueSlice(); len(list) {
	case 0:
		return cty.NullVal(cty.DynamicPseudoType), nil
	case 1:
		return list[0], nil
	}
	return cty.DynamicVal, errors.New("it has more than one element")
}

// indexOf returns the position of a value in a list.
var indexOf = function.New(&function.Spec{
	Params: []function.Parameter{anything("list"), anything("value")},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
		if t := a[0].Type(); !t.IsListType() && !t.IsTupleType() {
			return cty.NilVal, function.NewArgErrorf(0, "a list is needed here")
		}
		for i, e := range a[0].AsValueSlice() {
			eq, err := stdlib.Equal(e, a[1])
			if err == nil && !eq.IsKnown() {
				return cty.UnknownVal(cty.Number), nil
			}
			if err == nil && eq.True() {
				return cty.NumberIntVal(int64(i)), nil
			}
		}
		return cty.NilVal, function.NewArgErrorf(1, "the list does not hold it")
	},
})

func fold(result cty.Type, start cty.Value, with func(acc, e cty.Value) cty.Value) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{anything("list")},
		Type:   function.StaticReturnType(result),
		Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
			if !a[0].CanIterateElements() {
				return cty.NilVal, function.NewArgErrorf(0, "a list is needed here")
			}
			acc := start
			for _, e := range a[0].AsValueSlice() {
				e, err := convert.Convert(e, result)
				if err != nil || e.IsNull() {
					return cty.NilVal, function.NewArgErrorf(0, "every element must be a %s", result.FriendlyName())
				}
				acc = with(acc, e)
			}
			return acc, nil
		},
	})
}

var (
	allTrue = fold(cty.Bool, cty.True, cty.Value.And)
	anyTrue = fold(cty.Bool, cty.False, cty.Value.Or)
	sum     = fold(cty.Number, cty.Zero, cty.Value.Add)
)

// transpose turns a map of lists round: { a = [x, y] } becomes { x = [a], y = [a] }. It serves full meshes.
var transpose = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "map", Type: cty.Map(cty.List(cty.String))}},
	Type:   function.StaticReturnType(cty.Map(cty.List(cty.String))),
	Impl: func(a []cty.Value, ret cty.Type) (cty.Value, error) {
		if !a[0].IsWhollyKnown() {
			return cty.UnknownVal(ret), nil
		}
		lists := map[string][]cty.Value{}
		m := a[0].AsValueMap()
		for _, k := range sortedKeys(m) {
			for _, e := range m[k].AsValueSlice() {
				lists[e.AsString()] = append(lists[e.AsString()], cty.StringVal(k))
			}
		}
		if len(lists) == 0 {
			return cty.MapValEmpty(ret.ElementType()), nil
		}
		out := map[string]cty.Value{}
		for k, l := range lists {
			out[k] = cty.ListVal(l)
		}
		return cty.MapVal(out), nil
	},
})
