package modules

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// patternParser is a recursive descent over what is left of the expression. Programs are relative until they are joined.
type patternParser struct {
	rest  string
	fold  bool
	depth int
}

func (p *patternParser) alternation() ([]inst, error) {
	if p.depth++; p.depth > 200 {
		return nil, fmt.Errorf("too deeply nested")
	}
	defer func() { p.depth-- }()
	left, err := p.sequence()
	for err == nil && strings.HasPrefix(p.rest, "|") {
		p.rest = p.rest[1:]
		var right []inst
		if right, err = p.sequence(); err == nil {
			left = either(left, right)
		}
	}
	return left, err
}

func (p *patternParser) sequence() ([]inst, error) {
	var out []inst
	for p.rest != "" && p.rest[0] != '|' && p.rest[0] != ')' {
		one, err := p.atom()
		if err == nil {
			one, err = p.repeated(one)
		}
		if err != nil {
			return nil, err
		}
		if out = join(out, one); len(out) > maxProg {
			return nil, fmt.Errorf("too long")
		}
	}
	return out, nil
}

func (p *patternParser) atom() ([]inst, error) {
	if _, _, n := counts(p.rest); n > 0 {
		return nil, fmt.Errorf("nothing to repeat before %s", p.rest[:n])
	}
	r, n := utf8.DecodeRuneInString(p.rest)
	p.rest = p.rest[n:]
	switch r {
	case '(':
		return p.group()
	case '[':
		class, err := p.bracket()
		return one(class), err
	case '.':
		return one(func(r rune) bool { return r != '\n' }), nil
	case '^':
		return []inst{{op: opBegin}}, nil
	case '$':
		return []inst{{op: opEnd}}, nil
	case '*', '+', '?':
		return nil, fmt.Errorf("nothing to repeat before %c", r)
	case '\\':
		return p.escape()
	}
	return one(p.is(r)), nil
}

func (p *patternParser) group() ([]inst, error) {
	if s, ok := strings.CutPrefix(p.rest, "?:"); ok {
		p.rest = s
	} else if strings.HasPrefix(p.rest, "?") {
		return nil, fmt.Errorf("(?%s is not supported here", string([]rune(p.rest + "  ")[1]))
	}
	in, err := p.alternation()
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(p.rest, ")") {
		return nil, fmt.Errorf("missing )")
	}
	p.rest = p.rest[1:]
	return in, nil
}

func (p *patternParser) escape() ([]inst, error) {
	switch {
	case strings.HasPrefix(p.rest, "b"):
		p.rest = p.rest[1:]
		return []inst{{op: opWord}}, nil
	case strings.HasPrefix(p.rest, "B"):
		p.rest = p.rest[1:]
		return []inst{{op: opNoWord}}, nil
	}
	class, _, err := p.escaped()
	return one(class), err
}

// escaped reads what follows a backslash: a class, or one rune, which is returned as well (-1: a class).
func (p *patternParser) escaped() (func(rune) bool, rune, error) {
	if p.rest == "" {
		return nil, -1, fmt.Errorf("trailing backslash")
	}
	r, n := utf8.DecodeRuneInString(p.rest)
	p.rest = p.rest[n:]
	if class := perlClass[unicode.ToLower(r)]; class != nil {
		if unicode.IsUpper(r) {
			return not(class), -1, nil
		}
		return class, -1, nil
	}
	if i := strings.IndexRune("tnrfv", r); i >= 0 {
		r = rune("\t\n\r\f\v"[i])
		return p.is(r), r, nil
	}
	if r < utf8.RuneSelf && (unicode.IsPunct(r) || unicode.IsSymbol(r)) {
		return p.is(r), r, nil
	}
	return nil, -1, fmt.Errorf("\\%c is not supported", r)
}

var perlClass = map[rune]func(rune) bool{
	'd': isDigit,
	's': isSpace,
	'w': isWord,
}

