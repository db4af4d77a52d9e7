package linux

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"
	"labctl/modules/host/kinds"

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
	below := 0
	if want.Parent != nil {
		var err error
		if below, err = l.index(want.Parent.Name); err != nil {
			return nil, nil, fmt.Errorf("device %q: %w", want.Parent.Name, err)
		}
		if k := kinds.Of(want.Kind); k == nil || k.Link == 0 {
			m.U32(unix.IFLA_LINK, uint32(below))
		}
	}
	if want.Kind == "bridge" && want.Data["vlan_filtering"] == false { // a new one does not, and some kernels take no value of it (see naming)
		want.Data = maps.Clone(want.Data)
		delete(want.Data, "vlan_filtering")
	}
	err := l.linkInfo(m, want, nil, uint32(below))
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

// linkInfo appends IFLA_LINKINFO with what the kind has of its own. have is what is there, nil of a new device.
func (l links) linkInfo(m *rtnl.Message, want host.Link, have host.Attrs, index uint32) (err error) {
	k := kinds.Of(want.Kind)
	m.Nest(unix.IFLA_LINKINFO, func() {
		m.Str(unix.IFLA_INFO_KIND, want.Kind)
		m.Nest(unix.IFLA_INFO_DATA, func() {
			switch {
			case want.Kind == "veth" && want.Peer != nil:
				m.Nest(vethInfoPeer, func() { err = l.vethPeer(m, *want.Peer) })
			case k == nil && want.Data != nil:
				err = fmt.Errorf("attributes of a %s device: %w", want.Kind, unix.EOPNOTSUPP)
			case k != nil:
				if index != 0 && k.Link != 0 {
					m.U32(k.Link, index)
				}
				err = l.encodeAttrs(m, k, want.Data, have)
			}
		})
	})
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

func (l links) Set(_ context.Context, want host.Link) error {
	return failed("set link", want.Name, naming(want, l.set(want)))
}

// naming says which attribute was refused where the kernel does not and only one can be: it may be built without
// CONFIG_BRIDGE_VLAN_FILTERING, and takes no value of it then (br_vlan_filter_toggle, net/bridge/br_private.h).
func naming(want host.Link, err error) error {
	var refused *rtnl.Error
	if want.Data["vlan_filtering"] == nil || !errors.As(err, &refused) || refused.Errno != unix.EOPNOTSUPP || refused.Text != "" {
		return err
	}
	return &rtnl.Error{Errno: refused.Errno, Text: "vlan_filtering: this kernel's bridges know nothing of VLANs"}
}

func (l links) set(want host.Link) error {
	if k := kinds.Of(want.Kind); k != nil && k.Alone && want.Data != nil && want.MTU != nil {
		if err := l.set(host.Link{Name: want.Name, Kind: want.Kind, Data: want.Data}); err != nil {
			return err
		}
		want.Data = nil
	}
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
	if want.Data != nil {
		if err := l.changeData(m, want); err != nil {
			return err
		}
	}
	if want.Port != nil {
		if err := l.portData(m, want.Port); err != nil {
			return err
		}
	}
	return l.conn.Do(m)
}

// portData appends changes of what the device has as a port of a bridge.
func (l links) portData(m *rtnl.Message, want host.Attrs) (err error) {
	m.Nest(unix.IFLA_LINKINFO, func() {
		m.Str(unix.IFLA_INFO_SLAVE_KIND, "bridge")
		m.Nest(unix.IFLA_INFO_SLAVE_DATA, func() { err = l.encodeAttrs(m, kinds.Port("bridge"), want, nil) })
	})
	return err
}

// changeData appends the changes of what the kind has of its own, or all of it where the kernel takes it as a whole only.
func (l links) changeData(m *rtnl.Message, want host.Link) error {
	have, err := l.Get(context.Background(), want.Name)
	if err != nil {
		return err
	}
	want.Kind = have.Kind
	k, below := kinds.Of(want.Kind), 0
	if k != nil && k.Routed && want.MTU == nil && have.MTU != nil {
		m.U32(unix.IFLA_MTU, uint32(*have.MTU))
	}
	if k != nil && k.Whole {
		all := k.With(have.Data, want.Data)
		if all == nil {
			all = host.Attrs{}
		}
		maps.Copy(all, want.Data)
		want.Data = all
		if have.Parent != nil {
			below, _ = l.index(have.Parent.Name) // elsewhere: it has no number here
		}
	}
	if k != nil {
		want.Data = beside(k, want.Data, have.Data)
	}
	return l.linkInfo(m, want, have.Data, uint32(below))
}

// beside returns want with what must be set again beside it to remain as it is.
func beside(k *kinds.Kind, want, have host.Attrs) host.Attrs {
	out := maps.Clone(want)
	for i := range k.Attrs {
		a := &k.Attrs[i]
		if unit := want[a.Beside]; unit != nil && unit != 0.0 && out[a.Name] == nil {
			out[a.Name] = k.Get(have, a.Name)
		}
	}
	return out
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
	if want.Data["mode"] == "tun" {
		flags = unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_TUN_EXCL
	}
	if want.Data["multi_queue"] == true {
		flags |= unix.IFF_MULTI_QUEUE
	}
	err := l.h.inNetNS(l.fd, func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open /dev/net/tun: %w", err)
		}
		defer unix.Close(fd)
		return persistTun(fd, want.Name, flags, want.Data["owner"])
	})
	if err != nil {
		return err
	}
	rest := want
	rest.Data = nil
	return l.complete(rest)
}

func persistTun(fd int, name string, flags uint16, owner any) error {
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
	if uid, ok := owner.(float64); ok {
		if err := unix.IoctlSetInt(fd, unix.TUNSETOWNER, int(uid)); err != nil {
			return os.NewSyscallError("TUNSETOWNER", err)
		}
	}
	return os.NewSyscallError("TUNSETPERSIST", unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1))
}
