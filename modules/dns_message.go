package modules

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// dnsTypes are the types of records that can be asked for (RFC 1035, 3596, 2782).
var dnsTypes = map[string]uint16{"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33}

// dnsFaults are the codes that say why there is no answer (RFC 1035, section 4.1.1).
var dnsFaults = [...]string{1: "the server does not understand the question", 2: "the server failed", 3: "there is no such name",
	4: "the server cannot answer such questions", 5: "the server refuses to answer"}

var errDNS = errors.New("what comes back is no answer by DNS")

// dnsQuery asks one question, recursion desired.
func dnsQuery(id uint16, name string, typ uint16) ([]byte, error) {
	b := binary.BigEndian.AppendUint16(nil, id)
	b = append(b, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	name = strings.TrimSuffix(name, ".")
	for label := range strings.SplitSeq(name, ".") {
		if label == "" && name != "" || len(label) > 63 || len(name) > 253 {
			return nil, fmt.Errorf("%q is not a domain name", name)
		}
		if label != "" {
			b = append(append(b, byte(len(label))), label...)
		}
	}
	return binary.BigEndian.AppendUint16(append(b, 0, byte(typ>>8), byte(typ)), 1), nil
}

// dnsReverse is the name under which an address has its PTR record; a name stays what it is.
func dnsReverse(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return text
	}
	b, out := a.AsSlice(), ""
	for i := len(b) - 1; i >= 0; i-- {
		if a.Is4() {
			out += strconv.Itoa(int(b[i])) + "."
		} else {
			out += fmt.Sprintf("%x.%x.", b[i]&15, b[i]>>4)
		}
	}
	return out + map[bool]string{true: "in-addr.arpa", false: "ip6.arpa"}[a.Is4()]
}

// dnsReader reads a message from the front. What goes wrong stays in err.
type dnsReader struct {
	msg []byte
	at  int
	err error
}

func (r *dnsReader) take(n int) []byte {
	if r.err != nil || r.at+n > len(r.msg) {
		r.err = errDNS
		return make([]byte, n)
	}
	r.at += n
	return r.msg[r.at-n : r.at]
}

func (r *dnsReader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }

// name follows pointers, each of which has to lead further to the front.
func (r *dnsReader) name() string {
	var out strings.Builder
	q := r
	for limit := len(r.msg); ; {
		n := int(q.take(1)[0])
		switch {
		case q.err != nil || n == 0:
			r.err = q.err
			if out.Len() == 0 {
				return "."
			}
			return out.String()
		case n >= 0xc0:
			to := n&0x3f<<8 | int(q.take(1)[0])
			if to >= min(limit, q.at-2) {
				r.err = errDNS
				return ""
			}
			limit = to
			q = &dnsReader{msg: r.msg, at: to, err: q.err}
		default:
			out.Write(q.take(n))
			out.WriteByte('.')
		}
	}
}

// dnsAnswer returns the records of the type that was asked for, as zone files have them, and the code of the answer.
func dnsAnswer(query, msg []byte) (values []string, code int, truncated bool, err error) {
	r := &dnsReader{msg: msg}
	head := r.take(len(query))
	flags := binary.BigEndian.Uint16(head[2:])
	if r.err != nil || string(head[:2]) != string(query[:2]) || flags>>15 != 1 || !strings.EqualFold(string(head[12:]), string(query[12:])) {
		return nil, 0, false, errDNS
	}
	typ := binary.BigEndian.Uint16(query[len(query)-4:])
	for range binary.BigEndian.Uint16(head[6:]) {
		r.name()
		is := r.u16()
		r.take(6) // class and time to live
		n := int(r.u16())
		end := r.at + n
		if text := r.record(is, n); is == typ && r.err == nil {
			values = append(values, text)
		}
		r.at = end
	}
	return values, int(flags & 15), flags>>9&1 == 1, r.err
}

// record returns the n bytes of data of a record.
func (r *dnsReader) record(typ uint16, n int) string {
	number := func() string { return strconv.Itoa(int(r.u16())) + " " }
	switch typ {
	case 1, 28:
		a, _ := netip.AddrFromSlice(r.take(n))
		return a.String()
	case 2, 5, 12:
		return r.name()
	case 6:
		return r.name() + " " + r.name()
	case 15:
		return number() + r.name()
	case 33:
		return number() + number() + number() + r.name()
	case 16:
		var out []byte
		for b := r.take(n); len(b) > 0 && int(b[0]) < len(b); b = b[1+b[0]:] {
			out = append(out, b[1:1+b[0]]...)
		}
		return string(out)
	}
	r.take(n)
	return ""
}
