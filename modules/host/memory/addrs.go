package memory

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"labctl/modules/host"
)

// minMTU6 is the least MTU with which a device speaks IPv6 (IPV6_MIN_MTU).
const minMTU6 = 1280

// Addrs returns the addresses of the namespace.
func (n *Net) Addrs() host.Addrs { return addrs{n} }

type addrs struct{ *Net }

func (a addrs) List(ctx context.Context, link string) ([]host.Addr, error) {
	unlock, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if link != "" && a.findLocked(link) == nil {
		return nil, noDevice("list addresses", "dev "+link)
	}
	var v4, v6 []host.Addr
	for _, e := range a.addrs {
		switch {
		case link != "" && e.Link != link:
		case strings.Contains(e.CIDR, ":"):
			v6 = append(v6, e)
		default:
			v4 = append(v4, e)
		}
	}
	return append(append([]host.Addr{}, v4...), v6...), nil
}

func (a addrs) Add(ctx context.Context, want host.Addr) error {
	unlock, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	object := want.CIDR + " dev " + want.Link
	p, err := netip.ParsePrefix(want.CIDR)
	if err != nil {
		return invalid("add address", object, "")
	}
	if a.findLocked(want.Link) == nil {
		return noDevice("add address", object)
	}
	if p.Addr().Is6() && a.deviceSysctlLocked("net.ipv6.conf", want.Link, "disable_ipv6") == "1" {
		return refused("add address", object, errDenied, "IPv6 is disabled on this device")
	}
	if p.Addr().Is6() && narrow(a.findLocked(want.Link)) {
		return invalid("add address", object, "")
	}
	want.CIDR = p.String()
	for _, e := range a.addrs {
		if e.Link == want.Link && sameAddr(e, want, p) {
			return refused("add address", object, errExist, alreadyAssigned(p.Addr()))
		}
	}
	if want.Scope == "" {
		want.Scope = defaultScope(p.Addr())
	}
	a.addrs = append(a.addrs, want)
	a.findLocked(want.Link).addressed = a.findLocked(want.Link).addressed || p.Addr().Is4()
	if *a.findLocked(want.Link).Up {
		a.connectLocked(want)
	}
	a.h.wrote()
	return nil
}

func alreadyAssigned(a netip.Addr) string {
	if a.Is4() {
		return "ipv4: Address already assigned"
	}
	return "ipv6: address already assigned"
}

// sameAddr says whether the kernel takes e for the address it is asked to add: IPv6 has an address once per device,
// whatever the length of its prefix.
func sameAddr(e, want host.Addr, p netip.Prefix) bool {
	if p.Addr().Is4() {
		return e.CIDR == want.CIDR && e.Peer == want.Peer
	}
	o, err := netip.ParsePrefix(e.CIDR)
	return err == nil && o.Addr() == p.Addr()
}

func defaultScope(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "host"
	case a.Is6() && a.IsLinkLocalUnicast():
		return "link"
	}
	return "global"
}

func (a addrs) Delete(ctx context.Context, want host.Addr) error {
	unlock, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	at := slices.IndexFunc(a.addrs, func(e host.Addr) bool { return e.Link == want.Link && e.CIDR == want.CIDR })
	if at < 0 {
		return &host.Error{Op: "delete address", Object: want.CIDR + " dev " + want.Link, Kind: host.ErrNotExist, Err: fmt.Errorf("cannot assign requested address"), Ack: "Address not found"}
	}
	gone := a.addrs[at]
	secondaries := a.secondariesLocked(at)
	a.dropAddrsLocked(func(e host.Addr) bool { return e == gone || slices.Contains(secondaries, e) })
	a.h.wrote()
	return nil
}

// secondariesLocked lists the IPv4 addresses that go with the one at index at: the later ones of the same prefix, unless
// promote_secondaries is set (__inet_del_ifa, net/ipv4/devinet.c).
func (n *Net) secondariesLocked(at int) []host.Addr {
	first := n.addrs[at]
	p, err := netip.ParsePrefix(first.CIDR)
	if err != nil || p.Addr().Is6() || first.Peer != "" {
		return nil
	}
	var out []host.Addr
	for i, e := range n.addrs {
		q, err := netip.ParsePrefix(e.CIDR)
		if err != nil || i == at || e.Link != first.Link || e.Peer != "" || q.Masked() != p.Masked() {
			continue
		}
		if i < at {
			return nil // itself a secondary
		}
		out = append(out, e)
	}
	if n.deviceSysctlLocked("net.ipv4.conf", first.Link, "promote_secondaries") == "1" || n.deviceSysctlLocked("net.ipv4.conf", "all", "promote_secondaries") == "1" {
		return nil
	}
	return out
}

// dropAddrsLocked removes addresses and what the kernel removes with them: connected routes that no other address gives,
// IPv4 routes that have the address as source, all IPv4 routes of a device without any address left.
func (n *Net) dropAddrsLocked(drop func(host.Addr) bool) {
	var gone []host.Addr
	n.addrs = slices.DeleteFunc(n.addrs, func(a host.Addr) bool {
		if drop(a) {
			gone = append(gone, a)
			return true
		}
		return false
	})
	for _, a := range gone {
		n.disconnectLocked(a)
	}
}
