package linux

import (
	"net/netip"
	"strconv"
	"strings"

	"labctl/modules/host"
)

// shape replaces the values of a rule that have no influence on how the tool prints the rest by a mark of their kind, so that
// of a thousand rules that differ in addresses and ports only one needs the tool. Only values that are in the tool's own form
// already, and are not special (a prefix of length 0 is not printed at all), are replaced.
func shape(r host.ChainRule) host.ChainRule {
	words := strings.Split(r.Rule, " ")
	for i := 1; i < len(words); i++ {
		switch words[i-1] {
		case "-s", "-d":
			if plainPrefix(words[i]) {
				words[i] = "ADDRESS"
			}
		case "-i", "-o":
			if plainInterface(words[i]) {
				words[i] = "DEV"
			}
		case "--sport", "--dport":
			if plainPort(words[i]) {
				words[i] = "PORT"
			}
		}
		if words[i] == "--comment" { // its text may look like anything
			break
		}
	}
	r.Rule = strings.Join(words, " ")
	return r
}

func plainPrefix(s string) bool {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Bits() == 0 || p.Masked().String() != s {
		return false
	}
	a := p.Addr().As16()
	low := true // ::/96, which C libraries print with dots
	for _, b := range a[:12] {
		low = low && b == 0
	}
	return p.Addr().Is4() || !low && !p.Addr().Is4In6()
}

func plainInterface(s string) bool {
	if s == "" || len(s) > 15 {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	}) < 0
}

func plainPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0 && n < 65536 && strconv.Itoa(n) == s
}
