package iptables

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"labctl/modules/host"
)

// This file brings values into the form that iptables-save prints them in. Each function returns the form, or what is wrong.

func itoa(n int) string { return strconv.Itoa(n) }

func address(f host.Family, s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return a, fmt.Errorf("%q is not an address; host names are refused: they would be resolved once, by whoever loads the rule", s)
	}
	if a.Is4() != (f == host.IPv4) {
		return a, fmt.Errorf("%s is not an %s address", s, map[host.Family]string{host.IPv4: "IPv4", host.IPv6: "IPv6"}[f])
	}
	return a, nil
}

// prefix takes ADDRESS, ADDRESS/LENGTH or ADDRESS/MASK and clears the host bits. "" is any address: it is not printed.
func prefix(f host.Family, s string) (string, error) {
	addr, mask, slash := strings.Cut(s, "/")
	if slash && f == host.IPv4 && addr != "" {
		addr += strings.Repeat(".0", max(0, 3-strings.Count(addr, "."))) // 10/8, 0/0
	}
	a, err := address(f, addr)
	if err != nil {
		return "", err
	}
	if !slash {
		return printPrefix(netip.PrefixFrom(a, a.BitLen())), nil
	}
	bits, err := strconv.Atoi(mask)
	if err == nil {
		p, err := a.Prefix(bits)
		if err != nil {
			return "", fmt.Errorf("%q is not a prefix: its length is between 0 and %d", s, a.BitLen())
		}
		return printPrefix(p), nil
	}
	m, err := address(f, mask)
	if err != nil {
		return "", fmt.Errorf("%q is not a prefix: %q is neither a length nor a mask", s, mask)
	}
	return masked(a, m), nil
}

func masked(a, m netip.Addr) string {
	ab, mb := a.AsSlice(), m.AsSlice()
	for i := range ab {
		ab[i] &= mb[i]
	}
	network, _ := netip.AddrFromSlice(ab) // as long as a
	for n := range a.BitLen() + 1 {
		if p, err := m.Prefix(n); err == nil && p.Addr() == m && onesIn(mb) == n {
			return printPrefix(netip.PrefixFrom(network, n))
		}
	}
	return printAddr(network) + "/" + printAddr(m)
}

func onesIn(b []byte) int {
	n := 0
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}

func printPrefix(p netip.Prefix) string {
	if p.Bits() == 0 {
		return ""
	}
	return printAddr(p.Addr()) + "/" + itoa(p.Bits())
}

// printAddr prints as inet_ntop(3) of glibc does, which unlike Go shows ::/96 with dots.
func printAddr(a netip.Addr) string {
	b := a.As16()
	if a.Is4() || a.Is4In6() || slices.ContainsFunc(b[:12], func(x byte) bool { return x != 0 }) || b[12] == 0 && b[13] == 0 {
		return a.String()
	}
	return "::" + netip.AddrFrom4([4]byte(b[12:])).String()
}

func interfaceMatch(s string) (string, error) {
	if s == "+" {
		return "", nil
	}
	if s == "" || len(s) > 15 || strings.ContainsAny(s, " /!\"'\\") || strings.ContainsFunc(s, unicode.IsControl) || strings.Contains(strings.TrimSuffix(s, "+"), "+") {
		return "", fmt.Errorf("%q is not the name of an interface: 1 to 15 characters without blanks, slashes or control characters, a + only at the end", s)
	}
	return s, nil
}

// protocols that iptables knows without asking /etc/protocols (xtables_chain_protos in xtables.c), by number.
var protocols = map[string]string{
	"0": "", "all": "", "1": "icmp", "6": "tcp", "17": "udp", "33": "dccp", "47": "gre", "50": "esp", "51": "ah",
	"58": "ipv6-icmp", "icmpv6": "ipv6-icmp", "icmp6": "ipv6-icmp", "132": "sctp", "136": "udplite", "mh": "mobility-header", "135": "mobility-header",
}

