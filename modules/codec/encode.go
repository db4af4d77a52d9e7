package codec

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"unicode/utf8"
)

// Marshal returns the JSON of v: the bytes that encoding/json would return without escaping HTML.
func Marshal(v any) ([]byte, error) { return Append(make([]byte, 0, 256), v) }

// Append is Marshal behind what is in out.
func Append(out []byte, v any) ([]byte, error) {
	e := encoder{out: out}
	err := e.value(reflect.ValueOf(v), 0)
	return e.out, err
}

type encoder struct{ out []byte }

func (e *encoder) value(v reflect.Value, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("encode %s: deeper than %d", v.Type(), maxDepth)
	}
	switch v.Kind() {
	case reflect.Invalid:
		e.null()
	case reflect.Bool:
		e.out = strconv.AppendBool(e.out, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.out = strconv.AppendInt(e.out, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.out = strconv.AppendUint(e.out, v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		return e.float(v.Float(), v.Type().Bits())
	case reflect.String:
		e.text(v.String())
	case reflect.Struct:
		return e.object(v, depth)
	case reflect.Map:
		return e.members(v, depth)
	case reflect.Slice:
		return e.list(v, depth)
	case reflect.Pointer, reflect.Interface:
		return e.value(v.Elem(), depth+1) // of nil: Invalid
	default:
		return fmt.Errorf("encode %s: not a JSON value", v.Type())
	}
	return nil
}

func (e *encoder) null() { e.out = append(e.out, "null"...) }

// float uses the notation of ECMAScript, which encoding/json does.
func (e *encoder) float(f float64, bits int) error {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return fmt.Errorf("encode %g: JSON has no such number", f)
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	e.out = strconv.AppendFloat(e.out, f, format, -1, bits)
	if n := len(e.out); format == 'e' && e.out[n-4] == 'e' && e.out[n-3] == '-' && e.out[n-2] == '0' {
		e.out = append(e.out[:n-2], e.out[n-1]) // e-09 is e-9
	}
	return nil
}

func (e *encoder) object(v reflect.Value, depth int) error {
	separator := byte('{')
	for _, f := range fieldsOf(v.Type()) {
		fv := v.FieldByIndex(f.index)
		if f.omitEmpty && empty(fv) {
			continue
		}
		e.out = append(e.out, separator)
		e.text(f.name)
		e.out = append(e.out, ':')
		if err := e.value(fv, depth+1); err != nil {
			return err
		}
		separator = ','
	}
	e.end(separator, "{}")
	return nil
}

// end closes what was opened with its first member; separator still is the opening one if there was none.
func (e *encoder) end(separator byte, brackets string) {
	if separator == brackets[0] {
		e.out = append(e.out, separator)
	}
	e.out = append(e.out, brackets[1])
}

// empty is what omitempty leaves out.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func (e *encoder) members(v reflect.Value, depth int) error {
	if v.Type().Key().Kind() != reflect.String {
		return fmt.Errorf("encode %s: keys must be strings", v.Type())
	}
	if v.IsNil() {
		e.null()
		return nil
	}
	keys := v.MapKeys()
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	separator := byte('{')
	for _, k := range keys {
		e.out = append(e.out, separator)
		e.text(k.String())
		e.out = append(e.out, ':')
		if err := e.value(v.MapIndex(k), depth+1); err != nil {
			return err
		}
		separator = ','
	}
	e.end(separator, "{}")
	return nil
}

func (e *encoder) list(v reflect.Value, depth int) error {
	switch {
	case v.IsNil():
		e.null()
		return nil
	case v.Type() == rawType:
		return e.raw(v.Bytes())
	case v.Type().Elem().Kind() == reflect.Uint8:
		e.out = append(e.out, '"')
		e.out = base64.StdEncoding.AppendEncode(e.out, v.Bytes())
		e.out = append(e.out, '"')
		return nil
	}
	separator := byte('[')
	for i := range v.Len() {
		e.out = append(e.out, separator)
		if err := e.value(v.Index(i), depth+1); err != nil {
			return err
		}
		separator = ','
	}
	e.end(separator, "[]")
	return nil
}

func (e *encoder) raw(b json.RawMessage) error {
	d := decoder{in: b}
	if err := d.document(reflect.Value{}); err != nil {
		return fmt.Errorf("encode raw value: %w", err)
	}
	e.out = append(e.out, b...)
	return nil
}

const hexDigits = "0123456789abcdef"

// text writes s as a string. What is not UTF-8 becomes U+FFFD; U+2028 and U+2029 are escaped for JavaScript's sake.
func (e *encoder) text(s string) {
	e.out = append(e.out, '"')
	for i := 0; i < len(s); {
		if n := plain(s[i:]); n > 0 {
			e.out = append(e.out, s[i:i+n]...)
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			e.out = append(e.out, '\\', byte(r))
		case r == utf8.RuneError && n == 1:
			e.out = append(e.out, `\ufffd`...)
		case r == 0x2028 || r == 0x2029:
			e.out = append(e.out, `\u202`...)
			e.out = append(e.out, hexDigits[r&15])
		case r < ' ':
			e.control(byte(r))
		default:
			e.out = append(e.out, s[i:i+n]...)
		}
		i += n
	}
	e.out = append(e.out, '"')
}

// plain counts the bytes that s begins with and that stand for themselves.
func plain[T string | []byte](s T) int {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return i
		}
	}
	return len(s)
}

func (e *encoder) control(c byte) {
	for _, s := range escapes {
		if s[1] == c {
			e.out = append(e.out, '\\', s[0])
			return
		}
	}
	e.out = append(e.out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
