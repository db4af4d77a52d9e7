package source

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
)

// literal is the value of a text of an INI inventory: what ast.literal_eval makes of it, and where that refuses, the text.
func literal(s string) cty.Value {
	if plainWord(s) {
		return cty.StringVal(s)
	}
	p := pyParser{s: strings.TrimLeft(s, " \t")}
	v, ok := p.tuple()
	p.blank()
	if !ok || p.i < len(p.s) {
		return text(s)
	}
	return v
}

// plainWord says at a glance that a text is no literal: it starts with a letter, and is not one of the three names nor prefixed string.
func plainWord(s string) bool {
	if s == "" || s == "True" || s == "False" || s == "None" {
		return s == ""
	}
	c := s[0] | 0x20
	return (c >= 'a' && c <= 'z' || s[0] == '/' || s[0] == '~') && !strings.ContainsAny(s, "'\"#{")
}

// pyParser reads Python's literals (ast.literal_eval). ok is false where Python raises.
type pyParser struct {
	s     string
	i     int
	depth int
}

// blank passes over white space and a comment.
func (p *pyParser) blank() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\f':
			p.i++
		case '\n', '\r':
			if p.depth == 0 && strings.TrimSpace(p.s[p.i:]) != "" {
				return
			}
			p.i++
		case '#':
			if n := strings.IndexByte(p.s[p.i:], '\n'); n >= 0 {
				p.i += n
			} else {
				p.i = len(p.s)
			}
		default:
			return
		}
	}
}

