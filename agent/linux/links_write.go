package linux

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

const vethInfoPeer = 1 // VETH_INFO_PEER, linux/veth.h

// Create sends one RTM_NEWLINK with all that l sets. Where the kernel takes an attribute only on an existing device, a
// second request follows; a device that then cannot be completed is taken away again.
func (l links) Create(_ context.Context, want host.Link) error {
	if err := validDev(want.Name); err != nil {
		return failed("create link", want.Name, fmt.Errorf("device name %q: %w", want.Name, unix.EINVAL))
	}
	if want.Kind == "tun" {
		return failed("create link", want.Name, l.createTun(want))
	}
	m, later, err := l.newLink(want)
	if err == nil {
		err = l.conn.Do(m)
	}
	if err != nil {
		return failed("create link", want.Name, naming(want, err))
	}
	if later == nil {
		return nil
	}
	return l.complete(*later)
}

// complete sets what could not be set at creation.
func (l links) complete(rest host.Link) error {
	err := l.set(rest)
	if err == nil {
		return nil
	}
	if index, e := l.index(rest.Name); e == nil {
		_ = l.conn.Do(rtnl.New(unix.RTM_DELLINK, 0, ifinfomsg(index, 0, 0)))
	}
	return failed("create link", rest.Name, err)
}

// newLink builds the request that creates a device, and what is left for a second one (nil: nothing).
func (l links) newLink(want host.Link) (*rtnl.Message, *host.Link, error) {
	flags, change := deviceFlags(want)
	m := rtnl.New(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, ifinfomsg(0, flags, change))
	m.Str(unix.IFLA_IFNAME, want.Name)
	rest := host.Link{Name: want.Name, Alias: want.Alias} // rtnl_create_link takes no alias
	if err := l.common(m, want); err != nil {
		return nil, nil, err
	}
	if want.Parent != nil && want.Kind != "vxlan" {
		index, err := l.index(want.Parent.Name)
		if err != nil {
			return nil, nil, fmt.Errorf("device %q: %w", want.Parent.Name, err)
		}
		m.U32(unix.IFLA_LINK, uint32(index))
	}
	var err error
	m.Nest(unix.IFLA_LINKINFO, func() {
		m.Str(unix.IFLA_INFO_KIND, want.Kind)
		err = l.infoData(m, want)
	})
	if rest.Alias == nil || *rest.Alias == "" {
		return m, nil, err
	}
	return m, &rest, err
}

// deviceFlags returns the values and the mask of the flags that l sets.
func deviceFlags(l host.Link) (flags, change uint32) {
	for _, f := range []struct {
		bit uint32
		on  *bool
		not bool
	}{{unix.IFF_UP, l.Up, false}, {unix.IFF_PROMISC, l.Promisc, false}, {unix.IFF_ALLMULTI, l.AllMulti, false}, {unix.IFF_NOARP, l.ARP, true}} {
		if f.on == nil {
			continue
		}
		change |= f.bit
		if *f.on != f.not {
			flags |= f.bit
		}
	}
	return flags, change
}

// common appends the attributes that every kind of device has and that a creation takes too.
func (l links) common(m *rtnl.Message, want host.Link) error {
	if want.MTU != nil {
		m.U32(unix.IFLA_MTU, uint32(*want.MTU))
	}
	if want.Address != nil {
		mac, ok := host.ParseMAC(*want.Address)
		if !ok {
			return fmt.Errorf("address %q: %w", *want.Address, unix.EINVAL)
		}
		m.Attr(unix.IFLA_ADDRESS, mac)
	}
	if want.TxQueueLen != nil {
		m.U32(unix.IFLA_TXQLEN, uint32(*want.TxQueueLen))
	}
	if want.Group != nil {
		m.U32(unix.IFLA_GROUP, uint32(*want.Group))
	}
	if want.Master == nil {
		return nil
	}
	master := 0
	if *want.Master != "" {
		var err error
		if master, err = l.index(*want.Master); err != nil {
			return fmt.Errorf("master %q: %w", *want.Master, err)
		}
	}
	m.U32(unix.IFLA_MASTER, uint32(master))
	return nil
}

