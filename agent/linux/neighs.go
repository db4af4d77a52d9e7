package linux

import (
	"context"
	"fmt"
	"net/netip"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Neighs returns the neighbours and forwarding databases of the namespace.
func (n *Net) Neighs() host.Neighs { return neighs{n} }

type neighs struct{ *Net }

var neighStates = map[uint8]string{unix.NUD_INCOMPLETE: "incomplete", unix.NUD_REACHABLE: "reachable", unix.NUD_STALE: "stale",
	unix.NUD_DELAY: "delay", unix.NUD_PROBE: "probe", unix.NUD_FAILED: "failed", unix.NUD_NOARP: "noarp", unix.NUD_PERMANENT: "permanent"}

// ndmsg is struct ndmsg.
func ndmsg(family uint8, index int, state uint16, flags uint8) []byte {
	b := make([]byte, unix.SizeofNdMsg)
	b[0] = family
	rtnl.Put32(b[4:], uint32(index))
	copy(b[8:], rtnl.Put16s(state))
	b[10] = flags
	return b
}

func (n neighs) List(ctx context.Context, link string) ([]host.Neigh, error) {
	index := 0
	if link != "" {
		var err error
		if index, err = n.index(link); err != nil {
			return nil, failed("list neighbours", "dev "+link, err)
		}
	}
	d := n.newDecoder()
	out := []host.Neigh{}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		m := rtnl.New(unix.RTM_GETNEIGH, 0, ndmsg(family, 0, 0, 0))
		if index != 0 {
			m.U32(unix.NDA_IFINDEX, uint32(index))
		}
		replies, err := n.conn.Dump(ctx, m)
		if err != nil {
			return nil, failed("list neighbours", link, err)
		}
		for _, r := range replies {
			if r.Data[0] == family && (index == 0 || rtnl.U32(r.Data[4:]) == uint32(index)) {
				out = append(out, d.neigh(r.Data))
			}
		}
	}
	return out, nil
}

func (d *decoder) neigh(b []byte) host.Neigh {
	out := host.Neigh{Link: d.name(rtnl.U32(b[4:])), State: neighStates[uint8(rtnl.U16(b[8:]))], Proxy: b[10]&unix.NTF_PROXY != 0}
	for typ, v := range rtnl.Attrs(b[unix.SizeofNdMsg:]) {
		switch typ {
		case unix.NDA_DST:
			if a, ok := netip.AddrFromSlice(v); ok {
				out.IP = a.String()
			}
		case unix.NDA_LLADDR:
			out.MAC = host.MAC(v)
		}
	}
	return out
}

func (n neighs) Set(_ context.Context, want host.Neigh) error {
	m, err := n.message(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, want)
	if err == nil {
		err = n.conn.Do(m)
	}
	return failed("set neighbour", want.IP+" dev "+want.Link, err)
}

func (n neighs) Delete(_ context.Context, want host.Neigh) error {
	want.MAC = ""
	m, err := n.message(unix.RTM_DELNEIGH, 0, want)
	if err == nil {
		err = n.conn.Do(m)
	}
	return failed("delete neighbour", want.IP+" dev "+want.Link, err)
}

func (n neighs) message(typ, flags uint16, want host.Neigh) (*rtnl.Message, error) {
	index, err := n.index(want.Link)
	if err != nil {
		return nil, err
	}
	ip, err := netip.ParseAddr(want.IP)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", want.IP, unix.EINVAL)
	}
	state, err := byName(neighStates, want.State, unix.NUD_PERMANENT)
	if err != nil {
		return nil, fmt.Errorf("state %w", err)
	}
	var ntf uint8
	if want.Proxy {
		ntf = unix.NTF_PROXY
	}
	m := rtnl.New(typ, flags, ndmsg(familyOf(ip), index, uint16(state), ntf)).Attr(unix.NDA_DST, ip.AsSlice())
	if want.MAC != "" {
		mac, ok := host.ParseMAC(want.MAC)
		if !ok {
			return nil, fmt.Errorf("lladdr %q: %w", want.MAC, unix.EINVAL)
		}
		m.Attr(unix.NDA_LLADDR, mac)
	}
	return m, nil
}

