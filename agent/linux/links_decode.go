package linux

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// userHZ is the unit of the bridge's times: clock ticks per second as user space sees them, 100 on every port of Linux.
const userHZ = 100

// decoder turns RTM_NEWLINK messages into links and remembers names, which messages give as indexes.
type decoder struct {
	n     *Net
	names map[uint32]string
}

func (n *Net) newDecoder() *decoder { return &decoder{n: n, names: map[uint32]string{}} }

func ptr[T any](v T) *T { return &v }

// link decodes everything but references to other devices.
func (d *decoder) link(b []byte) host.Link {
	flags := rtnl.U32(b[8:])
	l := host.Link{
		Index: int(rtnl.U32(b[4:])), Loopback: flags&unix.IFF_LOOPBACK != 0,
		Up: ptr(flags&unix.IFF_UP != 0), Promisc: ptr(flags&unix.IFF_PROMISC != 0),
		AllMulti: ptr(flags&unix.IFF_ALLMULTI != 0), ARP: ptr(flags&unix.IFF_NOARP == 0),
		Master: ptr(""), Alias: ptr(""),
	}
	for typ, v := range rtnl.Attrs(b[unix.SizeofIfInfomsg:]) {
		switch typ {
		case unix.IFLA_IFNAME:
			l.Name = rtnl.Str(v)
		case unix.IFLA_MTU:
			l.MTU = ptr(int(rtnl.U32(v)))
		case unix.IFLA_ADDRESS:
			l.Address = ptr(host.MAC(v))
		case unix.IFLA_IFALIAS:
			l.Alias = ptr(rtnl.Str(v))
		case unix.IFLA_TXQLEN:
			l.TxQueueLen = ptr(int(rtnl.U32(v)))
		case unix.IFLA_GROUP:
			l.Group = ptr(int(rtnl.U32(v)))
		case unix.IFLA_LINKINFO:
			linkInfo(&l, v)
		}
	}
	d.names[uint32(l.Index)] = l.Name
	return l
}

func linkInfo(l *host.Link, info []byte) {
	var data []byte
	for typ, v := range rtnl.Attrs(info) {
		switch typ {
		case unix.IFLA_INFO_KIND:
			l.Kind = rtnl.Str(v)
		case unix.IFLA_INFO_DATA:
			data = v
		}
	}
	switch l.Kind {
	case "bridge":
		l.Bridge = decodeBridge(data)
	case "vxlan":
		l.VXLAN = decodeVXLAN(data)
	case "macvlan", "macvtap":
		l.Macvlan = decodeMacvlan(data)
	case "tun":
		l.Tun = decodeTun(data)
	}
}

// refer resolves what the message says of other devices.
func (d *decoder) refer(l *host.Link, b []byte) {
	nsid, link := int32(-1), uint32(0)
	for typ, v := range rtnl.Attrs(b[unix.SizeofIfInfomsg:]) {
		switch typ {
		case unix.IFLA_MASTER:
			l.Master = ptr(d.name(rtnl.U32(v)))
		case unix.IFLA_LINK:
			link = rtnl.U32(v)
		case unix.IFLA_LINK_NETNSID:
			nsid = int32(rtnl.U32(v))
		}
	}
	if l.Kind == "vxlan" && link == 0 {
		link = vxlanDev(b)
	}
	if link == 0 || link == uint32(l.Index) && nsid < 0 {
		return
	}
	ref := &host.LinkRef{Name: d.name(link)}
	if nsid >= 0 {
		ref = d.n.elsewhere(nsid, link)
	}
	if l.Kind == "veth" {
		l.Peer = ref
	} else {
		l.Parent = ref
	}
}

// name returns the name of a device of this namespace, "" when it has vanished meanwhile.
func (d *decoder) name(index uint32) string {
	if s, ok := d.names[index]; ok {
		return s
	}
	s := d.n.nameOf(index)
	if s != "" {
		d.names[index] = s
	}
	return s
}

func (n *Net) nameOf(index uint32) string {
	b, err := n.conn.Get(rtnl.New(unix.RTM_GETLINK, 0, ifinfomsg(int(index), 0, 0)).U32(unix.IFLA_EXT_MASK, skipStats))
	if err != nil {
		return ""
	}
	for typ, v := range rtnl.Attrs(b[unix.SizeofIfInfomsg:]) {
		if typ == unix.IFLA_IFNAME {
			return rtnl.Str(v)
		}
	}
	return ""
}

// elsewhere names a device in the namespace that this one knows as nsid.
func (n *Net) elsewhere(nsid int32, index uint32) *host.LinkRef {
	other := n.byNSID(nsid)
	if other == nil {
		return &host.LinkRef{NetNS: "nsid:" + strconv.Itoa(int(nsid))}
	}
	return &host.LinkRef{Name: other.nameOf(index), NetNS: other.from(n)}
}

// from returns the reference to n as links in the namespace viewer have it.
func (n *Net) from(viewer *Net) string {
	switch {
	case n.ino == viewer.ino:
		return ""
	case n.ref == "":
		return host.OwnNetNS
	}
	return n.ref
}

