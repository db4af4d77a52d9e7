package linux

import (
	"context"
	"errors"
	"net/netip"
	"strconv"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Routes returns the routing tables of the namespace.
func (n *Net) Routes() host.Routes { return routes{n} }

type routes struct{ *Net }

var (
	routeTypes = map[uint8]string{unix.RTN_UNICAST: "unicast", unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast",
		unix.RTN_ANYCAST: "anycast", unix.RTN_MULTICAST: "multicast", unix.RTN_BLACKHOLE: "blackhole",
		unix.RTN_UNREACHABLE: "unreachable", unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw"}
	protocols = map[uint8]string{unix.RTPROT_REDIRECT: "redirect", unix.RTPROT_KERNEL: "kernel", unix.RTPROT_BOOT: "boot",
		unix.RTPROT_STATIC: "static", unix.RTPROT_RA: "ra", unix.RTPROT_DHCP: "dhcp"}
)

func (r routes) List(ctx context.Context, f host.RouteFilter) ([]host.Route, error) {
	out := []host.Route{}
	for _, family := range []int{4, 6} {
		if f.Family != 0 && f.Family != family {
			continue
		}
		all, err := r.known.list(ctx, r.Net, family, tableOf(f.Table), f.Dst)
		if err != nil {
			return nil, failed("list routes", "", err)
		}
		for _, route := range all {
			if f.Dst == "" || f.Dst == route.Dst {
				out = append(out, route)
			}
		}
	}
	return out, nil
}

func tableOf(t int) int {
	if t == 0 {
		return unix.RT_TABLE_MAIN
	}
	return t
}

// dumpRoutes reads one table, or all of a family.
func (n *Net) dumpRoutes(ctx context.Context, family, table int) ([]host.Route, error) {
	header := make([]byte, unix.SizeofRtMsg)
	header[0] = afOf(family)
	m := rtnl.New(unix.RTM_GETROUTE, 0, header)
	if table != host.AllTables {
		m.U32(unix.RTA_TABLE, uint32(table))
	}
	replies, err := n.conn.Dump(ctx, m)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil // no such table; no IPv6 in this kernel
	}
	if err != nil {
		return nil, err
	}
	d := n.newDecoder()
	out := make([]host.Route, 0, len(replies))
	for _, r := range replies {
		if route, ok := d.route(r.Data); ok && route.Family == family && (table == host.AllTables || route.Table == table) {
			out = append(out, route)
		}
	}
	return out, nil
}

func afOf(family int) uint8 {
	if family == 6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// route decodes struct rtmsg and its attributes; false for what is not a route (a cached clone, a multicast route).
func (d *decoder) route(b []byte) (host.Route, bool) {
	flags := rtnl.U32(b[8:])
	r := host.Route{Family: 4, Table: int(b[4]), Type: routeTypes[b[7]], Protocol: number(protocols, b[5]), OnLink: flags&unix.RTNH_F_ONLINK != 0}
	if b[0] == unix.AF_INET6 {
		r.Family = 6
	} else {
		r.Scope = number(scopes, b[6])
	}
	dst := netip.IPv4Unspecified()
	if r.Family == 6 {
		dst = netip.IPv6Unspecified()
	}
	for typ, v := range rtnl.Attrs(b[unix.SizeofRtMsg:]) {
		switch typ {
		case unix.RTA_DST:
			dst, _ = netip.AddrFromSlice(v)
		case unix.RTA_TABLE:
			r.Table = int(rtnl.U32(v))
		case unix.RTA_PRIORITY:
			r.Metric = int(rtnl.U32(v))
		case unix.RTA_GATEWAY, unix.RTA_VIA:
			r.Via = gateway(typ, v)
		case unix.RTA_OIF:
			r.Dev = d.name(rtnl.U32(v))
		case unix.RTA_PREFSRC:
			if a, ok := netip.AddrFromSlice(v); ok {
				r.Src = a.String()
			}
		case unix.RTA_METRICS:
			for m, v := range rtnl.Attrs(v) {
				if m == unix.RTAX_MTU {
					r.MTU = int(rtnl.U32(v))
				}
			}
		case unix.RTA_MULTIPATH:
			r.NextHops = d.nextHops(v)
		}
	}
	r.Dst = dstText(netip.PrefixFrom(dst, int(b[1])))
	if r.Type != "unicast" && r.Type != "local" && r.Type != "broadcast" && r.Type != "anycast" && r.Type != "multicast" {
		r.Dev = "" // IPv6 hangs them on lo
	}
	return r, r.Type != "" && flags&unix.RTM_F_CLONED == 0
}

// number names a kernel number, or writes it in digits.
func number(table map[uint8]string, v uint8) string {
	if s, ok := table[v]; ok {
		return s
	}
	return strconv.Itoa(int(v))
}

func dstText(p netip.Prefix) string {
	if p.Bits() == 0 {
		return "default"
	}
	return p.String()
}

// gateway decodes RTA_GATEWAY, or RTA_VIA (struct rtvia: family, address).
func gateway(typ uint16, v []byte) string {
	if typ == unix.RTA_VIA {
		v = v[min(2, len(v)):]
	}
	a, ok := netip.AddrFromSlice(v)
	if !ok {
		return ""
	}
	return a.String()
}

// nextHops decodes records of struct rtnexthop: length, flags, weight - 1, interface, attributes.
func (d *decoder) nextHops(b []byte) []host.NextHop {
	var out []host.NextHop
	for len(b) >= unix.SizeofRtNexthop {
		n := int(rtnl.U16(b))
		if n < unix.SizeofRtNexthop || n > len(b) {
			break
		}
		hop := host.NextHop{Weight: int(b[3]) + 1, Dev: d.name(rtnl.U32(b[4:])), OnLink: b[2]&unix.RTNH_F_ONLINK != 0}
		for typ, v := range rtnl.Attrs(b[unix.SizeofRtNexthop:n]) {
			if typ == unix.RTA_GATEWAY || typ == unix.RTA_VIA {
				hop.Via = gateway(typ, v)
			}
		}
		out = append(out, hop)
		b = b[min(len(b), (n+3)&^3):]
	}
	return out
}
