package pcapfilter

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"labctl/modules/host"
)

// protocols may stand alone or before a direction and a type.
var protocols = []string{"ether", "ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp"}

// etherTypes and ipProtocols number them (IEEE 802 Numbers, Protocol Numbers of IANA).
var (
	etherTypes  = map[string]uint32{"ip": 0x800, "arp": 0x806, "rarp": 0x8035, "ip6": 0x86dd}
	ipProtocols = map[string]uint32{"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "icmp6": 58, "sctp": 132}
)

func all(ns ...*node) *node  { return fold('&', ns) }
func some(ns ...*node) *node { return fold('|', ns) }

func fold(op byte, ns []*node) *node {
	n := ns[0]
	for _, r := range ns[1:] {
		n = &node{op: op, l: n, r: r}
	}
	return n
}

// either is both, one of both, or one, as the direction says.
func either(dir string, src, dst *node) *node {
	switch dir {
	case "src":
		return src
	case "dst":
		return dst
	case "and":
		return all(src, dst)
	}
	return some(src, dst)
}

// at compares what is behind the Ethernet header and its tags.
func (p *parser) at(off uint32, size uint16, value uint32) *node {
	return &node{off: 14 + p.link + off, size: size, jump: jumpEqual, value: value}
}

func (p *parser) etherType(v uint32) *node {
	return &node{off: 12 + p.link, size: loadHalf, jump: jumpEqual, value: v}
}

// protocol is one that stands alone.
func (p *parser) protocol(name string) (*node, error) {
	if t, ok := etherTypes[name]; ok {
		return p.etherType(t), nil
	}
	switch name {
	case "ether":
		return nil, fmt.Errorf("ether needs host, src, dst, proto, broadcast or multicast behind it")
	case "icmp", "igmp":
		return p.byNumber("ip", name)
	case "icmp6":
		return p.byNumber("ip6", name)
	}
	return p.byNumber("", name)
}

// byNumber is a protocol as the header of proto names it: proto tcp, ip proto 47, ether proto 0x88cc.
func (p *parser) byNumber(proto, value string) (*node, error) {
	names, high := ipProtocols, uint64(255)
	if proto == "ether" {
		names, high = etherTypes, 0xffff
	}
	v, ok := names[value]
	if !ok {
		var err error
		if v, err = p.number(value, high); err != nil {
			return nil, err
		}
	}
	v4 := all(p.etherType(0x800), p.at(9, loadByte, v))
	// behind a fragment header, too
	v6 := all(p.etherType(0x86dd), some(p.at(6, loadByte, v), all(p.at(6, loadByte, 44), p.at(40, loadByte, v))))
	switch proto {
	case "ether":
		return p.etherType(v), nil
	case "ip":
		return v4, nil
	case "ip6":
		return v6, nil
	case "":
		return some(v4, v6), nil
	}
	return nil, fmt.Errorf("%s has no proto", proto)
}

// many is broadcast or multicast.
func (p *parser) many(proto, kind string) (*node, error) {
	switch {
	case proto != "" && proto != "ether" && kind == "broadcast":
		return nil, fmt.Errorf("%s broadcast is not supported: write dst host and the address", proto)
	case kind == "broadcast":
		return p.mac("dst", "ff:ff:ff:ff:ff:ff")
	case proto == "ip":
		return all(p.etherType(0x800), &node{off: 14 + p.link + 16, size: loadByte, jump: jumpAtLeast, value: 224}), nil
	case proto == "ip6":
		return all(p.etherType(0x86dd), p.at(24, loadByte, 255)), nil
	case proto == "" || proto == "ether":
		return &node{off: 0, size: loadByte, mask: 1, jump: jumpEqual, value: 1}, nil
	}
	return nil, fmt.Errorf("%s has no %s", proto, kind)
}

func (p *parser) mac(dir, text string) (*node, error) {
	b, ok := host.ParseMAC(text)
	if !ok {
		return nil, fmt.Errorf("%q is not a MAC address", text)
	}
	is := func(off uint32) *node {
		return all(&node{off: off + 2, size: loadWord, jump: jumpEqual, value: binary.BigEndian.Uint32(b[2:])},
			&node{off: off, size: loadHalf, jump: jumpEqual, value: uint32(binary.BigEndian.Uint16(b))})
	}
	return either(dir, is(6), is(0)), nil
}

// address is host or net.
func (p *parser) address(q qualifiers, text string) (*node, error) {
	net, err := p.prefix(q.typ, text)
	if err != nil {
		return nil, err
	}
	at := map[string][2]uint32{"ip": {12, 16}, "arp": {14, 24}, "rarp": {14, 24}} // of source and destination
	families := []string{"ip", "arp", "rarp"}
	if net.Addr().Is6() {
		at, families = map[string][2]uint32{"ip6": {8, 24}}, []string{"ip6"}
	}
	var out []*node
	for _, f := range families {
		if q.proto == "" || q.proto == f {
			out = append(out, all(p.etherType(etherTypes[f]), either(q.dir, p.within(at[f][0], net), p.within(at[f][1], net))))
		}
	}
	if out == nil {
		return nil, fmt.Errorf("%s has no such addresses", q.proto)
	}
	return some(out...), nil
}

// prefix reads an address or, of a net, one with its length, with mask and its mask, or the first bytes of one.
func (p *parser) prefix(typ, text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		bits := a.BitLen()
		if typ == "net" && p.take("mask") != "" {
			mask, err := netip.ParseAddr(p.next())
			if err != nil || !mask.Is4() || !a.Is4() {
				return netip.Prefix{}, fmt.Errorf("mask is not an IPv4 address")
			}
			m := binary.BigEndian.Uint32(mask.AsSlice())
			for bits = 0; bits < 32 && m<<bits>>31 == 1; bits++ {
			}
			if m<<bits != 0 {
				return netip.Prefix{}, fmt.Errorf("mask %s is not one of the first bits", mask)
			}
		}
		return checked(netip.PrefixFrom(a, bits))
	}
	if typ != "net" {
		return netip.Prefix{}, fmt.Errorf("not an IP address; names are not looked up")
	}
	if net, err := netip.ParsePrefix(text); err == nil {
		return checked(net)
	}
	if n := strings.Count(text, ".") + 1; n < 4 {
		if net, err := netip.ParsePrefix(text + strings.Repeat(".0", 4-n) + "/" + strconv.Itoa(8*n)); err == nil {
			return net, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("not a network such as 192.168.50.0/24")
}

func checked(net netip.Prefix) (netip.Prefix, error) {
	if net != net.Masked() {
		return net, fmt.Errorf("has bits behind its length; the network is %s", net.Masked())
	}
	return net, nil
}

// within compares an address with a network, word by word.
func (p *parser) within(off uint32, net netip.Prefix) *node {
	b, out := net.Addr().AsSlice(), []*node{}
	for i := 0; i < len(b) && (i < 1 || 8*i < net.Bits()); i += 4 {
		n := p.at(off+uint32(i), loadWord, binary.BigEndian.Uint32(b[i:]))
		if bits := net.Bits() - 8*i; bits < 32 {
			n.mask = ^uint32(0) << (32 - bits)
		}
		if net.Bits() == 0 {
			n.value, n.jump = 0, jumpAtLeast // any
		}
		out = append(out, n)
	}
	return all(out...)
}

// port is one of TCP, UDP or SCTP, or a range of them, in packets that are not later fragments.
func (p *parser) port(q qualifiers, text string) (*node, error) {
	low, high, isRange := text, text, false
	if q.typ == "portrange" {
		if low, high, isRange = strings.Cut(text, "-"); !isRange {
			high = low
		}
	}
	from, err := p.number(low, 65535)
	if err != nil {
		return nil, fmt.Errorf("%w; names are not looked up", err)
	}
	to, err := p.number(high, 65535)
	if err != nil {
		return nil, fmt.Errorf("%w; names are not looked up", err)
	}
	names := []string{"tcp", "udp", "sctp"}
	if q.proto != "" {
		if q.proto != "tcp" && q.proto != "udp" && q.proto != "sctp" {
			return nil, fmt.Errorf("%s has no ports", q.proto)
		}
		names = []string{q.proto}
	}
	var v4, v6 []*node
	for _, name := range names {
		v4, v6 = append(v4, p.at(9, loadByte, ipProtocols[name])), append(v6, p.at(6, loadByte, ipProtocols[name]))
	}
	ip := 14 + p.link
	first := p.at(6, loadHalf, 0)
	first.mask = 0x1fff
	ports := func(off, header uint32) *node {
		atLeast := &node{off: ip + off, size: loadHalf, ip: header, jump: jumpAtLeast, value: from}
		greater := *atLeast
		greater.jump, greater.value = jumpGreater, to
		return all(atLeast, &node{op: '!', l: &greater})
	}
	return some(all(p.etherType(0x800), some(v4...), first, either(q.dir, ports(0, ip), ports(2, ip))),
		all(p.etherType(0x86dd), some(v6...), either(q.dir, ports(40, 0), ports(42, 0)))), nil
}
