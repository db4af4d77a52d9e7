package linux

import (
	"context"
	"encoding/binary"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Of linux/if_bridge.h and linux/rtnetlink.h.
const (
	bridgeFlags    = 0 // IFLA_BRIDGE_FLAGS
	bridgeFlagSelf = 2
	bridgeVLANInfo = 2 // IFLA_BRIDGE_VLAN_INFO
	vlanPVID       = 1 << 1
	vlanUntagged   = 1 << 2
	vlanRangeBegin = 1 << 3
	vlanRangeEnd   = 1 << 4
	vlansInRanges  = 1 << 2 // RTEXT_FILTER_BRVLAN_COMPRESSED
	sizeofVLANInfo = 4
)

// VLANs dumps the bridges and their ports: the kernel knows no shorter way that is older than 5.6.
func (l links) VLANs(ctx context.Context, dev string) (map[string][]host.BridgeVLAN, error) {
	m := rtnl.New(unix.RTM_GETLINK, 0, bridgeMessage(0)).U32(unix.IFLA_EXT_MASK, vlansInRanges|skipStats)
	replies, err := l.conn.Dump(ctx, m)
	if err != nil {
		return nil, failed("list vlans", dev, err)
	}
	out := map[string][]host.BridgeVLAN{}
	for _, r := range replies {
		attrs := r.Data[unix.SizeofIfInfomsg:]
		name := rtnl.Str(attr(attrs, unix.IFLA_IFNAME))
		if list := decodeVLANs(attr(attrs, unix.IFLA_AF_SPEC)); len(list) > 0 && (dev == "" || name == dev) {
			out[name] = list
		}
	}
	return out, nil
}

func bridgeMessage(index int) []byte {
	b := ifinfomsg(index, 0, 0)
	b[0] = unix.AF_BRIDGE
	return b
}

func decodeVLANs(spec []byte) []host.BridgeVLAN {
	set, begin := host.VLANSet{}, 0
	for typ, v := range rtnl.Attrs(spec) {
		if typ != bridgeVLANInfo || len(v) < sizeofVLANInfo {
			continue
		}
		flags, vid := rtnl.U16(v), int(rtnl.U16(v[2:]))
		if flags&vlanRangeEnd == 0 {
			begin = vid
		}
		for id := begin; id <= vid; id++ {
			set[id] = host.BridgeVLAN{PVID: flags&vlanPVID != 0, Untagged: flags&vlanUntagged != 0}
		}
	}
	return set.Ranges()
}

func (l links) SetVLANs(ctx context.Context, dev string, set, remove []host.BridgeVLAN) error {
	d, err := l.Get(ctx, dev)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		typ  uint16
		list []host.BridgeVLAN
	}{{unix.RTM_SETLINK, set}, {unix.RTM_DELLINK, remove}} {
		if len(c.list) == 0 {
			continue
		}
		m := rtnl.New(c.typ, 0, bridgeMessage(d.Index))
		m.Nest(unix.IFLA_AF_SPEC, func() {
			if d.Kind == "bridge" {
				m.U16(bridgeFlags, bridgeFlagSelf)
			}
			for _, v := range c.list {
				encodeVLANs(m, v)
			}
		})
		if err := l.conn.Do(m); err != nil {
			return failed("set vlans", dev, err)
		}
	}
	return nil
}

func encodeVLANs(m *rtnl.Message, v host.BridgeVLAN) {
	var flags uint16
	if v.PVID {
		flags |= vlanPVID
	}
	if v.Untagged {
		flags |= vlanUntagged
	}
	info := func(flags uint16, vid int) {
		m.Attr(bridgeVLANInfo, binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(nil, flags), uint16(vid)))
	}
	if v.First == v.Last {
		info(flags, v.First)
		return
	}
	info(flags|vlanRangeBegin, v.First)
	info(flags|vlanRangeEnd, v.Last)
}
