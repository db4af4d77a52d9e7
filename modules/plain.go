package modules

import (
	"fmt"
	"reflect"
	"sort"

	"labctl/modules/schema"
)

// plain turns a field into the JSON value it stands for: string, float64, bool, []any, map[string]any or nil. Lists that
// are sets come out sorted, so that two orders of the same set are equal and plans are stable.
func plain(a *schema.Attribute, v reflect.Value) any {
	if unset(v) && v.Kind() != reflect.Bool && v.Kind() != reflect.String && v.Kind() != reflect.Int {
		return nil
	}
	v = reflect.Indirect(v)
	switch a.Kind {
	case schema.Object:
		return plainObject(a, v)
	case schema.List:
		return plainList(a, v)
	case schema.Map:
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			out[k.String()] = scalarValue(v.MapIndex(k))
		}
		return out
	}
	return scalarValue(v)
}

func plainObject(a *schema.Attribute, v reflect.Value) any {
	if !a.Repeated {
		return fields(a.Fields, v)
	}
	out := make([]any, v.Len())
	for i := range out {
		out[i] = fields(a.Fields, v.Index(i))
	}
	return out
}

func fields(b *schema.Block, v reflect.Value) map[string]any {
	out := map[string]any{}
	for i := range b.Attributes {
		a := &b.Attributes[i]
		if f := a.Value(v); !unset(f) && !a.Option && !a.Computed {
			out[a.Name] = plain(a, f)
		}
	}
	return out
}

func plainList(a *schema.Attribute, v reflect.Value) any {
	out := make([]any, v.Len())
	for i := range out {
		out[i] = scalarValue(v.Index(i))
	}
	if a.Set {
		sort.Slice(out, func(i, j int) bool { return fmt.Sprint(out[i]) < fmt.Sprint(out[j]) })
	}
	return out
}

func scalarValue(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		return float64(v.Int())
	case reflect.Uint16, reflect.Uint32:
		return float64(v.Uint())
	case reflect.String:
		return v.String()
	}
	return v.Interface()
}
