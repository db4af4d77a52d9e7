package linux

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

func (r routes) Add(_ context.Context, want host.Route) error {
	return r.change("add route", unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, want)
}

func (r routes) Replace(_ context.Context, want host.Route) error {
	return r.change("replace route", unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, want)
}

func (r routes) Delete(_ context.Context, want host.Route) error {
	return r.change("delete route", unix.RTM_DELROUTE, 0, want)
}

func (r routes) change(op string, typ, flags uint16, want host.Route) error {
	m, err := r.routeMessage(typ, flags, want)
	if err == nil {
		err = r.conn.Do(m)
	}
	return failed(op, want.String(), err)
}

func (n *Net) routeMessage(typ, flags uint16, want host.Route) (*rtnl.Message, error) {
	header := make([]byte, unix.SizeofRtMsg)
	dst, err := fillRouteHeader(header, typ, want)
	if err != nil {
		return nil, err
	}
	m := rtnl.New(typ, flags, header)
	if dst.Bits() > 0 {
		m.Attr(unix.RTA_DST, dst.Addr().AsSlice())
	}
	m.U32(unix.RTA_TABLE, uint32(tableOf(want.Table)))
	if want.Metric != 0 {
		m.U32(unix.RTA_PRIORITY, uint32(want.Metric))
	}
	if want.Src != "" {
		src, err := netip.ParseAddr(want.Src)
		if err != nil {
			return nil, fmt.Errorf("src %q: %w", want.Src, unix.EINVAL)
		}
		m.Attr(unix.RTA_PREFSRC, src.AsSlice())
	}
	if want.MTU != 0 {
		m.Nest(unix.RTA_METRICS, func() { m.U32(unix.RTAX_MTU, uint32(want.MTU)) })
	}
	return m, n.paths(m, want)
}

// fillRouteHeader fills struct rtmsg and returns the destination.
func fillRouteHeader(header []byte, typ uint16, want host.Route) (dst netip.Prefix, err error) {
	header[0] = afOf(want.Family)
	dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if want.Family == 6 {
		dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	if want.Dst != "default" {
		if dst, err = netip.ParsePrefix(want.Dst); err != nil {
			return dst, fmt.Errorf("destination %q: %w", want.Dst, unix.EINVAL)
		}
	}
	header[1] = uint8(dst.Bits())
	if t := tableOf(want.Table); t < 256 {
		header[4] = uint8(t)
	}
	if header[7], err = byName(routeTypes, want.Type, unix.RTN_UNICAST); err != nil {
		return dst, fmt.Errorf("type %w", err)
	}
	if header[6], err = routeScope(typ, want, header[7]); err != nil {
		return dst, fmt.Errorf("scope %w", err)
	}
	if header[5], err = protocol(typ, want.Protocol); err != nil {
		return dst, fmt.Errorf("protocol %w", err)
	}
	if want.OnLink {
		rtnl.Put32(header[8:], unix.RTNH_F_ONLINK)
	}
	return dst, nil
}

func protocol(typ uint16, name string) (uint8, error) {
	if name == "" && typ == unix.RTM_DELROUTE {
		return 0, nil // any
	}
	if v, err := strconv.ParseUint(name, 10, 8); err == nil {
		return uint8(v), nil
	}
	return byName(protocols, name, unix.RTPROT_STATIC)
}

// routeScope chooses as iproute2 does (iproute_modify, ip/iproute.c). IPv6 has none.
func routeScope(typ uint16, want host.Route, kind uint8) (uint8, error) {
	switch {
	case want.Family == 6:
		return unix.RT_SCOPE_UNIVERSE, nil
	case want.Scope != "":
		return byName(scopes, want.Scope, 0)
	case typ == unix.RTM_DELROUTE:
		return unix.RT_SCOPE_NOWHERE, nil // any
	case kind == unix.RTN_LOCAL:
		return unix.RT_SCOPE_HOST, nil
	case kind == unix.RTN_BROADCAST || kind == unix.RTN_MULTICAST || kind == unix.RTN_ANYCAST:
		return unix.RT_SCOPE_LINK, nil
	case kind == unix.RTN_UNICAST && want.Via == "" && len(want.NextHops) == 0:
		return unix.RT_SCOPE_LINK, nil
	}
	return unix.RT_SCOPE_UNIVERSE, nil
}

// paths appends the way out: gateway and device, or the records of a multipath route.
func (n *Net) paths(m *rtnl.Message, want host.Route) (err error) {
	if len(want.NextHops) == 0 {
		return n.path(m, want.Family, want.Via, want.Dev)
	}
	m.Nest(unix.RTA_MULTIPATH, func() {
		for _, hop := range want.NextHops {
			header := make([]byte, unix.SizeofRtNexthop)
			header[3] = uint8(max(hop.Weight, 1) - 1)
			if hop.OnLink {
				header[2] = unix.RTNH_F_ONLINK
			}
			index := 0
			if hop.Dev != "" && err == nil {
				if index, err = n.index(hop.Dev); err != nil {
					err = fmt.Errorf("device %q: %w", hop.Dev, err)
				}
			}
			rtnl.Put32(header[4:], uint32(index))
			m.Record(func() {
				m.Raw(header)
				if e := n.path(m, want.Family, hop.Via, ""); e != nil && err == nil {
					err = e
				}
			})
		}
	})
	return err
}

func (n *Net) path(m *rtnl.Message, family int, via, dev string) error {
	if via != "" {
		gw, err := netip.ParseAddr(via)
		if err != nil {
			return fmt.Errorf("via %q: %w", via, unix.EINVAL)
		}
		if familyOf(gw) == afOf(family) {
			m.Attr(unix.RTA_GATEWAY, gw.AsSlice())
		} else {
			m.Attr(unix.RTA_VIA, append([]byte{familyOf(gw), 0}, gw.AsSlice()...))
		}
	}
	if dev != "" {
		index, err := n.index(dev)
		if err != nil {
			return fmt.Errorf("device %q: %w", dev, err)
		}
		m.U32(unix.RTA_OIF, uint32(index))
	}
	return nil
}
