package sandbox

import (
	"fmt"
	"net/netip"
	"strings"
)

// hostsFile is /etc/hosts of h: every host of the topology by name, with the address under
// which h would meet it.
func (p *planner) hostsFile(h Host) string {
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n")
	if h.Name != "localhost" {
		fmt.Fprintf(&b, "127.0.1.1\t%s\n", h.Name)
	}
	for _, peer := range p.topology.Hosts {
		if peer.Name != h.Name && peer.Name != "localhost" {
			fmt.Fprintf(&b, "%s\t%s\n", p.view(h, peer), strings.Join(names(peer), " "))
		}
	}
	return b.String()
}

// names lists what others may call a host.
func names(h Host) []string {
	list := []string{h.Name}
	if _, err := netip.ParseAddr(h.Address); err != nil && h.Address != "" && h.Address != h.Name && h.Address != "localhost" {
		list = append(list, h.Address)
	}
	return list
}

// view is the address under which from meets to: through the way it opens as a jump host, else on a
// network that they share, else the management address, reachable or not.
func (p *planner) view(from, to Host) netip.Addr {
	for _, c := range p.children[from.Name] {
		if c == to.Name {
			return p.ip[to.Name]
		}
	}
	for _, mine := range from.NICs {
		for _, theirs := range to.NICs {
			if mine.Network == "" || mine.Network != theirs.Network {
				continue
			}
			for _, a := range theirs.Addresses {
				if prefix, err := netip.ParsePrefix(a); err == nil {
					return prefix.Addr()
				}
			}
		}
	}
	for _, c := range p.children[to.Name] {
		if c == from.Name && !p.declared(to.Name, from.Name) {
			ip, _ := p.wireIP(to.Name, p.ip[from.Name].Is6())
			return ip
		}
	}
	return p.ip[to.Name]
}