func protocol(f host.Family, s string) (string, error) {
	s = strings.ToLower(s)
	if p, ok := protocols[s]; ok {
		return p, nil
	}
	if n, err := strconv.Atoi(s); err == nil {
		if n < 0 || n > 255 {
			return "", fmt.Errorf("protocol %d is not between 0 and 255", n)
		}
		return itoa(n), nil
	}
	return oneWord(s)
}

func oneWord(s string) (string, error) {
	if s == "" || strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || strings.ContainsRune("\"'\\!", r) }) >= 0 || strings.HasPrefix(s, "-") {
		return "", fmt.Errorf("%q is not a single word", s)
	}
	return s, nil
}

func port(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 65535 {
		return 0, fmt.Errorf("%q is not a port: a number between 0 and 65535", s)
	}
	return n, nil
}

// ports splits LOW:HIGH, or LOW-HIGH as NAT targets write it.
func ports(s, sep string) (low, high int, err error) {
	l, h, isRange := strings.Cut(s, sep)
	if !isRange {
		low, err = port(s)
		return low, low, err
	}
	if l == "" {
		l = "0"
	}
	if h == "" {
		h = "65535"
	}
	if low, err = port(l); err != nil {
		return 0, 0, err
	}
	if high, err = port(h); err != nil {
		return 0, 0, err
	}
	if low > high {
		return 0, 0, fmt.Errorf("range %q ends before it begins", s)
	}
	return low, high, nil
}

func portRange(s string) (string, error) {
	low, high, err := ports(strings.Replace(s, "-", ":", 1), ":")
	switch {
	case err != nil:
		return "", err
	case low == 0 && high == 65535:
		return "", nil
	case low == high:
		return itoa(low), nil
	}
	return itoa(low) + ":" + itoa(high), nil
}

// positive says "not below" as "from": iptables-nft prints "! 0:1023" as 1024:65535, iptables-legacy leaves either alone.
func positive(s string) string {
	v, not := negated(s)
	low, high, err := ports(strings.Replace(v, "-", ":", 1), ":")
	if not && err == nil && low == 0 && high > 0 && high < 65535 {
		return itoa(high+1) + ":65535"
	}
	return s
}

func portList(list []string) (string, error) {
	n := 0
	out := make([]string, len(list))
	for i, s := range list {
		low, high, err := ports(strings.Replace(strings.TrimSpace(s), "-", ":", 1), ":")
		if err != nil {
			return "", err
		}
		if n++; low != high {
			n++
			out[i] = itoa(low) + ":" + itoa(high)
		} else {
			out[i] = itoa(low)
		}
	}
	if n > 15 {
		return "", fmt.Errorf("%d ports are more than the 15 that a rule can hold (a range counts twice)", n)
	}
	return strings.Join(out, ","), nil
}

func natPorts(s string) (string, error) {
	low, high, err := ports(s, "-")
	if err != nil || low == high {
		return itoa(low), err
	}
	return itoa(low) + "-" + itoa(high), nil
}

// natAddress takes [ADDRESS[-ADDRESS]][:PORT[-PORT]], IPv6 addresses with a port in brackets.
func natAddress(f host.Family, s string) (string, error) {
	if s == "" {
		return "", errors.New("is missing: where to?")
	}
	addrs, port, err := splitNAT(f, s)
	if err != nil {
		return "", err
	}
	out := ""
	if addrs != "" {
		if out, err = natRange(f, addrs); err != nil {
			return "", err
		}
	}
	if port == "" {
		return out, nil
	}
	if port, err = natPorts(port); err != nil {
		return "", err
	}
	if f == host.IPv6 && out != "" {
		out = "[" + out + "]"
	}
	return out + ":" + port, nil
}

func splitNAT(f host.Family, s string) (addrs, port string, err error) {
	if f == host.IPv4 {
		if strings.Count(s, ":") > 1 {
			return s, "", nil // to be told that it is of the other family
		}
		addrs, port, _ = strings.Cut(s, ":")
		return addrs, port, nil
	}
	if !strings.HasPrefix(s, "[") {
		if p, ok := strings.CutPrefix(s, ":"); ok && !strings.HasPrefix(p, ":") {
			return "", p, nil
		}
		return s, "", nil
	}
	addrs, port, ok := strings.Cut(s[1:], "]")
	if !ok || port != "" && port[0] != ':' {
		return "", "", fmt.Errorf("%q is not [ADDRESS]:PORT", s)
	}
	return addrs, strings.TrimPrefix(port, ":"), nil
}

