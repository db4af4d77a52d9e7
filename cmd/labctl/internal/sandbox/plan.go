package sandbox

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// A wire joins the links that name it. Management wires exist once per jump host and once per
// host that is entered from this computer; they carry host routes only, so that nothing is
// reachable over them but the machine at the other end.
type wire struct {
	Kind string `json:"kind,omitempty"` // network, behind, outside; empty: nobody at the other end
	Of   string `json:"of,omitempty"`   // the network, the jump host, the host entered
}

const (
	wireNetwork = "network"
	wireBehind  = "behind"
	wireOutside = "outside"
)

// link is one interface as the supervisor makes it.
type link struct {
	Name      string
	Wire      wire
	MAC       net.HardwareAddr
	MTU       int
	Addresses []netip.Prefix
	Routes    []route // of management links
}

// managed tells a management link, which every Up mends, from a declared one, which is the
// host's own once it exists.
func (l link) managed() bool { return l.Wire.Kind == wireBehind || l.Wire.Kind == wireOutside }

// route is a host route: To is on the link, From is the source address towards it.
type route struct{ To, From netip.Addr }

// machine is a host with everything decided.
type machine struct {
	Host
	IP        netip.Addr
	Links     []link
	HostsFile string
}

// plan is a pure function of the topology and of the addresses given out before.
type plan struct {
	machines  []machine
	allocated map[string]netip.Addr
}

type planner struct {
	topology Topology
	hosts    map[string]Host
	ip       map[string]netip.Addr
	parents  map[string][]string // by host: those that must reach it directly, its own jump host first
	children map[string][]string
	pool     *pool
}

// newPlan decides addresses, links, routes and names. before keeps addresses stable.
func newPlan(t Topology, before map[string]netip.Addr) (*plan, error) {
	p := &planner{topology: t, hosts: map[string]Host{}, ip: map[string]netip.Addr{},
		parents: map[string][]string{}, children: map[string][]string{}, pool: newPool(before)}
	for _, h := range t.Hosts {
		p.hosts[h.Name] = h
		if ip, ok := literal(h.Address); ok {
			p.ip[h.Name] = ip
			p.pool.used[ip] = true
		}
	}
	for _, h := range t.Hosts {
		if !p.ip[h.Name].IsValid() {
			p.ip[h.Name] = p.pool.get("host "+h.Name, false)
		}
	}
	p.joinJumps()
	if err := p.collisions(); err != nil {
		return nil, err
	}
	out := &plan{}
	for _, h := range t.Hosts {
		out.machines = append(out.machines, machine{Host: h, IP: p.ip[h.Name], Links: p.links(h), HostsFile: p.hostsFile(h)})
	}
	out.allocated = p.pool.given
	return out, nil
}

// literal is the address if it can be given to an interface as it stands. A loopback address
// says "a forwarded port of this computer" and is as good as a name.
func literal(address string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(address)
	ok := err == nil && ip.Zone() == "" && !ip.IsLoopback() && !ip.IsUnspecified() &&
		!ip.IsMulticast() && !ip.IsLinkLocalUnicast()
	return ip.Unmap(), ok
}

// joinJumps turns the chains into pairs of neighbours.
func (p *planner) joinJumps() {
	join := func(from, to string) {
		if !slices.Contains(p.parents[to], from) {
			p.parents[to] = append(p.parents[to], from)
			p.children[from] = append(p.children[from], to)
		}
	}
	for _, h := range p.topology.Hosts {
		if n := len(h.Jump); n > 0 {
			join(h.Jump[n-1], h.Name)
		}
	}
	for _, h := range p.topology.Hosts {
		for i := 1; i < len(h.Jump); i++ {
			join(h.Jump[i-1], h.Jump[i])
		}
	}
}

// collisions finds the addresses that no jump host could tell apart.
func (p *planner) collisions() error {
	var faults []error
	for _, h := range p.topology.Hosts {
		owner := map[netip.Addr]string{p.ip[h.Name]: h.Name}
		for _, c := range p.children[h.Name] {
			if other, taken := owner[p.ip[c]]; taken {
				faults = append(faults, fmt.Errorf("jump host %q: %q and %q both have address %s", h.Name, other, c, p.ip[c]))
			}
			owner[p.ip[c]] = c
		}
	}
	return errors.Join(faults...)
}

// holder is the declared NIC of h that has ip, or nil.
func holder(h Host, ip netip.Addr) *NIC {
	for i, n := range h.NICs {
		for _, a := range n.Addresses {
			if prefix, err := netip.ParsePrefix(a); err == nil && prefix.Addr() == ip {
				return &h.NICs[i]
			}
		}
	}
	return nil
}