// byNSID finds a namespace that this one has given a number to, among ours and the named ones.
func (n *Net) byNSID(nsid int32) *Net {
	if own, err := n.h.net(""); err == nil && n.nsidOf(own.fd) == nsid {
		return own
	}
	if n.nsidOf(n.fd) == nsid {
		return n
	}
	entries, _ := os.ReadDir(n.h.dir)
	for _, e := range entries {
		fd, err := unix.Open(filepath.Join(n.h.dir, e.Name()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		id := n.nsidOf(fd)
		_ = unix.Close(fd)
		if id == nsid {
			other, _ := n.h.net(e.Name())
			return other
		}
	}
	return nil
}

// nsidOf asks what number this namespace gave to the one open as fd; -1: none.
func (n *Net) nsidOf(fd int) int32 {
	b, err := n.conn.Get(rtnl.New(unix.RTM_GETNSID, 0, make([]byte, 4)).U32(unix.NETNSA_FD, uint32(fd)))
	if err != nil || len(b) < 4 {
		return -1
	}
	for typ, v := range rtnl.Attrs(b[4:]) {
		if typ == unix.NETNSA_NSID {
			return int32(rtnl.U32(v))
		}
	}
	return -1
}

func decodeBridge(data []byte) *host.Bridge {
	seconds := func(v []byte) *float64 { return ptr(float64(rtnl.U32(v)) / userHZ) }
	out := &host.Bridge{}
	for typ, v := range rtnl.Attrs(data) {
		switch typ {
		case unix.IFLA_BR_STP_STATE:
			out.STP = ptr(rtnl.U32(v) != 0)
		case unix.IFLA_BR_FORWARD_DELAY:
			out.ForwardDelay = seconds(v)
		case unix.IFLA_BR_HELLO_TIME:
			out.HelloTime = seconds(v)
		case unix.IFLA_BR_MAX_AGE:
			out.MaxAge = seconds(v)
		case unix.IFLA_BR_AGEING_TIME:
			out.AgeingTime = seconds(v)
		case unix.IFLA_BR_PRIORITY:
			out.Priority = ptr(int(rtnl.U16(v)))
		case unix.IFLA_BR_VLAN_FILTERING:
			out.VLANFiltering = ptr(rtnl.U8(v) != 0)
		case unix.IFLA_BR_MCAST_SNOOPING:
			out.MulticastSnooping = ptr(rtnl.U8(v) != 0)
		}
	}
	return out
}

func decodeVXLAN(data []byte) *host.VXLAN {
	out := &host.VXLAN{}
	for typ, v := range rtnl.Attrs(data) {
		switch typ {
		case unix.IFLA_VXLAN_ID:
			out.VNI = ptr(int(rtnl.U32(v)))
		case unix.IFLA_VXLAN_GROUP, unix.IFLA_VXLAN_GROUP6:
			if a, ok := netip.AddrFromSlice(v); ok && a.IsMulticast() {
				out.Group = ptr(a.String())
			} else if ok && !a.IsUnspecified() {
				out.Remote = ptr(a.String())
			}
		case unix.IFLA_VXLAN_LOCAL, unix.IFLA_VXLAN_LOCAL6:
			if a, ok := netip.AddrFromSlice(v); ok && !a.IsUnspecified() {
				out.Local = ptr(a.String())
			}
		case unix.IFLA_VXLAN_PORT:
			out.DstPort = ptr(int(rtnl.U16BE(v)))
		case unix.IFLA_VXLAN_TTL:
			out.TTL = ptr(int(rtnl.U8(v)))
		case unix.IFLA_VXLAN_TOS:
			out.TOS = ptr(int(rtnl.U8(v)))
		case unix.IFLA_VXLAN_LEARNING:
			out.Learning = ptr(rtnl.U8(v) != 0)
		case unix.IFLA_VXLAN_AGEING:
			out.Ageing = ptr(int(rtnl.U32(v)))
		case unix.IFLA_VXLAN_PORT_RANGE: // struct ifla_vxlan_port_range: two big-endian ports
			if len(v) >= 4 {
				out.PortLow, out.PortHigh = ptr(int(rtnl.U16BE(v))), ptr(int(rtnl.U16BE(v[2:])))
			}
		}
	}
	return out
}

// vxlanDev finds the underlying device of a VXLAN device: IFLA_VXLAN_LINK; 0: none.
func vxlanDev(b []byte) uint32 {
	for typ, info := range rtnl.Attrs(b[unix.SizeofIfInfomsg:]) {
		if typ != unix.IFLA_LINKINFO {
			continue
		}
		for typ, data := range rtnl.Attrs(info) {
			if typ != unix.IFLA_INFO_DATA {
				continue
			}
			for typ, v := range rtnl.Attrs(data) {
				if typ == unix.IFLA_VXLAN_LINK {
					return rtnl.U32(v)
				}
			}
		}
	}
	return 0
}

var macvlanModes = map[string]uint32{"private": 1, "vepa": 2, "bridge": 4, "passthru": 8, "source": 16}

func decodeMacvlan(data []byte) *host.Macvlan {
	out := &host.Macvlan{}
	for typ, v := range rtnl.Attrs(data) {
		if typ != unix.IFLA_MACVLAN_MODE {
			continue
		}
		for name, mode := range macvlanModes {
			if mode == rtnl.U32(v) {
				out.Mode = ptr(name)
			}
		}
	}
	return out
}

func decodeTun(data []byte) *host.Tun {
	out := &host.Tun{MultiQueue: ptr(false)}
	for typ, v := range rtnl.Attrs(data) {
		switch typ {
		case unix.IFLA_TUN_TYPE:
			mode := "tap"
			if rtnl.U8(v) == unix.IFF_TUN {
				mode = "tun"
			}
			out.Mode = &mode
		case unix.IFLA_TUN_OWNER:
			out.Owner = ptr(int(rtnl.U32(v)))
		case unix.IFLA_TUN_MULTI_QUEUE:
			out.MultiQueue = ptr(rtnl.U8(v) != 0)
		}
	}
	return out
}
