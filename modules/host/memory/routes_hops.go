package memory

import (
	"net/netip"
	"slices"
	"strings"

	"labctl/modules/host"
)

// hopLocked checks one way out and returns its device. Object is the route in errors.
func (n *Net) hopLocked(op, object string, r host.Route, h host.NextHop) (string, error) {
	var d *link
	if h.Dev != "" {
		if d = n.findLocked(h.Dev); d == nil {
			return "", refused(op, object, noneCalled("device", h.Dev), "")
		}
	}
	var gw netip.Addr
	if h.Via != "" {
		var err error
		if gw, err = netip.ParseAddr(h.Via); err != nil {
			return "", invalid(op, object, "")
		}
	}
	if d == nil && !gw.IsValid() {
		return "", noDevice(op, object)
	}
	var out string
	var cause error
	var ack string
	switch {
	case r.Family == 6 || gw.IsValid() && gw.Is6():
		out, ack, cause = n.hop6Locked(d, gw, h.OnLink, r.Table)
	default:
		out, ack, cause = n.hop4Locked(d, gw, h.OnLink, r.Table)
	}
	if cause != nil {
		return "", refused(op, object, cause, ack)
	}
	return out, nil
}

// hop4Locked does as fib_check_nh (net/ipv4/fib_semantics.c).
func (n *Net) hop4Locked(d *link, gw netip.Addr, onlink bool, table int) (dev, ack string, cause error) {
	switch {
	case !gw.IsValid() && onlink:
		return "", "Invalid flags for nexthop - PERVASIVE and ONLINK can not be set", errInvalid
	case !gw.IsValid() && !*d.Up:
		return "", "Device for nexthop is not up", errDown
	case !gw.IsValid():
		return d.Name, "", nil
	case !onlink:
		name := ""
		if d != nil {
			name = d.Name
		}
		if dev = n.reachedByLocked(gw, name, table); dev == "" {
			return "", "Nexthop has invalid gateway", errNetwork
		}
		return dev, "", nil
	case d == nil:
		return "", "Nexthop device required for onlink", errNoDevice
	case !*d.Up:
		return "", "Nexthop device is not up", errDown
	case !n.localTableLocked(), n.ownLocked(gw, d):
		return "", "Nexthop has invalid gateway", errInvalid
	}
	return d.Name, "", nil
}

// localTableLocked reports whether IPv4 has made the table of local addresses, as it does for the first of them: without it
// every address counts as a broadcast (__inet_dev_addr_type, net/ipv4/fib_frontend.c).
func (n *Net) localTableLocked() bool {
	return slices.ContainsFunc(n.links, func(d *link) bool { return d.addressed })
}

// ownLocked reports whether a is an address of d, of any device if d is nil.
func (n *Net) ownLocked(a netip.Addr, d *link) bool {
	return slices.ContainsFunc(n.addrs, func(e host.Addr) bool {
		text, _, _ := strings.Cut(e.CIDR, "/")
		return text == a.String() && (d == nil || e.Link == d.Name)
	})
}

// hop6Locked does as fib6_nh_init and ip6_validate_gw (net/ipv6/route.c).
func (n *Net) hop6Locked(d *link, gw netip.Addr, onlink bool, table int) (dev, ack string, cause error) {
	switch {
	case d != nil && narrow(d):
		return "", "", errNoDevice
	case onlink && d == nil:
		return "", "Nexthop device required for onlink", errNoDevice
	case onlink && !*d.Up:
		return "", "Nexthop device is not up", errDown
	}
	if gw.IsValid() {
		if d, ack, cause = n.gateway6Locked(d, gw, onlink, table); cause != nil {
			return "", ack, cause
		}
	}
	switch {
	case n.deviceSysctlLocked("net.ipv6.conf", d.Name, "disable_ipv6") == "1":
		return "", "IPv6 is disabled on nexthop device", errDenied
	case !*d.Up:
		return "", "Nexthop device is not up", errDown
	}
	return d.Name, "", nil
}

func (n *Net) gateway6Locked(d *link, gw netip.Addr, onlink bool, table int) (out *link, ack string, cause error) {
	name := ""
	if d != nil {
		name = d.Name
	}
	switch {
	case n.ownLocked(gw, nil):
		return nil, "Gateway can not be a local address", errInvalid
	case gw.IsLinkLocalUnicast():
	case onlink:
		if n.elsewhereLocked(gw, name) {
			return nil, "Nexthop has invalid gateway or device mismatch", errInvalid
		}
	default:
		dev := n.reachedByLocked(gw, name, table)
		if dev == "" {
			return nil, "", errNoRoute
		}
		d = n.findLocked(dev)
	}
	switch {
	case d == nil:
		return nil, "Egress device not specified", errInvalid
	case d.Loopback:
		return nil, "Egress device can not be loopback device for this route", errInvalid
	}
	return d, "", nil
}

// elsewhereLocked reports whether the main table has a route to a, other than the default one, and by other devices only
// (ip6_route_check_nh_onlink).
func (n *Net) elsewhereLocked(a netip.Addr, dev string) bool {
	bits, elsewhere := 0, false
	for _, r := range n.routes {
		p, err := netip.ParsePrefix(r.Dst) // not of "default"
		if err != nil || r.Table != mainTable || r.Type == "multicast" || !p.Contains(a) || p.Bits() < bits {
			continue
		}
		other := r.Type == "unicast" && !uses(r, dev)
		elsewhere = other && (elsewhere || p.Bits() > bits)
		bits = p.Bits()
	}
	return elsewhere
}

// reachedByLocked returns the device by which an address is reached without a gateway: the kernel asks the table of the new
// route first, then the main one. "" is none.
func (n *Net) reachedByLocked(gw netip.Addr, dev string, table int) string {
	if found := n.onLinkLocked(gw, dev, table); found != "" {
		return found
	}
	return n.onLinkLocked(gw, dev, mainTable)
}

// onLinkLocked returns the device by which a table reaches an address without a gateway. The kernel asks the table of the
// new route before all others. For IPv4 the most specific direct route counts, for IPv6 the most specific one, which must
// be direct (ip6_route_check_nh, net/ipv6/route.c).
func (n *Net) onLinkLocked(a netip.Addr, dev string, table int) string {
	best, out := -1, ""
	for _, r := range n.routes {
		direct := r.Type == "unicast" && r.Via == "" && r.Dev != "" && (dev == "" || r.Dev == dev)
		if r.Table != table || a.Is4() && !direct || r.Type == "multicast" {
			continue
		}
		p, err := netip.ParsePrefix(r.Dst)
		if r.Dst == "default" && (r.Family == 4) == a.Is4() {
			p, err = netip.PrefixFrom(a, 0), nil
		}
		if err != nil || !p.Contains(a) || p.Bits() <= best {
			continue
		}
		best, out = p.Bits(), ""
		if direct {
			out = r.Dev
		}
	}
	return out
}
