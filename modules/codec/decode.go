package codec

import (
	"errors"
	"fmt"
	"reflect"
)

// Unmarshal reads the one JSON value of data into what v, a pointer, points to. Members that it has no field for are left
// out. What does not fit is a *TypeError.
func Unmarshal(data []byte, v any) error { return unmarshal(data, v, false) }

// UnmarshalStrict is Unmarshal, but a member without a field is an error. Names are compared byte by byte.
func UnmarshalStrict(data []byte, v any) error { return unmarshal(data, v, true) }

func unmarshal(data []byte, v any, strict bool) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return errors.New("decode JSON: not into a pointer")
	}
	d := decoder{in: data, strict: strict}
	return d.document(p.Elem())
}

type decoder struct {
	in     []byte
	at     int
	depth  int
	strict bool
}

// document reads the whole input into v; an invalid v reads without keeping anything.
func (d *decoder) document(v reflect.Value) error {
	if err := d.value(v); err != nil {
		return err
	}
	if d.peek() != 0 || d.at < len(d.in) {
		return d.syntax("the end")
	}
	return nil
}

// peek skips blanks and returns the next byte, 0 at the end.
func (d *decoder) peek() byte {
	for ; d.at < len(d.in); d.at++ {
		switch c := d.in[d.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (d *decoder) syntax(want string) error {
	if d.at >= len(d.in) {
		return fmt.Errorf("unexpected end of JSON, %s is needed", want)
	}
	return fmt.Errorf("unexpected %q at byte %d of JSON, %s is needed", d.in[d.at], d.at, want)
}

// mismatch says that what, which the input has here, is nothing for v.
func mismatch(what string, v reflect.Value) error {
	return &TypeError{Value: what, Type: v.Type()}
}

// within adds the name of the member that a fault is in.
func within(name []byte, err error) error {
	te, ok := err.(*TypeError) //nolint:errorlint // it is never wrapped here
	if !ok {
		return err
	}
	if te.Path != "" {
		te.Path = "." + te.Path
	}
	te.Path = string(name) + te.Path
	return te
}

func (d *decoder) value(v reflect.Value) error {
	if d.depth++; d.depth > maxDepth {
		return fmt.Errorf("JSON is nested deeper than %d", maxDepth)
	}
	defer func() { d.depth-- }()
	c := d.peek()
	start := d.at
	if v.IsValid() && v.Type() == rawType {
		err := d.value(reflect.Value{})
		v.SetBytes(append([]byte(nil), d.in[start:d.at]...))
		return err
	}
	if c == 'n' {
		if v.IsValid() && nilable(v.Kind()) {
			v.SetZero()
		}
		return d.word("null")
	}
	v = target(v)
	switch {
	case c == '{':
		return d.object(v)
	case c == '[':
		return d.list(v)
	case c == '"':
		s, err := d.text()
		if err != nil {
			return err
		}
		return d.setText(v, s)
	case c == 't' || c == 'f':
		return d.boolean(v, c == 't')
	case c == '-' || '0' <= c && c <= '9':
		return d.number(v)
	}
	return d.syntax("a value")
}

func nilable(k reflect.Kind) bool {
	return k == reflect.Pointer || k == reflect.Slice || k == reflect.Map || k == reflect.Interface
}

// target follows pointers, making what they point to.
func target(v reflect.Value) reflect.Value {
	for v.IsValid() && v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	return v
}

// object reads into a struct, a map, an any, or nothing.
func (d *decoder) object(v reflect.Value) error {
	var fields []field
	switch {
	case !v.IsValid():
	case v.Kind() == reflect.Struct:
		fields = fieldsOf(v.Type())
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		v.Set(reflect.MakeMap(v.Type()))
	case v.Kind() == reflect.Interface:
		m := reflect.ValueOf(map[string]any{})
		v.Set(m)
		v = m
	default:
		return mismatch("object", v)
	}
	return d.each('}', func() error {
		name, err := d.text()
		if err != nil {
			return err
		}
		if d.peek() != ':' {
			return d.syntax(`":"`)
		}
		d.at++
		return within(name, d.member(v, fields, name))
	})
}

func (d *decoder) member(v reflect.Value, fields []field, name []byte) error {
	switch {
	case !v.IsValid():
		return d.value(v)
	case v.Kind() == reflect.Map:
		e := reflect.New(v.Type().Elem()).Elem()
		err := d.value(e)
		v.SetMapIndex(reflect.ValueOf(string(name)).Convert(v.Type().Key()), e)
		return err
	}
	f := find(fields, name)
	switch {
	case f != nil:
		return d.value(v.FieldByIndex(f.index))
	case d.strict:
		return fmt.Errorf("unknown field %q", name)
	}
	return d.value(reflect.Value{})
}

// list reads into a slice, an any, or nothing.
func (d *decoder) list(v reflect.Value) error {
	if v.IsValid() && v.Kind() == reflect.Interface {
		all := []any{}
		err := d.list(reflect.ValueOf(&all).Elem())
		v.Set(reflect.ValueOf(all))
		return err
	}
	if v.IsValid() && v.Kind() != reflect.Slice {
		return mismatch("array", v)
	}
	if v.IsValid() {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	}
	return d.each(']', func() error {
		if !v.IsValid() {
			return d.value(v)
		}
		n := v.Len()
		v.Grow(1)
		v.SetLen(n + 1)
		return d.value(v.Index(n))
	})
}

// each reads what stands between brackets, with commas between.
func (d *decoder) each(closing byte, element func() error) error {
	d.at++
	if d.peek() == closing {
		d.at++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		switch d.peek() {
		case ',':
			d.at++
			d.peek()
		case closing:
			d.at++
			return nil
		default:
			return d.syntax(fmt.Sprintf("%q or %q", ',', closing))
		}
	}
}
