package modules

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"labctl/modules/codec"
	"labctl/modules/schema"
)

// decode returns the arguments of c, checked, as a *T.
func (m *module) decode(c Call) (any, error) {
	v := reflect.New(m.typ)
	want := v.Interface()
	if err := codec.UnmarshalStrict(c.Params, want); err != nil {
		return nil, decodeError(err)
	}
	if c.Absent && m.kind != Resource {
		return nil, argf("ensure", "%s has no state that could be absent", m.name)
	}
	if err := required(m.block(), v.Elem(), "", c.Absent); err != nil {
		return nil, err
	}
	if m.validate != nil {
		if err := m.validate(want); err != nil {
			return nil, err
		}
	}
	if m.complete != nil && !c.Absent {
		if err := m.complete(want); err != nil {
			return nil, err
		}
	}
	return want, nil
}

func decodeError(err error) error {
	var te *codec.TypeError
	if errors.As(err, &te) {
		return argf(te.Path, "a %s is needed here, not a %s", te.Type, te.Value)
	}
	return argf("", "decode arguments: %v", err)
}

// required checks presence and enumerations. An object that is to be absent needs only its key.
func required(b *schema.Block, v reflect.Value, prefix string, absent bool) error {
	for i := range b.Attributes {
		a := &b.Attributes[i]
		f := a.Value(v)
		if unset(f) {
			if a.Key || a.Required && !absent {
				return argf(prefix+a.Name, "required argument is missing")
			}
			continue
		}
		path := prefix + a.Name
		if err := enum(a, f, path); err != nil {
			return err
		}
		if a.Kind == schema.Object {
			if err := requiredIn(a, reflect.Indirect(f), path, absent); err != nil {
				return err
			}
		}
	}
	return nil
}

func requiredIn(a *schema.Attribute, f reflect.Value, path string, absent bool) error {
	if !a.Repeated {
		return required(a.Fields, f, path+".", absent)
	}
	for i := range f.Len() {
		if err := required(a.Fields, f.Index(i), fmt.Sprintf("%s[%d].", path, i), absent); err != nil {
			return err
		}
	}
	return nil
}

func enum(a *schema.Attribute, f reflect.Value, path string) error {
	if a.Enum == nil {
		return nil
	}
	for _, v := range enumValues(reflect.Indirect(f)) {
		ok := false
		for _, e := range a.Enum {
			ok = ok || v == e
		}
		if !ok {
			return argf(path, "%q is not one of %s", v, strings.Join(a.Enum, ", "))
		}
	}
	return nil
}

func enumValues(f reflect.Value) []string {
	if f.Kind() != reflect.Slice {
		return []string{fmt.Sprint(f.Interface())}
	}
	out := make([]string, f.Len())
	for i := range out {
		out[i] = fmt.Sprint(f.Index(i).Interface())
	}
	return out
}
