package linux

import (
	"context"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// WireGuards returns the WireGuard devices of the namespace.
func (n *Net) WireGuards() host.WireGuards { return wireguards{n} }

type wireguards struct{ n *Net }

// include/uapi/linux/wireguard.h
const (
	wgGetDevice, wgSetDevice = 0, 1

	wgIfname, wgPrivateKey, wgPublicKey, wgListenPort, wgFwMark, wgPeers = 2, 3, 4, 6, 7, 8

	wgPeerPublicKey, wgPeerPresharedKey, wgPeerFlags, wgPeerEndpoint, wgPeerKeepalive, wgPeerAllowedIPs = 1, 2, 3, 4, 5, 9

	wgIPFamily, wgIPAddr, wgIPMask = 1, 2, 3

	wgRemoveMe, wgReplaceAllowedIPs = 1, 2
)

// with runs fn on a socket of generic netlink in the namespace, with the number that the kernel has given to WireGuard.
func (w wireguards) with(op, name string, fn func(c *rtnl.Conn, family uint16) error) error {
	var conn *rtnl.Conn
	err := w.n.h.inNetNS(w.n.fd, func() (err error) {
		conn, err = rtnl.OpenProtocol(unix.NETLINK_GENERIC)
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	reply, err := conn.Get(rtnl.New(unix.GENL_ID_CTRL, 0, []byte{unix.CTRL_CMD_GETFAMILY, 1, 0, 0}).Str(unix.CTRL_ATTR_FAMILY_NAME, "wireguard"))
	if err != nil {
		return &host.Error{Op: op, Object: name, Kind: host.ErrUnsupported, Err: err, Ack: "the kernel has no WireGuard"}
	}
	for typ, v := range rtnl.Attrs(reply[min(4, len(reply)):]) {
		if typ == unix.CTRL_ATTR_FAMILY_ID {
			return failed(op, name, fn(conn, rtnl.U16(v)))
		}
	}
	return failed(op, name, unix.EBADMSG)
}

func (w wireguards) Get(ctx context.Context, name string) (host.WireGuard, error) {
	var out host.WireGuard
	err := w.with("read WireGuard device", name, func(c *rtnl.Conn, family uint16) error {
		replies, err := c.Dump(ctx, rtnl.New(family, 0, []byte{wgGetDevice, 1, 0, 0}).Str(wgIfname, name))
		if err == nil {
			out = decodeWireGuard(replies)
		}
		return err
	})
	return out, err
}

// decodeWireGuard puts together what comes in several messages: peers that do not fit, and addresses of a peer that do not.
func decodeWireGuard(replies []rtnl.Reply) host.WireGuard {
	var d host.WireGuard
	for _, r := range replies {
		if len(r.Data) < 4 {
			continue
		}
		for typ, v := range rtnl.Attrs(r.Data[4:]) { // behind struct genlmsghdr
			switch typ {
			case wgPrivateKey:
				d.PrivateKey = secret(v)
			case wgPublicKey:
				d.PublicKey = base64.StdEncoding.EncodeToString(v)
			case wgListenPort:
				d.ListenPort = int(rtnl.U16(v))
			case wgFwMark:
				d.FwMark = int(rtnl.U32(v))
			case wgPeers:
				for _, one := range rtnl.Attrs(v) {
					d.Peers = addPeer(d.Peers, decodePeer(one))
				}
			}
		}
	}
	host.Sort(d.Peers, func(a, b host.WireGuardPeer) int { return strings.Compare(a.PublicKey, b.PublicKey) })
	for i := range d.Peers {
		slices.Sort(d.Peers[i].AllowedIPs)
	}
	return d
}

func addPeer(peers []host.WireGuardPeer, p host.WireGuardPeer) []host.WireGuardPeer {
	if last := len(peers) - 1; last >= 0 && peers[last].PublicKey == p.PublicKey {
		peers[last].AllowedIPs = append(peers[last].AllowedIPs, p.AllowedIPs...)
		return peers
	}
	return append(peers, p)
}

// secret is what may be known of a key; "" for none, which is all zeros.
func secret(key []byte) string {
	if !slices.ContainsFunc(key, func(b byte) bool { return b != 0 }) {
		return ""
	}
	return host.SecretDigest(key)
}

func decodePeer(b []byte) host.WireGuardPeer {
	var p host.WireGuardPeer
	for typ, v := range rtnl.Attrs(b) {
		switch typ {
		case wgPeerPublicKey:
			p.PublicKey = base64.StdEncoding.EncodeToString(v)
		case wgPeerPresharedKey:
			p.PresharedKey = secret(v)
		case wgPeerEndpoint:
			p.Endpoint = endpointOf(v)
		case wgPeerKeepalive:
			p.PersistentKeepalive = int(rtnl.U16(v))
		case wgPeerAllowedIPs:
			for _, one := range rtnl.Attrs(v) {
				var addr netip.Addr
				bits := 0
				for typ, v := range rtnl.Attrs(one) {
					switch typ {
					case wgIPAddr:
						addr, _ = netip.AddrFromSlice(v)
					case wgIPMask:
						bits = int(rtnl.U8(v))
					}
				}
				p.AllowedIPs = append(p.AllowedIPs, netip.PrefixFrom(addr, bits).String())
			}
		}
	}
	return p
}

// endpointOf reads struct sockaddr_in or sockaddr_in6.
func endpointOf(b []byte) string {
	from, to := 4, 8
	if rtnl.U16(b) == unix.AF_INET6 {
		from, to = 8, 24
	}
	if len(b) < to {
		return ""
	}
	addr, _ := netip.AddrFromSlice(b[from:to])
	return netip.AddrPortFrom(addr, rtnl.U16BE(b[2:])).String()
}

func encodeSockaddr(text string) ([]byte, error) {
	ap, err := netip.ParseAddrPort(text)
	if err != nil {
		return nil, err
	}
	port := []byte{byte(ap.Port() >> 8), byte(ap.Port())}
	if ap.Addr().Is4() {
		return slices.Concat(rtnl.Put16s(unix.AF_INET), port, ap.Addr().AsSlice(), make([]byte, 8)), nil
	}
	return slices.Concat(rtnl.Put16s(unix.AF_INET6), port, make([]byte, 4), ap.Addr().AsSlice(), make([]byte, 4)), nil
}

func (w wireguards) Set(_ context.Context, name string, c host.WireGuardChange) error {
	ms, err := encodeWireGuard(name, c)
	if err != nil {
		return failed("configure WireGuard device", name, err)
	}
	w.n.h.writes.Add(1)
	return w.with("configure WireGuard device", name, func(conn *rtnl.Conn, family uint16) error {
		for _, m := range ms {
			m.Type = family
			if err := conn.Do(m); err != nil {
				return err
			}
		}
		return nil
	})
}

// How many pieces of peers a request has, and how many networks a piece. An attribute has at most 64 KiB, and a network of
// IPv6 takes 40 bytes of it.
const wgPeersAtOnce, wgIPsAtOnce = 64, 16

// encodeWireGuard returns the requests that make a change. Whatever stands in the way of others is removed first.
func encodeWireGuard(name string, c host.WireGuardChange) ([]*rtnl.Message, error) {
	request := func() *rtnl.Message { return rtnl.New(0, 0, []byte{wgSetDevice, 1, 0, 0}).Str(wgIfname, name) }
	m := request()
	if c.PrivateKey != nil {
		key, _ := host.WireGuardKey(*c.PrivateKey)
		m.Attr(wgPrivateKey, key)
	}
	if c.ListenPort != nil {
		m.U16(wgListenPort, uint16(*c.ListenPort))
	}
	if c.FwMark != nil {
		m.U32(wgFwMark, uint32(*c.FwMark))
	}
	var peers []func(m *rtnl.Message)
	for _, key := range c.Remove {
		b, _ := host.WireGuardKey(key)
		peers = append(peers, func(m *rtnl.Message) { m.Attr(wgPeerPublicKey, b).U32(wgPeerFlags, wgRemoveMe) })
	}
	for _, p := range c.Peers {
		more, err := encodePeer(p)
		if err != nil {
			return nil, err
		}
		peers = append(peers, more...)
	}
	ms := []*rtnl.Message{m}
	for chunk := range slices.Chunk(peers, wgPeersAtOnce) {
		m.Nest(wgPeers|unix.NLA_F_NESTED, func() {
			for _, fill := range chunk {
				m.Nest(unix.NLA_F_NESTED, func() { fill(m) })
			}
		})
		m = request()
		ms = append(ms, m)
	}
	if len(ms) > 1 {
		ms = ms[:len(ms)-1]
	}
	return ms, nil
}

// encodePeer returns what is said of a peer, in pieces where it has many addresses: the first takes the old ones away.
func encodePeer(p host.WireGuardPeer) ([]func(m *rtnl.Message), error) {
	key, _ := host.WireGuardKey(p.PublicKey)
	psk, ok := host.WireGuardKey(p.PresharedKey)
	if !ok {
		psk = make([]byte, 32)
	}
	var endpoint []byte
	if p.Endpoint != "" {
		var err error
		if endpoint, err = encodeSockaddr(p.Endpoint); err != nil {
			return nil, err
		}
	}
	out := []func(m *rtnl.Message){func(m *rtnl.Message) {
		m.Attr(wgPeerPublicKey, key).U32(wgPeerFlags, wgReplaceAllowedIPs).Attr(wgPeerPresharedKey, psk).U16(wgPeerKeepalive, uint16(p.PersistentKeepalive))
		if endpoint != nil {
			m.Attr(wgPeerEndpoint, endpoint)
		}
	}}
	for chunk := range slices.Chunk(p.AllowedIPs, wgIPsAtOnce) {
		prefixes := make([]netip.Prefix, len(chunk))
		for i, text := range chunk {
			var err error
			if prefixes[i], err = netip.ParsePrefix(text); err != nil {
				return nil, err
			}
		}
		out = append(out, func(m *rtnl.Message) {
			m.Attr(wgPeerPublicKey, key).Nest(wgPeerAllowedIPs|unix.NLA_F_NESTED, func() {
				for _, ip := range prefixes {
					family := uint16(unix.AF_INET)
					if ip.Addr().Is6() {
						family = unix.AF_INET6
					}
					m.Nest(unix.NLA_F_NESTED, func() {
						m.U16(wgIPFamily, family).Attr(wgIPAddr, ip.Addr().AsSlice()).U8(wgIPMask, uint8(ip.Bits()))
					})
				}
			})
		})
	}
	return out, nil
}