var posixClass = map[string]func(rune) bool{
	"alpha": isAlpha, "digit": isDigit, "upper": isUpper, "lower": isLower, "word": isWord,
	"alnum": func(r rune) bool { return isAlpha(r) || isDigit(r) },
	"space": func(r rune) bool { return isSpace(r) || r == '\v' },
	"blank": func(r rune) bool { return r == ' ' || r == '\t' },
	"punct": func(r rune) bool { return r > ' ' && r < 127 && !isAlpha(r) && !isDigit(r) },
	"xdigit": func(r rune) bool {
		return isDigit(r) || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F'
	},
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }
func isUpper(r rune) bool { return 'A' <= r && r <= 'Z' }
func isLower(r rune) bool { return 'a' <= r && r <= 'z' }
func isAlpha(r rune) bool { return isUpper(r) || isLower(r) }
func isWord(r rune) bool  { return isAlpha(r) || isDigit(r) || r == '_' }
func isSpace(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' && r != '\v' }

func (p *patternParser) is(want rune) func(rune) bool {
	return p.anyCase(func(r rune) bool { return r == want })
}

// anyCase makes class accept the other cases of what it accepts, after (?i).
func (p *patternParser) anyCase(class func(rune) bool) func(rune) bool {
	if !p.fold {
		return class
	}
	return func(r rune) bool {
		in := class(r)
		for f := unicode.SimpleFold(r); f != r && !in; f = unicode.SimpleFold(f) {
			in = class(f)
		}
		return in
	}
}

func not(class func(rune) bool) func(rune) bool { return func(r rune) bool { return !class(r) } }

// bracket reads a class after its [.
func (p *patternParser) bracket() (func(rune) bool, error) {
	negated := false
	if s, ok := strings.CutPrefix(p.rest, "^"); ok {
		p.rest, negated = s, true
	}
	var any []func(rune) bool
	for first := true; ; first = false {
		if p.rest == "" {
			return nil, fmt.Errorf("missing ]")
		}
		if p.rest[0] == ']' && !first {
			p.rest = p.rest[1:]
			break
		}
		class, err := p.element()
		if err != nil {
			return nil, err
		}
		any = append(any, class)
	}
	in := func(r rune) bool {
		for _, class := range any {
			if class(r) {
				return true
			}
		}
		return false
	}
	if negated {
		return not(in), nil
	}
	return in, nil
}

// element reads one rune, range or named class of a bracket expression.
func (p *patternParser) element() (func(rune) bool, error) {
	if s, ok := strings.CutPrefix(p.rest, "[:"); ok {
		name, rest, ok := strings.Cut(s, ":]")
		class := posixClass[strings.TrimPrefix(name, "^")]
		if !ok || class == nil {
			return nil, fmt.Errorf("[:%s:] is not a class", name)
		}
		p.rest = rest
		if strings.HasPrefix(name, "^") {
			return not(class), nil
		}
		return class, nil
	}
	class, lo, err := p.bound()
	if err != nil || lo == -1 || len(p.rest) < 2 || p.rest[0] != '-' || p.rest[1] == ']' {
		return class, err
	}
	p.rest = p.rest[1:]
	_, hi, err := p.bound()
	if err != nil {
		return nil, err
	}
	if hi < lo {
		return nil, fmt.Errorf("range %c-%c is empty", lo, max(hi, 0))
	}
	return p.anyCase(func(r rune) bool { return lo <= r && r <= hi }), nil
}

func (p *patternParser) bound() (func(rune) bool, rune, error) {
	r, n := utf8.DecodeRuneInString(p.rest)
	p.rest = p.rest[n:]
	if r == '\\' {
		return p.escaped()
	}
	return p.is(r), r, nil
}

// repeated applies the repetition that follows, if any. Lazy and greedy find the same lines.
func (p *patternParser) repeated(in []inst) ([]inst, error) {
	if p.rest == "" {
		return in, nil
	}
	switch p.rest[0] {
	case '*':
		in = star(in)
	case '+':
		in = join(in, star(in))
	case '?':
		in = either(in, nil)
	case '{':
		lo, hi, n := counts(p.rest)
		if n == 0 {
			return in, nil // a brace that stands for itself
		}
		if lo > 1000 || hi > 1000 || hi >= 0 && hi < lo || max(lo, hi, 1)*len(in) > maxProg {
			return nil, fmt.Errorf("repetition %s is out of range", p.rest[:n])
		}
		p.rest, in = p.rest[n-1:], times(in, lo, hi)
	default:
		return in, nil
	}
	p.rest = strings.TrimPrefix(p.rest[1:], "?")
	if p.rest != "" && strings.IndexByte("*+?", p.rest[0]) >= 0 {
		return nil, fmt.Errorf("nothing to repeat before %c", p.rest[0])
	}
	if _, _, n := counts(p.rest); n > 0 {
		return nil, fmt.Errorf("nothing to repeat before %s", p.rest[:n])
	}
	return in, nil
}

// counts reads {n}, {n,} or {n,m} at the start of s; hi is -1 when open. n is its length, 0 when it is none of these.
func counts(s string) (lo, hi, n int) {
	body, _, ok := strings.Cut(strings.TrimPrefix(s, "{"), "}")
	if !ok || !strings.HasPrefix(s, "{") {
		return 0, 0, 0
	}
	from, to, open := strings.Cut(body, ",")
	lo, err := strconv.Atoi(from)
	if err != nil || !isDigit(rune(from[0])) {
		return 0, 0, 0
	}
	hi = lo
	if open {
		hi = -1
		if to != "" {
			if hi, err = strconv.Atoi(to); err != nil || !isDigit(rune(to[0])) {
				return 0, 0, 0
			}
		}
	}
	return lo, hi, len(body) + 2
}

func times(in []inst, lo, hi int) []inst {
	var out []inst
	for range lo {
		out = join(out, in)
	}
	if hi < 0 {
		return join(out, star(in))
	}
	for range hi - lo {
		out = join(out, either(in, nil))
	}
	return out
}

func one(class func(rune) bool) []inst { return []inst{{op: opRune, class: class}} }

// join appends b to a, with b's targets moved.
func join(a, b []inst) []inst {
	out := append([]inst(nil), a...)
	for _, in := range b {
		if in.op == opSplit {
			in.x, in.y = in.x+len(a), in.y+len(a)
		}
		out = append(out, in)
	}
	return out
}

func star(in []inst) []inst {
	out := join([]inst{{op: opSplit, x: 1, y: len(in) + 2}}, in)
	return append(out, inst{op: opSplit, x: 0, y: len(in) + 2})
}

func either(a, b []inst) []inst {
	out := join([]inst{{op: opSplit, x: 1, y: len(a) + 2}}, a)
	end := len(a) + 2 + len(b)
	out = append(out, inst{op: opSplit, x: end, y: end})
	return join(out, b)
}
