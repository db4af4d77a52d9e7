package linux

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// fdbStates are the bits of ndm_state behind the words of bridge(8): VXLAN wants one of NUD_PERMANENT and NUD_REACHABLE, a
// bridge looks at NUD_PERMANENT and NUD_NOARP (vxlan_fdb_add, fdb_add_entry).
var fdbStates = map[string]uint16{"permanent": unix.NUD_PERMANENT | unix.NUD_NOARP, "static": unix.NUD_NOARP | unix.NUD_REACHABLE, "dynamic": unix.NUD_REACHABLE}

const extLearned = 1 << 4 // NTF_EXT_LEARNED

func (n neighs) FDB(ctx context.Context, link string) ([]host.FDBEntry, error) {
	return n.dumpFDB(ctx, 0, func(e host.FDBEntry) bool { return link == "" || e.Link == link || e.Master == link })
}

// dumpFDB returns what keep likes of one device, 0 for all.
func (n neighs) dumpFDB(ctx context.Context, index int, keep func(host.FDBEntry) bool) ([]host.FDBEntry, error) {
	replies, err := n.conn.Dump(ctx, rtnl.New(unix.RTM_GETNEIGH, 0, ndmsg(unix.AF_BRIDGE, index, 0, 0)))
	if err != nil {
		return nil, failed("list fdb", "", err)
	}
	d := n.newDecoder()
	out := []host.FDBEntry{}
	for _, r := range replies {
		if r.Data[0] != unix.AF_BRIDGE {
			continue
		}
		if e := d.fdb(r.Data); keep(e) {
			out = append(out, e)
		}
	}
	return out, nil
}

// GetFDB asks for the one entry where the kernel can (5.0 and later, and of several remotes it gives the first alone), else
// for all of the device.
func (n neighs) GetFDB(ctx context.Context, e host.FDBEntry) ([]host.FDBEntry, error) {
	index, err := n.index(e.Link)
	mac, ok := host.ParseMAC(e.MAC)
	if err == nil && !ok {
		err = unix.EINVAL
	}
	if err != nil {
		return nil, failed("get fdb", e.MAC+" dev "+e.Link, err)
	}
	same := func(o host.FDBEntry) bool {
		return o.Link == e.Link && o.MAC == e.MAC && o.VLAN == e.VLAN && (o.Self || o.Link == o.Master) == e.Self
	}
	if e.Dst = "x"; !e.Many() {
		ntf := uint8(unix.NTF_MASTER)
		if e.Self {
			ntf = unix.NTF_SELF
		}
		m := rtnl.New(unix.RTM_GETNEIGH, 0, ndmsg(unix.AF_BRIDGE, index, 0, ntf)).Attr(unix.NDA_LLADDR, mac)
		if e.VLAN != 0 {
			m.U16(unix.NDA_VLAN, uint16(e.VLAN))
		}
		b, err := n.conn.Get(m)
		if err == nil {
			return slices.DeleteFunc([]host.FDBEntry{n.newDecoder().fdb(b)}, func(o host.FDBEntry) bool { return !same(o) }), nil
		}
		if errors.Is(err, unix.ENOENT) {
			return nil, nil
		}
	}
	return n.dumpFDB(ctx, index, same)
}

func (d *decoder) fdb(b []byte) host.FDBEntry {
	flags, state := b[10], rtnl.U16(b[8:])
	out := host.FDBEntry{Link: d.name(rtnl.U32(b[4:])), Self: flags&unix.NTF_SELF != 0, State: "dynamic", Extern: flags&extLearned != 0}
	switch {
	case state&unix.NUD_PERMANENT != 0:
		out.State = "permanent"
	case state&unix.NUD_NOARP != 0:
		out.State = "static"
	}
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

func (n neighs) SetFDB(_ context.Context, es ...host.FDBEntry) error {
	return n.fdb("set fdb", unix.RTM_NEWNEIGH, es)
}

func (n neighs) DeleteFDB(_ context.Context, es ...host.FDBEntry) error {
	return n.fdb("delete fdb", unix.RTM_DELNEIGH, es)
}

func (n neighs) fdb(op string, typ uint16, es []host.FDBEntry) error {
	ms := make([]*rtnl.Message, len(es))
	for i, e := range es {
		var err error
		if ms[i], err = n.fdbMessage(typ, e); err != nil {
			return failed(op, e.MAC+" dev "+e.Link, err)
		}
	}
	if i, err := n.conn.DoAll(ms); err != nil {
		return failed(op, es[i].MAC+" dev "+es[i].Link, err)
	}
	return nil
}

func (n neighs) fdbMessage(typ uint16, e host.FDBEntry) (*rtnl.Message, error) {
	index, err := n.index(e.Link)
	if err != nil {
		return nil, err
	}
	mac, ok := host.ParseMAC(e.MAC)
	if !ok {
		return nil, fmt.Errorf("lladdr %q: %w", e.MAC, unix.EINVAL)
	}
	var flags uint16
	switch {
	case typ == unix.RTM_DELNEIGH:
	case e.Many():
		flags = unix.NLM_F_CREATE | unix.NLM_F_APPEND
	default:
		flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	}
	ntf := uint8(unix.NTF_MASTER)
	if e.Self {
		ntf = unix.NTF_SELF
	}
	m := rtnl.New(typ, flags, ndmsg(unix.AF_BRIDGE, index, fdbStates[e.State], ntf)).Attr(unix.NDA_LLADDR, mac)
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
