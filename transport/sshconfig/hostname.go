package sshconfig

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// canonicalize finds out what the host is called in the end (ssh.c, main): HostName, in lower case unless it is an address;
// addresses in their usual form; other names as CanonicalizeHostname wants them.
func (r *resolver) canonicalize() (string, error) {
	name, err := r.hostNow()
	if err != nil {
		return "", err
	}
	family := lowerASCII(r.value("addressfamily"))
	address, isAddress := numericAddress(name, family)
	if !isAddress && !looksLikeAddress(name) {
		name = lowerASCII(name)
	}
	mode := lowerASCII(r.value("canonicalizehostname"))
	wanted := mode != "" && mode != "no" && mode != "false"
	direct := !r.proxied()
	found := false
	switch {
	case isAddress:
		if name, found = address, true; strings.EqualFold(name, address) {
			name = address
		}
	case looksLikeAddress(name) || !wanted || !direct && mode != "always":
	default:
		if name, found, err = r.tryDomains(name, direct); err != nil {
			return "", err
		}
	}
	if found || !r.followsCNAMEs() || !direct && mode != "always" {
		return name, nil
	}
	canonical, err := r.lookup(name)
	switch {
	case err != nil && direct:
		return "", fmt.Errorf("resolve %s: %w", name, err)
	case err == nil && wanted:
		name = r.follow(name, canonical)
	}
	return name, nil
}

// tryDomains looks a name up in each of the CanonicalDomains.
func (r *resolver) tryDomains(name string, direct bool) (string, bool, error) {
	var tries []string
	if strings.HasSuffix(name, ".") {
		tries = []string{name}
	} else {
		dots := int64(1)
		if l := r.set["canonicalizemaxdots"]; l != nil {
			dots, _ = strtonum(l.arg(), 0, 1<<31)
		}
		if int64(strings.Count(name, ".")) > dots {
			return name, false, nil
		}
		if l := r.set["canonicaldomains"]; l != nil {
			for _, d := range l.args {
				if !strings.EqualFold(d, "none") {
					tries = append(tries, name+"."+strings.TrimSuffix(lowerASCII(d), ".")+".")
				}
			}
		}
	}
	for _, full := range tries {
		if canonical, err := r.lookup(full); err == nil {
			return r.follow(strings.TrimSuffix(full, "."), canonical), true, nil
		}
	}
	if local := r.value("canonicalizefallbacklocal"); local != "" && !isYes(local) {
		return "", false, fmt.Errorf("resolve %s: no such name in any of the CanonicalDomains, and CanonicalizeFallbackLocal is no", name)
	}
	return name, false, nil
}

func (r *resolver) lookup(name string) (string, error) {
	network := map[string]string{"inet": "ip4", "inet6": "ip6"}[lowerASCII(r.value("addressfamily"))]
	if network == "" {
		network = "ip"
	}
	canonical, err := r.env.lookup(context.Background(), network, name)
	canonical = strings.TrimSuffix(canonical, ".")
	if !validDomain(canonical) {
		canonical = ""
	}
	return canonical, err
}

// followsCNAMEs reports whether any CNAME may be followed.
func (r *resolver) followsCNAMEs() bool {
	l := r.set["canonicalizepermittedcnames"]
	return l != nil && !strings.EqualFold(l.arg(), "none")
}

// follow is the name that a CNAME leads to, if a rule permits it.
func (r *resolver) follow(name, canonical string) string {
	if canonical == "" || canonical == name || !r.followsCNAMEs() {
		return name
	}
	for _, rule := range r.set["canonicalizepermittedcnames"].args {
		sources, targets, ok := strings.Cut(lowerASCII(rule), ":")
		if !ok {
			targets = sources // *
		}
		if matchList(name, sources, true) == 1 && matchList(canonical, targets, true) == 1 {
			return lowerASCII(canonical)
		}
	}
	return name
}

// looksLikeAddress is is_addr_fast of ssh.c: what cannot be a name.
func looksLikeAddress(s string) bool {
	return strings.ContainsAny(s, "%:") || strings.Trim(s, "0123456789.") == ""
}

// numericAddress is the usual form of an address, which may be written in any form that inet_aton(3) or inet_pton(3) reads.
func numericAddress(s, family string) (string, bool) {
	a, ok := aton(s)
	if !ok {
		var err error
		if a, err = netip.ParseAddr(s); err != nil {
			return "", false
		}
		if a, ok = named(a); !ok {
			return "", false
		}
	}
	if family == "inet" && !a.Is4() || family == "inet6" && a.Is4() {
		return "", false
	}
	return a.String(), true
}

// named has the interface of a link-local address by its name, which may be given by its number. It must exist; elsewhere there
// is no such part.
func named(a netip.Addr) (netip.Addr, bool) {
	if a.Zone() == "" {
		return a, true
	}
	dev, err := net.InterfaceByName(a.Zone())
	if n, notNumber := strconv.Atoi(a.Zone()); err != nil && notNumber == nil {
		dev, err = net.InterfaceByIndex(n)
	}
	if err != nil || !a.IsLinkLocalUnicast() && !a.IsLinkLocalMulticast() {
		return a, false
	}
	return a.WithZone(dev.Name), true
}

// aton reads an IPv4 address as inet_aton(3) does: one to four parts, each decimal, octal or hexadecimal, of which the last
// fills what is left.
func aton(s string) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var sum uint64
	for i, p := range parts {
		n, ok := cNumber(p)
		limit, shift := uint64(255), 8*(3-i)
		if i == len(parts)-1 {
			limit, shift = 1<<(8*(5-len(parts)))-1, 0
		}
		if !ok || n > limit {
			return netip.Addr{}, false
		}
		sum |= n << shift
	}
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}), true
}

func cNumber(s string) (uint64, bool) {
	base := 10
	switch {
	case len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X"):
		s, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	if slices.Contains([]byte(s), '_') || strings.HasPrefix(s, "+") {
		return 0, false
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil
}