func natRange(f host.Family, s string) (string, error) {
	low, high, isRange := strings.Cut(s, "-")
	l, err := address(f, low)
	if err != nil || !isRange {
		return printAddr(l), err
	}
	h, err := address(f, high)
	if err != nil || l == h {
		return printAddr(l), err
	}
	if h.Less(l) {
		return "", fmt.Errorf("range %q ends before it begins", s)
	}
	return printAddr(l) + "-" + printAddr(h), nil
}

func addressRange(f host.Family, s string) (string, error) {
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	l, err := address(f, low)
	if err != nil {
		return "", err
	}
	h, err := address(f, high)
	if err != nil {
		return "", err
	}
	if h.Less(l) {
		return "", fmt.Errorf("range %q ends before it begins", s)
	}
	return printAddr(l) + "-" + printAddr(h), nil
}

func macAddress(s string) (string, error) {
	parts := strings.Split(strings.ReplaceAll(s, "-", ":"), ":")
	for _, p := range parts {
		if _, err := strconv.ParseUint(p, 16, 8); err != nil || len(p) != 2 || len(parts) != 6 {
			return "", fmt.Errorf("%q is not a MAC address", s)
		}
	}
	return strings.ToLower(strings.Join(parts, ":")), nil
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number of 32 bits", s)
	}
	return uint32(n), nil
}

func hexNumber(s string) (string, error) {
	n, err := number(s)
	return hex(n), err
}

// valueMask takes VALUE[/MASK].
func valueMask(s string) (value, mask uint32, err error) {
	v, m, hasMask := strings.Cut(s, "/")
	if value, err = number(v); err != nil || !hasMask {
		return value, 0xffffffff, err
	}
	mask, err = number(m)
	return value, mask, err
}

func markMatch(s string) (string, error) {
	v, m, err := valueMask(s)
	if err != nil || m == 0xffffffff {
		return hex(v), err
	}
	return hex(v) + "/" + hex(m), nil
}

func hex(n uint32) string { return fmt.Sprintf("0x%x", n) }

// setMark: --set-mark clears mask and sets value, which is --set-xmark with the value's bits in the mask.
func setMark(s string) (string, error) {
	v, m, err := valueMask(s)
	return hex(v) + "/" + hex(v|m), err
}

func setXMark(s string) (string, error) {
	v, m, err := valueMask(s)
	return hex(v) + "/" + hex(m), err
}

// text takes any text of at most limit bytes.
func text(s string, limit int) (string, error) {
	if len(s) > limit {
		return "", fmt.Errorf("%q is %d bytes long: at most %d fit", s, len(s), limit)
	}
	if !utf8.ValidString(s) || strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
		return "", fmt.Errorf("%q has control characters or is not UTF-8", s)
	}
	return host.QuoteWord(s), nil
}

// ChainName says what is wrong with the name of a user-defined chain.
func ChainName(s string) error {
	if s == "" || len(s) > 28 || strings.ContainsAny(s[:1], "-!:") || strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '\'' || r == '\\' }) >= 0 {
		return fmt.Errorf("%q is not the name of a chain: 1 to 28 characters, the first not - ! or :, without blanks, quotes and backslashes", s)
	}
	return nil
}

// setMatch is the name of an IP set and up to six ends of packets.
func setMatch(v string) (string, error) {
	words := strings.Fields(v)
	if len(words) != 2 || len(words[0]) > 31 {
		return "", fmt.Errorf("%q is not an IP set and an end, such as \"banned src\"", v)
	}
	ends := strings.Split(words[1], ",")
	for _, e := range ends {
		if e != "src" && e != "dst" || len(ends) > 6 {
			return "", fmt.Errorf("%q is not src, dst, or up to six of them with commas", words[1])
		}
	}
	return words[0] + " " + words[1], nil
}