// FDB returns what the device holds itself and what its bridge holds for it; of a bridge, all that it holds.
func (n neighs) FDB(ctx context.Context, link string) ([]host.FDBEntry, error) {
	replies, err := n.conn.Dump(ctx, rtnl.New(unix.RTM_GETNEIGH, 0, ndmsg(unix.AF_BRIDGE, 0, 0, 0)))
	if err != nil {
		return nil, failed("list fdb", link, err)
	}
	d := n.newDecoder()
	out := []host.FDBEntry{}
	for _, r := range replies {
		if r.Data[0] != unix.AF_BRIDGE {
			continue
		}
		if e := d.fdb(r.Data); link == "" || e.Link == link || e.Master == link {
			out = append(out, e)
		}
	}
	return out, nil
}

func (d *decoder) fdb(b []byte) host.FDBEntry {
	flags, state := b[10], rtnl.U16(b[8:])
	out := host.FDBEntry{Link: d.name(rtnl.U32(b[4:])), Self: flags&unix.NTF_SELF != 0, Permanent: state&(unix.NUD_PERMANENT|unix.NUD_NOARP) != 0}
	for typ, v := range rtnl.Attrs(b[unix.SizeofNdMsg:]) {
		switch typ {
		case unix.NDA_LLADDR:
			out.MAC = host.MAC(v)
		case unix.NDA_MASTER:
			out.Master = d.name(rtnl.U32(v))
		case unix.NDA_DST:
			if a, ok := netip.AddrFromSlice(v); ok {
				out.Dst = a.String()
			}
		case unix.NDA_PORT:
			out.Port = int(rtnl.U16BE(v))
		case unix.NDA_VNI:
			out.VNI = int(rtnl.U32(v))
		case unix.NDA_VLAN:
			out.VLAN = int(rtnl.U16(v))
		case unix.NDA_IFINDEX:
			out.Via = d.name(rtnl.U32(v))
		}
	}
	return out
}

// AddFDB appends, so that an all-zero MAC may have many destinations.
func (n neighs) AddFDB(_ context.Context, e host.FDBEntry) error {
	return n.fdb("add fdb", unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_APPEND, e)
}

func (n neighs) DeleteFDB(_ context.Context, e host.FDBEntry) error {
	return n.fdb("delete fdb", unix.RTM_DELNEIGH, 0, e)
}

func (n neighs) fdb(op string, typ, flags uint16, e host.FDBEntry) error {
	m, err := n.fdbMessage(typ, flags, e)
	if err == nil {
		err = n.conn.Do(m)
	}
	return failed(op, e.MAC+" dev "+e.Link, err)
}

func (n neighs) fdbMessage(typ, flags uint16, e host.FDBEntry) (*rtnl.Message, error) {
	index, err := n.index(e.Link)
	if err != nil {
		return nil, err
	}
	mac, ok := host.ParseMAC(e.MAC)
	if !ok {
		return nil, fmt.Errorf("lladdr %q: %w", e.MAC, unix.EINVAL)
	}
	state := uint16(unix.NUD_NOARP) // static, in bridge(8)'s words
	if e.Permanent {
		state = unix.NUD_PERMANENT | unix.NUD_NOARP
	}
	ntf := uint8(unix.NTF_MASTER)
	if e.Self || e.Master == "" {
		ntf = unix.NTF_SELF
	}
	m := rtnl.New(typ, flags, ndmsg(unix.AF_BRIDGE, index, state, ntf)).Attr(unix.NDA_LLADDR, mac)
	if e.Dst != "" {
		dst, err := netip.ParseAddr(e.Dst)
		if err != nil {
			return nil, fmt.Errorf("dst %q: %w", e.Dst, unix.EINVAL)
		}
		m.Attr(unix.NDA_DST, dst.AsSlice())
	}
	if e.Port != 0 {
		m.U16BE(unix.NDA_PORT, uint16(e.Port))
	}
	if e.VNI != 0 {
		m.U32(unix.NDA_VNI, uint32(e.VNI))
	}
	if e.VLAN != 0 {
		m.U16(unix.NDA_VLAN, uint16(e.VLAN))
	}
	if e.Via != "" {
		via, err := n.index(e.Via)
		if err != nil {
			return nil, fmt.Errorf("via %q: %w", e.Via, err)
		}
		m.U32(unix.NDA_IFINDEX, uint32(via))
	}
	return m, nil
}