// infoData appends IFLA_INFO_DATA with what the kind has of its own.
func (l links) infoData(m *rtnl.Message, want host.Link) (err error) {
	switch {
	case want.Bridge != nil:
		m.Nest(unix.IFLA_INFO_DATA, func() { bridgeData(m, want.Bridge) })
	case want.VXLAN != nil:
		m.Nest(unix.IFLA_INFO_DATA, func() { err = l.vxlanData(m, want) })
	case want.Macvlan != nil && want.Macvlan.Mode != nil:
		mode, ok := macvlanModes[*want.Macvlan.Mode]
		if !ok {
			return fmt.Errorf("mode %q: %w", *want.Macvlan.Mode, unix.EINVAL)
		}
		m.Nest(unix.IFLA_INFO_DATA, func() { m.U32(unix.IFLA_MACVLAN_MODE, mode) })
	case want.Kind == "veth" && want.Peer != nil:
		m.Nest(unix.IFLA_INFO_DATA, func() {
			m.Nest(vethInfoPeer, func() { err = l.vethPeer(m, *want.Peer) })
		})
	}
	return err
}

func (l links) vethPeer(m *rtnl.Message, peer host.LinkRef) error {
	m.Raw(ifinfomsg(0, 0, 0)).Str(unix.IFLA_IFNAME, peer.Name)
	if peer.NetNS == "" {
		return nil
	}
	other, err := l.h.net(peer.NetNS)
	if err == nil {
		m.U32(unix.IFLA_NET_NS_FD, uint32(other.fd))
	}
	return err
}

func bridgeData(m *rtnl.Message, b *host.Bridge) {
	ticks := func(typ uint16, seconds *float64) {
		if seconds != nil {
			m.U32(typ, uint32(*seconds*userHZ+0.5))
		}
	}
	flag := func(typ uint16, on *bool) {
		if on != nil {
			m.Bool(typ, *on)
		}
	}
	ticks(unix.IFLA_BR_FORWARD_DELAY, b.ForwardDelay)
	ticks(unix.IFLA_BR_HELLO_TIME, b.HelloTime)
	ticks(unix.IFLA_BR_MAX_AGE, b.MaxAge)
	ticks(unix.IFLA_BR_AGEING_TIME, b.AgeingTime)
	if b.STP != nil {
		state := uint32(0)
		if *b.STP {
			state = 1
		}
		m.U32(unix.IFLA_BR_STP_STATE, state)
	}
	if b.Priority != nil {
		m.U16(unix.IFLA_BR_PRIORITY, uint16(*b.Priority))
	}
	flag(unix.IFLA_BR_VLAN_FILTERING, b.VLANFiltering)
	flag(unix.IFLA_BR_MCAST_SNOOPING, b.MulticastSnooping)
}

func (l links) vxlanData(m *rtnl.Message, want host.Link) error {
	v := want.VXLAN
	if v.VNI != nil {
		m.U32(unix.IFLA_VXLAN_ID, uint32(*v.VNI))
	}
	for _, a := range []struct {
		v4, v6 uint16
		text   *string
	}{{unix.IFLA_VXLAN_GROUP, unix.IFLA_VXLAN_GROUP6, v.Remote}, {unix.IFLA_VXLAN_GROUP, unix.IFLA_VXLAN_GROUP6, v.Group}, {unix.IFLA_VXLAN_LOCAL, unix.IFLA_VXLAN_LOCAL6, v.Local}} {
		if err := addrAttr(m, a.v4, a.v6, a.text); err != nil {
			return err
		}
	}
	if want.Parent != nil {
		index, err := l.index(want.Parent.Name)
		if err != nil {
			return fmt.Errorf("device %q: %w", want.Parent.Name, err)
		}
		m.U32(unix.IFLA_VXLAN_LINK, uint32(index))
	}
	if v.DstPort != nil {
		m.U16BE(unix.IFLA_VXLAN_PORT, uint16(*v.DstPort))
	}
	if v.TTL != nil {
		m.U8(unix.IFLA_VXLAN_TTL, uint8(*v.TTL))
	}
	if v.TOS != nil {
		m.U8(unix.IFLA_VXLAN_TOS, uint8(*v.TOS))
	}
	if v.Learning != nil {
		m.Bool(unix.IFLA_VXLAN_LEARNING, *v.Learning)
	}
	if v.Ageing != nil {
		m.U32(unix.IFLA_VXLAN_AGEING, uint32(*v.Ageing))
	}
	if v.PortLow != nil && v.PortHigh != nil {
		b := binary.BigEndian.AppendUint16(nil, uint16(*v.PortLow))
		m.Attr(unix.IFLA_VXLAN_PORT_RANGE, binary.BigEndian.AppendUint16(b, uint16(*v.PortHigh)))
	}
	return nil
}

