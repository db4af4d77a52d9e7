package linux

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Addrs returns the addresses of the namespace.
func (n *Net) Addrs() host.Addrs { return addrs{n} }

type addrs struct{ *Net }

const (
	ifaProto        = 11 // IFA_PROTO, linux/if_addr.h, since 5.18
	ifaProtKernelLL = 3  // IFAPROT_KERNEL_LL: the kernel made this link-local address
)

var scopes = map[uint8]string{0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}

func (a addrs) List(ctx context.Context, link string) ([]host.Addr, error) {
	index := 0
	if link != "" {
		var err error
		if index, err = a.index(link); err != nil {
			return nil, failed("list addresses", "dev "+link, err)
		}
	}
	out, err := a.known.addresses(ctx, a.Net, uint32(index))
	return out, failed("list addresses", link, err)
}

// dumpAddrs reads all addresses of the namespace, IPv4 first.
func (n *Net) dumpAddrs(ctx context.Context) (*addrCache, error) {
	d := n.newDecoder()
	out := &addrCache{read: time.Now(), byIndex: map[uint32][]host.Addr{}}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		header := make([]byte, unix.SizeofIfAddrmsg)
		header[0] = family
		replies, err := n.conn.Dump(ctx, rtnl.New(unix.RTM_GETADDR, 0, header))
		if err != nil {
			return nil, err
		}
		for _, r := range replies {
			if r.Data[0] == family { // a kernel without IPv6 sends those of both
				out.add(rtnl.U32(r.Data[4:]), d.addr(r.Data))
			}
		}
	}
	return out, nil
}

// addr decodes struct ifaddrmsg and its attributes.
func (d *decoder) addr(b []byte) host.Addr {
	bits, flags := int(b[1]), uint32(b[2])
	out := host.Addr{Link: d.name(rtnl.U32(b[4:])), Scope: scopes[b[3]]}
	var local, address netip.Addr
	proto := uint8(0)
	for typ, v := range rtnl.Attrs(b[unix.SizeofIfAddrmsg:]) {
		switch typ {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(v)
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(v)
		case unix.IFA_BROADCAST:
			if a, ok := netip.AddrFromSlice(v); ok {
				out.Broadcast = a.String()
			}
		case unix.IFA_LABEL:
			out.Label = rtnl.Str(v)
		case unix.IFA_FLAGS:
			flags = rtnl.U32(v)
		case ifaProto:
			proto = rtnl.U8(v)
		}
	}
	if !local.IsValid() {
		local = address
	}
	out.CIDR = netip.PrefixFrom(local, bits).String()
	if address != local {
		out.CIDR, out.Peer = netip.PrefixFrom(local, local.BitLen()).String(), netip.PrefixFrom(address, bits).String()
	}
	if out.Label == out.Link {
		out.Label = ""
	}
	own := local.IsLoopback() || proto == ifaProtKernelLL || proto == 0 && local.Is6() && local.IsLinkLocalUnicast()
	out.Dynamic = flags&unix.IFA_F_PERMANENT == 0 || own
	out.NoDAD = flags&unix.IFA_F_NODAD != 0
	return out
}

func (a addrs) Add(_ context.Context, want host.Addr) error {
	m, err := a.message(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, want)
	if err == nil {
		err = a.conn.Do(m)
	}
	if strings.Contains(want.CIDR, ":") {
		a.known.drop() // the kernel notifies of an IPv6 address when its duplicate detection begins, a moment later
	}
	return failed("add address", want.CIDR+" dev "+want.Link, err)
}

func (a addrs) Delete(_ context.Context, want host.Addr) error {
	m, err := a.message(unix.RTM_DELADDR, 0, host.Addr{Link: want.Link, CIDR: want.CIDR, Peer: want.Peer})
	if err == nil {
		err = a.conn.Do(m)
	}
	return failed("delete address", want.CIDR+" dev "+want.Link, err)
}

func (a addrs) message(typ, flags uint16, want host.Addr) (*rtnl.Message, error) {
	index, err := a.index(want.Link)
	if err != nil {
		return nil, err
	}
	local, err := netip.ParsePrefix(want.CIDR)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", want.CIDR, unix.EINVAL)
	}
	other := local
	if want.Peer != "" {
		if other, err = netip.ParsePrefix(want.Peer); err != nil {
			return nil, fmt.Errorf("peer %q: %w", want.Peer, unix.EINVAL)
		}
	}
	header := make([]byte, unix.SizeofIfAddrmsg)
	header[0], header[1] = familyOf(local.Addr()), uint8(other.Bits())
	if header[3], err = addrScope(want.Scope, local.Addr()); err != nil {
		return nil, err
	}
	rtnl.Put32(header[4:], uint32(index))
	m := rtnl.New(typ, flags, header).Attr(unix.IFA_LOCAL, local.Addr().AsSlice()).Attr(unix.IFA_ADDRESS, other.Addr().AsSlice())
	if want.Broadcast != "" {
		b, err := netip.ParseAddr(want.Broadcast)
		if err != nil {
			return nil, fmt.Errorf("broadcast %q: %w", want.Broadcast, unix.EINVAL)
		}
		m.Attr(unix.IFA_BROADCAST, b.AsSlice())
	}
	if want.Label != "" {
		m.Str(unix.IFA_LABEL, want.Label)
	}
	if want.NoDAD {
		m.U32(unix.IFA_FLAGS, unix.IFA_F_NODAD)
	}
	return m, nil
}

// addrScope returns the scope to send: as ip-address(8) does, host for loopback addresses and global otherwise.
func addrScope(name string, a netip.Addr) (uint8, error) {
	if name == "" && a.Is4() && a.IsLoopback() {
		name = "host"
	}
	return byName(scopes, name, 0)
}

// byName looks a name up in a table of kernel numbers; "" is fallback.
func byName(table map[uint8]string, name string, fallback uint8) (uint8, error) {
	if name == "" {
		return fallback, nil
	}
	for v, s := range table {
		if s == name {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%q: %w", name, unix.EINVAL)
}

func familyOf(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