// declared reports whether from reaches to's address over a network that both declare.
func (p *planner) declared(from, to string) bool {
	nic := holder(p.hosts[to], p.ip[to])
	if nic == nil || nic.Network == "" {
		return false
	}
	for _, n := range p.hosts[from].NICs {
		for _, a := range n.Addresses {
			if prefix, err := netip.ParsePrefix(a); err == nil && n.Network == nic.Network && prefix.Contains(p.ip[to]) {
				return true
			}
		}
	}
	return false
}

// behind lists the children of a jump host that need its management wire.
func (p *planner) behind(jump string) (names []string) {
	for _, c := range p.children[jump] {
		if !p.declared(jump, c) {
			names = append(names, c)
		}
	}
	return names
}

// wireIP is the address of a jump host on its management wire. An address of a declared NIC
// will not do: a host route to it would bend traffic away from that NIC's network.
func (p *planner) wireIP(jump string, v6 bool) (ip netip.Addr, extra bool) {
	if ip := p.ip[jump]; ip.Is6() == v6 && holder(p.hosts[jump], ip) == nil {
		return ip, false
	}
	return p.pool.get(fmt.Sprintf("wire %s v6=%t", jump, v6), v6), true
}

func (p *planner) links(h Host) (links []link) {
	for _, n := range h.NICs {
		links = append(links, p.nic(h, n))
	}
	add := func(w wire, addresses []netip.Prefix, routes []route) {
		name := freeName(links)
		links = append(links, link{Name: name, Wire: w, MAC: p.mac(h.Name, name), MTU: 1500, Addresses: addresses, Routes: routes})
	}
	ip, own := p.ip[h.Name], []netip.Prefix(nil)
	if holder(h, ip) == nil || ip.Is6() {
		own = []netip.Prefix{single(ip)}
	}
	// The first management link has the host's address, unless a NIC has it. ARP answers for it on the others
	// too; neighbour discovery does not (ndisc_recv_ns, net/ipv6/ndisc.c), so IPv6 has it on all.
	given := func() {
		if ip.Is4() {
			own = nil
		}
	}
	if len(h.Jump) == 0 {
		add(wire{wireOutside, h.Name}, own, []route{{To: outsideIP(ip.Is6()), From: ip}})
		given()
	}
	for _, j := range p.parents[h.Name] {
		if !p.declared(j, h.Name) {
			to, _ := p.wireIP(j, ip.Is6())
			add(wire{wireBehind, j}, own, []route{{To: to, From: ip}})
			given()
		}
	}
	if below := p.behind(h.Name); len(below) > 0 {
		addresses, routes := p.wireSide(h.Name, below)
		add(wire{wireBehind, h.Name}, addresses, routes)
	}
	return links
}

func (p *planner) nic(h Host, n NIC) link {
	l := link{Name: n.Name, MAC: p.mac(h.Name, n.Name), MTU: n.MTU}
	if n.Network != "" {
		l.Wire = wire{wireNetwork, n.Network}
	}
	if n.MAC != "" {
		l.MAC, _ = net.ParseMAC(n.MAC)
	}
	if l.MTU == 0 {
		l.MTU = 1500
	}
	for _, a := range n.Addresses {
		if prefix, err := netip.ParsePrefix(a); err == nil {
			l.Addresses = append(l.Addresses, prefix)
		}
	}
	return l
}

// wireSide is the jump host's own end of its management wire.
func (p *planner) wireSide(jump string, below []string) (addresses []netip.Prefix, routes []route) {
	for _, c := range below {
		from, extra := p.wireIP(jump, p.ip[c].Is6())
		if (extra || from.Is6()) && !slices.Contains(addresses, single(from)) {
			addresses = append(addresses, single(from))
		}
		routes = append(routes, route{To: p.ip[c], From: from})
	}
	return addresses, routes
}

// freeName is the first of mgmt0, mgmt1, ... that no link of the host has.
func freeName(links []link) string {
	for i := 0; ; i++ {
		name := fmt.Sprintf("mgmt%d", i)
		if !slices.ContainsFunc(links, func(l link) bool { return l.Name == name }) {
			return name
		}
	}
}

func single(ip netip.Addr) netip.Prefix { return netip.PrefixFrom(ip, ip.BitLen()) }

// mac is a locally administered address that is the same whenever the sandbox comes up.
func (p *planner) mac(host, nic string) net.HardwareAddr {
	sum := sha256.Sum256([]byte(p.topology.Name + "\x00" + host + "\x00" + nic))
	return net.HardwareAddr{0x02, sum[0], sum[1], sum[2], sum[3], sum[4]}
}
