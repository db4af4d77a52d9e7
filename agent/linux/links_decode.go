package linux

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"
	"labctl/modules/host/kinds"

	"golang.org/x/sys/unix"
)

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
			if len(v) == 6 { // a tunnel has there the address that it is from
				l.Address = ptr(host.MAC(v))
			}
		case unix.IFLA_IFALIAS:
			l.Alias = ptr(rtnl.Str(v))
		case unix.IFLA_TXQLEN:
			l.TxQueueLen = ptr(int(rtnl.U32(v)))
		case unix.IFLA_GROUP:
			l.Group = ptr(int(rtnl.U32(v)))
		case unix.IFLA_LINKINFO:
			d.linkInfo(&l, v)
		}
	}
	d.names[uint32(l.Index)] = l.Name
	return l
}

func (d *decoder) linkInfo(l *host.Link, info []byte) {
	var data, port []byte
	var master string
	for typ, v := range rtnl.Attrs(info) {
		switch typ {
		case unix.IFLA_INFO_KIND:
			l.Kind = rtnl.Str(v)
		case unix.IFLA_INFO_DATA:
			data = v
		case unix.IFLA_INFO_SLAVE_KIND:
			master = rtnl.Str(v)
		case unix.IFLA_INFO_SLAVE_DATA:
			port = v
		}
	}
	l.Port = d.decodeAttrs(kinds.Port(master), port)
	l.Data = d.decodeAttrs(kinds.Of(l.Kind), data)
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
	if k := kinds.Of(l.Kind); link == 0 && k != nil && k.Link != 0 {
		link = rtnl.U32(attr(attr(attr(b[unix.SizeofIfInfomsg:], unix.IFLA_LINKINFO), unix.IFLA_INFO_DATA), k.Link))
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

// nameOf asks by ioctl, which waits for none of the changes that a request of rtnetlink(7) waits for.
func (n *Net) nameOf(index uint32) string {
	var req unix.Ifreq
	req.SetUint32(index)
	if err := unix.IoctlIfreq(n.conn.FD(), unix.SIOCGIFNAME, &req); err != nil {
		return ""
	}
	return req.Name()
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
	return n.h.container(func(other *Net) bool { return n.nsidOf(other.fd) == nsid })
}

// container returns the first namespace of a container among those in use for which is holds.
func (h *Host) container(is func(*Net) bool) *Net {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, other := range h.nets {
		if strings.HasPrefix(other.ref, host.ContainerNetNS) && is(other) {
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
	if v := attr(b[4:], unix.NETNSA_NSID); v != nil {
		return int32(rtnl.U32(v))
	}
	return -1
}

// attr returns the attribute num of b, nil if there is none.
func attr(b []byte, num uint16) []byte {
	for typ, v := range rtnl.Attrs(b) {
		if typ == num {
			return v
		}
	}
	return nil
}
