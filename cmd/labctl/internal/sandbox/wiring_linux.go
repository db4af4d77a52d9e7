package sandbox

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// wire gives a host its interfaces. It makes those that are missing or declared otherwise than they
// were made, and mends the management ones; what a declared interface has become since is the host's
// own business. A host just started has none, whatever the far ends say: those of one that died go when the
// kernel comes to it. It returns what it did.
func (f *fabric) wire(m machine, ns *os.File, started bool) (changed []string, err error) {
	var fresh []link
	for _, l := range m.Links {
		s, name := f.of(l.Wire), endName(m.Name, l.Name)
		if !started && s.ends[name] == l.fingerprint(m.Name) {
			continue
		}
		// The wire may have changed kind, so the old one may be in either space.
		if err := errors.Join(f.wires.remove(name), f.outside.remove(name)); err != nil {
			return changed, err
		}
		if err := f.plug(m, l, ns); err != nil {
			return changed, err
		}
		fresh = append(fresh, l)
		if !started {
			changed = append(changed, fmt.Sprintf("%s: interface %s", m.Name, l.Name))
		}
	}
	prepare, ours := configure, m.Links
	if m.guest() { // its interfaces are inside; here end the cables
		prepare, ours = joinCable, nil
	}
	err = inNetns(ns, func() error {
		for _, l := range fresh {
			if err := prepare(l); err != nil {
				return fmt.Errorf("interface %s: %w", l.Name, err)
			}
		}
		for _, l := range ours {
			if !l.managed() {
				continue
			}
			done, err := mend(l)
			if err != nil {
				return fmt.Errorf("interface %s: %w", l.Name, err)
			}
			if done && !slices.ContainsFunc(fresh, func(n link) bool { return n.Name == l.Name }) {
				changed = append(changed, fmt.Sprintf("%s: mended %s", m.Name, l.Name))
			}
		}
		return nil
	})
	if err != nil {
		return changed, err
	}
	for _, l := range fresh {
		if err := f.mark(m.Name, l); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// configure gives a new interface its addresses and brings it up. Duplicate address detection is
// off: nobody else can have them, and they must serve at once.
func configure(l link) error {
	if err := sysctl("net/ipv6/conf/"+l.Name+"/accept_dad", "0"); err != nil {
		return err
	}
	near, err := netlink.LinkByName(l.Name)
	if err != nil {
		return err
	}
	for _, a := range l.Addresses {
		if err := addAddress(netlink.AddrAdd, near, ipNet(a)); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(near)
}

// mend restores addresses, host routes and the up flag of a management interface: a host that has locked
// itself out comes back with the next Up.
func mend(l link) (done bool, err error) {
	near, err := netlink.LinkByName(l.Name)
	if err != nil {
		return false, err
	}
	if near.Attrs().Flags&net.FlagUp == 0 {
		done = true
		if err := netlink.LinkSetUp(near); err != nil {
			return done, err
		}
	}
	have, err := whole(func() ([]netlink.Addr, error) { return netlink.AddrList(near, netlink.FAMILY_ALL) })
	if err != nil {
		return done, err
	}
	for _, a := range l.Addresses {
		if !slices.ContainsFunc(have, func(h netlink.Addr) bool { return h.IPNet.String() == ipNet(a).String() }) {
			done = true
			if err := addAddress(netlink.AddrAdd, near, ipNet(a)); err != nil {
				return done, err
			}
		}
	}
	routed, err := mendRoutes(near, l)
	return done || routed, err
}

// mendRoutes makes the host routes on a management interface those of the plan.
func mendRoutes(near netlink.Link, l link) (done bool, err error) {
	have, err := whole(func() ([]netlink.Route, error) { return netlink.RouteList(near, netlink.FAMILY_ALL) })
	if err != nil {
		return false, err
	}
	for _, r := range l.Routes {
		if i := slices.IndexFunc(have, func(h netlink.Route) bool { return routesTo(h, r.To) }); i >= 0 {
			have = slices.Delete(have, i, i+1)
			continue
		}
		done = true
		err := netlink.RouteReplace(&netlink.Route{LinkIndex: near.Attrs().Index, Dst: ipNet(single(r.To)), Src: r.From.AsSlice(),
			Scope: netlink.SCOPE_LINK, Protocol: unix.RTPROT_STATIC})
		if err != nil {
			return done, fmt.Errorf("route to %s: %w", r.To, err)
		}
	}
	for _, r := range have {
		if r.Protocol != unix.RTPROT_STATIC || r.Scope != netlink.SCOPE_LINK || r.Gw != nil || r.Dst == nil || !isHost(r.Dst) {
			continue
		}
		done = true
		if err := netlink.RouteDel(&r); err != nil {
			return done, fmt.Errorf("delete route to %s: %w", r.Dst, err)
		}
	}
	return done, nil
}

func routesTo(r netlink.Route, to netip.Addr) bool {
	return r.Dst != nil && r.Dst.String() == ipNet(single(to)).String() && r.Gw == nil
}

func isHost(n *net.IPNet) bool {
	ones, bits := n.Mask.Size()
	return ones == bits
}

func addAddress(add func(netlink.Link, *netlink.Addr) error, l netlink.Link, ip *net.IPNet) error {
	a := &netlink.Addr{IPNet: ip}
	if ip.IP.To4() == nil {
		a.Flags = unix.IFA_F_NODAD
	}
	if err := add(l, a); err != nil {
		return fmt.Errorf("add address %s: %w", ip, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