func (p *pyParser) peek() byte {
	p.blank()
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// tuple reads a value, or several with commas between.
func (p *pyParser) tuple() (cty.Value, bool) {
	v, ok := p.value()
	if !ok || p.peek() != ',' {
		return v, ok
	}
	list := []cty.Value{v}
	for p.peek() == ',' {
		p.i++
		if c := p.peek(); c == 0 || c == ')' {
			break
		}
		if v, ok = p.value(); !ok {
			return v, false
		}
		list = append(list, v)
	}
	return cty.TupleVal(list), true
}

func (p *pyParser) value() (cty.Value, bool) {
	if p.depth > 100 {
		return cty.NilVal, false
	}
	switch c := p.peek(); {
	case c == '(':
		return p.parens()
	case c == '[':
		list, ok := p.items(']')
		return cty.TupleVal(list), ok
	case c == '{':
		return p.braces()
	case c == '-' || c == '+':
		return p.signed()
	case c == '.' || c >= '0' && c <= '9':
		return p.number()
	case c == '\'' || c == '"':
		return p.texts()
	}
	return p.name()
}

func (p *pyParser) parens() (cty.Value, bool) {
	p.i++
	p.depth++
	defer func() { p.depth-- }()
	if p.peek() == ')' {
		p.i++
		return cty.EmptyTupleVal, true
	}
	v, ok := p.tuple()
	if !ok || p.peek() != ')' {
		return v, false
	}
	p.i++
	return v, true
}

// items reads what stands between brackets.
func (p *pyParser) items(end byte) ([]cty.Value, bool) {
	p.i++
	p.depth++
	defer func() { p.depth-- }()
	var out []cty.Value
	for p.peek() != end {
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		out = append(out, v)
		switch p.peek() {
		case ',':
			p.i++
		case end:
		default:
			return nil, false
		}
	}
	p.i++
	return out, true
}

// braces reads a dict, or a set, which becomes a list.
func (p *pyParser) braces() (cty.Value, bool) {
	start := p.i
	p.i++
	p.depth++
	defer func() { p.depth-- }()
	out := map[string]cty.Value{}
	for p.peek() != '}' {
		k, ok := p.value()
		if !ok {
			return k, false
		}
		if p.peek() != ':' {
			if len(out) > 0 {
				return k, false
			}
			p.i = start
			list, ok := p.items('}')
			return cty.TupleVal(list), ok
		}
		p.i++
		v, ok := p.value()
		if !ok {
			return v, false
		}
		out[keyText(k)] = v
		switch p.peek() {
		case ',':
			p.i++
		case '}':
		default:
			return v, false
		}
	}
	p.i++
	return cty.ObjectVal(out), true
}

// keyText is a key as JSON has it, which knows only texts.
func keyText(k cty.Value) string {
	k, _ = k.UnmarkDeep()
	switch {
	case k.IsNull():
		return "null"
	case k.Type() == cty.String:
		return k.AsString()
	case k.Type() == cty.Bool:
		return strconv.FormatBool(k.True())
	case k.Type() == cty.Number:
		return k.AsBigFloat().Text('f', -1)
	}
	return k.GoString()
}

func (p *pyParser) signed() (cty.Value, bool) {
	minus := false
	for c := p.peek(); c == '-' || c == '+'; c = p.peek() {
		minus = minus != (c == '-')
		p.i++
	}
	if c := p.peek(); c != '.' && (c < '0' || c > '9') {
		return cty.NilVal, false
	}
	v, ok := p.number()
	if ok && minus {
		v = v.Negate()
	}
	return v, ok
}

func (p *pyParser) number() (cty.Value, bool) {
	start := p.i
	for p.i < len(p.s) && (isWord(p.s[p.i]) || p.s[p.i] == '.' || (p.s[p.i] == '-' || p.s[p.i] == '+') && exponent(p.s[start:p.i])) {
		p.i++
	}
	word := p.s[start:p.i]
	if n, ok := pyInt(word); ok {
		return cty.NumberVal(new(big.Float).SetInt(n)), true
	}
	if strings.ContainsAny(word, "xXpPnN") || !underscores(word) { // hexadecimal floats, nan and inf are Go's, not Python's
		return cty.NilVal, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(word, "_", ""), 64)
	if err != nil || !strings.ContainsAny(word, ".eE") {
		return cty.NilVal, false
	}
	return cty.NumberFloatVal(f), true
}

// exponent says whether a sign may follow.
func exponent(s string) bool {
	return s != "" && s[len(s)-1]|0x20 == 'e' && !strings.HasPrefix(s, "0x") && !strings.HasPrefix(s, "0X")
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// underscores says that each stands between two digits.
func underscores(s string) bool {
	return !strings.HasPrefix(s, "_") && !strings.HasSuffix(s, "_") && !strings.Contains(s, "__") && !strings.Contains(s, "_.") && !strings.Contains(s, "._")
}

// pyInt reads an integer: zeros may lead only where nothing else follows.
func pyInt(s string) (*big.Int, bool) {
	if !underscores(s) {
		return nil, false
	}
	digits := strings.ReplaceAll(s, "_", "")
	if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return new(big.Int), strings.Trim(digits, "0") == ""
	}
	n, ok := new(big.Int).SetString(digits, 0)
	return n, ok
}

func (p *pyParser) name() (cty.Value, bool) {
	start := p.i
	for p.i < len(p.s) && (isWord(p.s[p.i]) || p.s[p.i] >= utf8.RuneSelf) {
		p.i++
	}
	switch word := p.s[start:p.i]; word {
	case "True":
		return cty.True, true
	case "False":
		return cty.False, true
	case "None":
		return cty.NullVal(cty.DynamicPseudoType), true
	case "r", "R", "u", "U":
		if c := p.at(); c == '\'' || c == '"' {
			p.i = start
			return p.texts()
		}
	}
	return cty.NilVal, false
}

func (p *pyParser) at() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// texts reads a string, or several that stand side by side.
func (p *pyParser) texts() (cty.Value, bool) {
	var b strings.Builder
	for n := 0; ; n++ {
		c := p.peek()
		raw := c == 'r' || c == 'R'
		if (raw || c == 'u' || c == 'U') && p.i+1 < len(p.s) && (p.s[p.i+1] == '\'' || p.s[p.i+1] == '"') {
			p.i++
			c = p.s[p.i]
		}
		if c != '\'' && c != '"' {
			return text(b.String()), n > 0
		}
		if !p.text(&b, raw) {
			return cty.NilVal, false
		}
	}
}

func (p *pyParser) text(b *strings.Builder, raw bool) bool {
	quote := p.s[p.i : p.i+1]
	if three := strings.Repeat(quote, 3); strings.HasPrefix(p.s[p.i:], three) {
		quote = three
	}
	p.i += len(quote)
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case strings.HasPrefix(p.s[p.i:], quote):
			p.i += len(quote)
			return true
		case c == '\\' && raw:
			if p.i+1 == len(p.s) {
				return false
			}
			b.WriteString(p.s[p.i : p.i+2])
			p.i += 2
		case c == '\\':
			if !p.escape(b) {
				return false
			}
		case c == '\n' && len(quote) == 1:
			return false
		default:
			b.WriteByte(c)
			p.i++
		}
	}
	return false
}

var pyEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// escape reads what follows a backslash. What Python does not know it leaves as it is.
func (p *pyParser) escape(b *strings.Builder) bool {
	if p.i++; p.i == len(p.s) {
		return false
	}
	c := p.s[p.i]
	if s, ok := pyEscapes[c]; ok {
		b.WriteString(s)
		p.i++
		return true
	}
	base, size := 16, map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	start := p.i + 1
	if c >= '0' && c <= '7' {
		base, start = 8, p.i
		for size = 1; size < 3 && start+size < len(p.s) && p.s[start+size] >= '0' && p.s[start+size] <= '7'; {
			size++
		}
	}
	if size == 0 {
		b.WriteByte('\\')
		return true // the character itself comes next
	}
	if start+size > len(p.s) {
		return false
	}
	n, err := strconv.ParseUint(p.s[start:start+size], base, 32)
	if err != nil || n > utf8.MaxRune {
		return false
	}
	b.WriteRune(rune(n))
	p.i = start + size
	return true
}
