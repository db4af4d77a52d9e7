package sandbox

import (
	"maps"
	"net/netip"
)

// Addresses that nobody routes: RFC 2544 (IPv4) and RFC 5180 (IPv6) keep them for benchmarks.
// The first of each is the client's, as the hosts see it.
var (
	outside4 = netip.MustParseAddr("198.18.0.1")
	outside6 = netip.MustParseAddr("2001:2::1")
	first4   = netip.MustParseAddr("198.18.1.1")
	first6   = netip.MustParseAddr("2001:2::1:1")
)

// outsideIP is where connections from this computer come from.
func outsideIP(v6 bool) netip.Addr {
	if v6 {
		return outside6
	}
	return outside4
}

// pool gives out addresses by purpose; what was given once stays.
type pool struct {
	before, given map[string]netip.Addr
	used          map[netip.Addr]bool
}

func newPool(before map[string]netip.Addr) *pool {
	p := &pool{before: before, given: map[string]netip.Addr{}, used: map[netip.Addr]bool{}}
	for ip := range maps.Values(before) {
		p.used[ip] = true
	}
	return p
}

func (p *pool) get(purpose string, v6 bool) netip.Addr {
	if ip, ok := p.given[purpose]; ok {
		return ip
	}
	ip, ok := p.before[purpose]
	if !ok {
		ip = first4
		if v6 {
			ip = first6
		}
		for p.used[ip] {
			ip = ip.Next()
		}
	}
	p.given[purpose], p.used[ip] = ip, true
	return ip
}
