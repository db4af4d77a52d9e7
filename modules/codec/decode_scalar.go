package codec

import (
	"encoding/base64"
	"reflect"
	"strconv"
	"unicode/utf8"
)

func (d *decoder) word(w string) error {
	for i := range len(w) {
		if d.at >= len(d.in) || d.in[d.at] != w[i] {
			return d.syntax(w)
		}
		d.at++
	}
	return nil
}

func (d *decoder) boolean(v reflect.Value, b bool) error {
	if err := d.word(strconv.FormatBool(b)); err != nil {
		return err
	}
	switch {
	case !v.IsValid():
	case v.Kind() == reflect.Bool:
		v.SetBool(b)
	case v.Kind() == reflect.Interface:
		v.Set(reflect.ValueOf(b))
	default:
		return mismatch("bool", v)
	}
	return nil
}

func (d *decoder) number(v reflect.Value) error {
	start := d.at
	if err := d.scanNumber(); err != nil || !v.IsValid() {
		return err
	}
	text := string(d.in[start:d.at])
	var err error
	switch {
	case v.CanInt():
		var n int64
		if n, err = strconv.ParseInt(text, 10, v.Type().Bits()); err == nil {
			v.SetInt(n)
		}
	case v.CanUint():
		var n uint64
		if n, err = strconv.ParseUint(text, 10, v.Type().Bits()); err == nil {
			v.SetUint(n)
		}
	case v.CanFloat():
		var f float64
		if f, err = strconv.ParseFloat(text, v.Type().Bits()); err == nil {
			v.SetFloat(f)
		}
	case v.Kind() == reflect.Interface:
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err == nil {
			v.Set(reflect.ValueOf(f))
		}
	default:
		return mismatch("number", v)
	}
	if err != nil {
		return mismatch("number "+text, v)
	}
	return nil
}

// scanNumber passes over -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
func (d *decoder) scanNumber() error {
	d.skip("-")
	if !d.skip("0") && d.digits() == 0 {
		return d.syntax("a digit")
	}
	if d.skip(".") && d.digits() == 0 {
		return d.syntax("a digit")
	}
	if d.skip("eE") {
		d.skip("+-")
		if d.digits() == 0 {
			return d.syntax("a digit")
		}
	}
	return nil
}

// skip passes over one byte if it is one of set.
func (d *decoder) skip(set string) bool {
	for i := range len(set) {
		if d.at < len(d.in) && d.in[d.at] == set[i] {
			d.at++
			return true
		}
	}
	return false
}

func (d *decoder) digits() (n int) {
	for ; d.at < len(d.in) && '0' <= d.in[d.at] && d.in[d.at] <= '9'; d.at++ {
		n++
	}
	return n
}

func (d *decoder) setText(v reflect.Value, s []byte) error {
	switch {
	case !v.IsValid():
	case v.Kind() == reflect.String:
		v.SetString(string(s))
	case v.Kind() == reflect.Interface:
		v.Set(reflect.ValueOf(string(s)))
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		b, err := base64.StdEncoding.AppendDecode([]byte{}, s)
		if err != nil {
			return mismatch("string that is not base64", v)
		}
		v.SetBytes(b)
	default:
		return mismatch("string", v)
	}
	return nil
}

// text reads a string. It is a part of the input if that has it as it is, which most are.
func (d *decoder) text() (out []byte, err error) {
	if d.peek() != '"' {
		return nil, d.syntax("a string")
	}
	d.at++
	n := plain(d.in[d.at:])
	out = d.in[d.at : d.at+n : d.at+n] // what is appended goes elsewhere
	d.at += n
	for d.at < len(d.in) {
		switch c := d.in[d.at]; {
		case c == '"':
			d.at++
			return out, nil
		case c == '\\':
			if out, err = d.escape(out); err != nil {
				return nil, err
			}
		case c < ' ':
			return nil, d.syntax("a character of a string")
		default:
			r, n := utf8.DecodeRune(d.in[d.at:]) // U+FFFD for what is not UTF-8
			out = utf8.AppendRune(out, r)
			d.at += n
		}
	}
	return nil, d.syntax(`"`)
}

var escapes = [...]string{`""`, `\\`, `//`, "b\b", "f\f", "n\n", "r\r", "t\t"}

func (d *decoder) escape(out []byte) ([]byte, error) {
	d.at++
	for _, e := range escapes {
		if d.skip(e[:1]) {
			return append(out, e[1]), nil
		}
	}
	if !d.skip("u") {
		return nil, d.syntax("an escape")
	}
	r, err := d.hex4()
	if err != nil {
		return nil, err
	}
	if r < 0xd800 || r > 0xdfff {
		return utf8.AppendRune(out, r), nil
	}
	return d.surrogate(out, r)
}

// surrogate adds the second half to high; a half on its own is U+FFFD, and what follows stands for itself.
func (d *decoder) surrogate(out []byte, high rune) ([]byte, error) {
	back := d.at
	if high < 0xdc00 && d.skip(`\`) && d.skip("u") {
		low, err := d.hex4()
		if err != nil {
			return nil, err
		}
		if 0xdc00 <= low && low <= 0xdfff {
			return utf8.AppendRune(out, (high-0xd800)<<10+(low-0xdc00)+0x10000), nil
		}
	}
	d.at = back
	return utf8.AppendRune(out, utf8.RuneError), nil
}

func (d *decoder) hex4() (rune, error) {
	end := d.at + 4
	if end > len(d.in) {
		d.at = len(d.in)
		return 0, d.syntax("four hexadecimal digits")
	}
	n, err := strconv.ParseUint(string(d.in[d.at:end]), 16, 16)
	if err != nil {
		return 0, d.syntax("four hexadecimal digits")
	}
	d.at = end
	return rune(n), nil
}
