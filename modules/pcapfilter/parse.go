package pcapfilter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Filter is a condition on frames.
type Filter struct{ root *node }

// qualifiers are what may stand before a value: tcp src port 80.
type qualifiers struct{ proto, dir, typ string }

// parser reads words. What stands behind vlan is about the frame in it: link is how far its type is from where it was.
type parser struct {
	words []string
	link  uint32
	last  qualifiers // of the last value: port 80 or 443
}

// Parse reads a filter; "" is one that all frames pass.
func Parse(text string) (*Filter, error) {
	for _, s := range []string{"(", ")", "!", "&&", "||"} {
		text = strings.ReplaceAll(text, s, " "+s+" ")
	}
	p := &parser{words: strings.Fields(text)}
	if len(p.words) == 0 {
		return &Filter{}, nil
	}
	n, err := p.expression()
	if err == nil && len(p.words) > 0 {
		err = fmt.Errorf("%q is not expected", p.words[0])
	}
	return &Filter{root: n}, err
}

// take removes the next word if it is one of those, and returns it.
func (p *parser) take(words ...string) string {
	if len(p.words) > 0 && slices.Contains(words, p.words[0]) {
		return p.next()
	}
	return ""
}

// next removes the next word and returns it; "" at the end.
func (p *parser) next() string {
	if len(p.words) == 0 {
		return ""
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

// expression is terms with and and or between them, neither of which binds more strongly than the other.
func (p *parser) expression() (*node, error) {
	n, err := p.term()
	for err == nil && len(p.words) > 0 {
		op := byte('&')
		switch p.take("and", "&&", "or", "||") {
		case "or", "||":
			op = '|'
		case "":
			return n, nil
		}
		var r *node
		if r, err = p.term(); err == nil {
			n = &node{op: op, l: n, r: r}
		}
	}
	return n, err
}

func (p *parser) term() (*node, error) {
	if p.take("not", "!") != "" {
		n, err := p.term()
		return &node{op: '!', l: n}, err
	}
	if p.take("(") != "" {
		n, err := p.expression()
		if err == nil && p.take(")") == "" {
			err = fmt.Errorf("a closing parenthesis is missing")
		}
		return n, err
	}
	return p.primitive()
}

func (p *parser) primitive() (*node, error) {
	switch p.take("vlan", "less", "greater") {
	case "vlan":
		return p.vlan()
	case "less":
		n, err := p.length(jumpGreater)
		return &node{op: '!', l: n}, err
	case "greater":
		return p.length(jumpAtLeast)
	}
	q := qualifiers{proto: p.take(protocols...)}
	if kind := p.take("broadcast", "multicast"); kind != "" {
		return p.many(q.proto, kind)
	}
	if q.dir = p.take("src", "dst"); q.dir != "" && len(p.words) > 1 {
		if op := p.words[0]; (op == "or" || op == "and") && (p.words[1] == "src" || p.words[1] == "dst") {
			q.dir = op
			p.words = p.words[2:]
		}
	}
	q.typ = p.take("host", "net", "port", "portrange", "proto")
	if q.proto != "" && q.dir == "" && q.typ == "" {
		return p.protocol(q.proto)
	}
	value := strings.TrimPrefix(p.next(), `\`)
	switch {
	case value == "" || value == "and" || value == "or" || value == ")":
		return nil, fmt.Errorf("a value is missing%s", before(value))
	case q.typ == "" && strings.Trim(value, "0123456789abcdefABCDEF.:/-") != "":
		return nil, fmt.Errorf("%q is not known", value)
	case q == qualifiers{}:
		q = p.last
	}
	if q.typ == "" {
		q.typ = "host"
	}
	p.last = q
	n, err := p.value(q, value)
	if err != nil {
		err = fmt.Errorf("%s %s: %w", strings.Join(strings.Fields(q.proto+" "+q.dir+" "+q.typ), " "), value, err)
	}
	return n, err
}

func before(word string) string {
	if word == "" {
		return " at the end"
	}
	return fmt.Sprintf(" before %q", word)
}

func (p *parser) value(q qualifiers, value string) (*node, error) {
	switch q.typ {
	case "port", "portrange":
		return p.port(q, value)
	case "proto":
		return p.byNumber(q.proto, value)
	}
	if q.proto == "ether" && q.typ == "host" {
		return p.mac(q.dir, value)
	}
	return p.address(q, value)
}

func (p *parser) number(text string, high uint64) (uint32, error) {
	v, err := strconv.ParseUint(text, 0, 32)
	if err != nil || v > high {
		return 0, fmt.Errorf("%q is not a number up to %d", text, high)
	}
	return uint32(v), nil
}

func (p *parser) length(jump uint16) (*node, error) {
	v, err := p.number(p.next(), 1<<18)
	return &node{size: loadLen, jump: jump, value: v}, err
}

func (p *parser) vlan() (*node, error) {
	tag := p.etherType(0x8100)
	for _, t := range []uint32{0x88a8, 0x9100} {
		tag = &node{op: '|', l: tag, r: p.etherType(t)}
	}
	p.link += 4
	if len(p.words) == 0 || strings.Trim(p.words[0], "0123456789") != "" {
		return tag, nil
	}
	id, err := p.number(p.next(), 4095)
	return all(tag, &node{off: 10 + p.link, size: loadHalf, mask: 0xfff, jump: jumpEqual, value: id}), err
}