// addrAttr appends an address as the attribute of its family.
func addrAttr(m *rtnl.Message, v4, v6 uint16, text *string) error {
	if text == nil {
		return nil
	}
	a, err := netip.ParseAddr(*text)
	if err != nil {
		return fmt.Errorf("address %q: %w", *text, unix.EINVAL)
	}
	typ := v6
	if a.Is4() {
		typ = v4
	}
	m.Attr(typ, a.AsSlice())
	return nil
}

func (l links) Set(_ context.Context, want host.Link) error {
	return failed("set link", want.Name, naming(want, l.set(want)))
}

// naming says which attribute was refused where the kernel does not and only one can be: it may be built without
// CONFIG_BRIDGE_VLAN_FILTERING, and takes no value of it then (br_vlan_filter_toggle, net/bridge/br_private.h).
func naming(want host.Link, err error) error {
	var refused *rtnl.Error
	if b := want.Bridge; b == nil || b.VLANFiltering == nil || !errors.As(err, &refused) || refused.Errno != unix.EOPNOTSUPP || refused.Text != "" {
		return err
	}
	return &rtnl.Error{Errno: refused.Errno, Text: "vlan_filtering: this kernel's bridges know nothing of VLANs"}
}

func (l links) set(want host.Link) error {
	index, err := l.index(want.Name)
	if err != nil {
		return err
	}
	flags, change := deviceFlags(want)
	m := rtnl.New(unix.RTM_NEWLINK, 0, ifinfomsg(index, flags, change))
	if err := l.common(m, want); err != nil {
		return err
	}
	if want.Alias != nil {
		m.Attr(unix.IFLA_IFALIAS, []byte(*want.Alias))
	}
	if want.Bridge != nil || want.VXLAN != nil || want.Macvlan != nil {
		m.Nest(unix.IFLA_LINKINFO, func() {
			m.Str(unix.IFLA_INFO_KIND, want.Kind)
			err = l.infoData(m, want)
		})
	}
	if err != nil {
		return err
	}
	return l.conn.Do(m)
}

func (l links) Move(_ context.Context, name, netns string) error {
	index, err := l.index(name)
	if err != nil {
		return failed("move link", name, err)
	}
	other, err := l.h.net(netns)
	if err != nil {
		return err
	}
	return failed("move link", name, l.conn.Do(rtnl.New(unix.RTM_NEWLINK, 0, ifinfomsg(index, 0, 0)).U32(unix.IFLA_NET_NS_FD, uint32(other.fd))))
}

// createTun makes a persistent tun or tap device: the driver takes no netlink request for that (drivers/net/tun.c).
func (l links) createTun(want host.Link) error {
	flags := uint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_TUN_EXCL)
	t := want.Tun
	if t != nil && t.Mode != nil && *t.Mode == "tun" {
		flags = unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_TUN_EXCL
	}
	if t != nil && t.MultiQueue != nil && *t.MultiQueue {
		flags |= unix.IFF_MULTI_QUEUE
	}
	err := l.h.inNetNS(l.fd, func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open /dev/net/tun: %w", err)
		}
		defer unix.Close(fd)
		return persistTun(fd, want.Name, flags, t)
	})
	if err != nil {
		return err
	}
	rest := want
	rest.Tun = nil
	return l.complete(rest)
}

func persistTun(fd int, name string, flags uint16, t *host.Tun) error {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	req.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		if err == unix.EBUSY {
			err = unix.EEXIST // IFF_TUN_EXCL
		}
		return err
	}
	if t != nil && t.Owner != nil {
		if err := unix.IoctlSetInt(fd, unix.TUNSETOWNER, *t.Owner); err != nil {
			return os.NewSyscallError("TUNSETOWNER", err)
		}
	}
	return os.NewSyscallError("TUNSETPERSIST", unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1))
}
