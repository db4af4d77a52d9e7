package linux

import (
	"context"
	"errors"
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
		for _, ntf := range []uint8{0, unix.NTF_PROXY} { // either the cache or what is answered for
			m := rtnl.New(unix.RTM_GETNEIGH, 0, ndmsg(family, 0, 0, ntf))
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
	}
	return out, nil
}

func (d *decoder) neigh(b []byte) host.Neigh {
	out := host.Neigh{Link: d.name(rtnl.U32(b[4:])), State: neighStates[uint8(rtnl.U16(b[8:]))], Proxy: b[10]&unix.NTF_PROXY != 0, Router: b[10]&unix.NTF_ROUTER != 0}
	if out.Proxy {
		out.State = ""
	}
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

// Get asks for one entry. Kernels before 5.0 have only lists.
func (n neighs) Get(ctx context.Context, want host.Neigh) (host.Neigh, error) {
	m, err := n.message(unix.RTM_GETNEIGH, 0, host.Neigh{Link: want.Link, IP: want.IP, Proxy: want.Proxy})
	if err == nil {
		var b []byte
		if b, err = n.conn.Get(m); err == nil {
			d := &decoder{n: n.Net, names: map[uint32]string{rtnl.U32(b[4:]): want.Link}}
			return d.neigh(b), nil
		}
	}
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return host.Neigh{}, failed("get neighbour", want.IP+" dev "+want.Link, err)
	}
	all, err := n.List(ctx, want.Link)
	for _, e := range all {
		if e.IP == want.IP && e.Proxy == want.Proxy {
			return e, nil
		}
	}
	if err == nil {
		err = failed("get neighbour", want.IP+" dev "+want.Link, unix.ENOENT)
	}
	return host.Neigh{}, err
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
		ntf, state = unix.NTF_PROXY, 0
	}
	if want.Router {
		ntf |= unix.NTF_ROUTER
	}
	if typ == unix.RTM_GETNEIGH {
		state = 0 // it refuses any
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
