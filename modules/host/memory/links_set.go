package memory

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
	"labctl/modules/host/kinds"
)

func (l links) Set(ctx context.Context, want host.Link) error {
	unlock, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	d := l.findLocked(want.Name)
	if d == nil {
		return noDevice("set link", want.Name)
	}
	if err := l.setLocked(ctx, d, want, "set link"); err != nil {
		return err
	}
	l.h.wrote()
	return nil
}

// setLocked changes what want sets, as do_setlink (net/core/rtnetlink.c) does.
func (n *Net) setLocked(ctx context.Context, d *link, want host.Link, op string) error {
	if err := n.checkSetLocked(d, want, op); err != nil {
		return err
	}
	if want.Address != nil || want.ARP != nil && !is(d.ARP, *want.ARP) && *d.Up {
		n.dropNeighsLocked(d.Name, 0, false)
	}
	assign(&d.Address, lower(want.Address))
	assign(&d.Promisc, want.Promisc)
	assign(&d.AllMulti, want.AllMulti)
	assign(&d.ARP, want.ARP)
	assign(&d.Alias, want.Alias)
	assign(&d.TxQueueLen, want.TxQueueLen)
	assign(&d.Group, want.Group)
	if want.Data != nil {
		was := d.Data
		d.Data = kinds.Of(d.Kind).With(was, want.Data)
		n.remoteChangedLocked(d, was)
		settle(d, was, want.Data)
		if d.Kind == "bridge" {
			n.pvidChangedLocked(d, was)
		}
	}
	if want.Port != nil {
		d.Port = kinds.Port("bridge").With(d.Port, want.Port)
	}
	if d.Kind == "ipvlan" {
		d.ARP = ptr(own(d.Link, "mode") == "l2")
	}
	n.setMTULocked(d, want.MTU)
	n.setMasterLocked(d, want.Master)
	if want.Up != nil {
		n.turnLocked(d, *want.Up)
	}
	return nil
}

func (n *Net) checkSetLocked(d *link, want host.Link, op string) error {
	if m := want.MTU; m != nil && !d.Loopback && *m != *d.MTU {
		if *m < 68 {
			return invalid(op, d.Name, "mtu less than device minimum")
		}
		if *m > driverMTU(d) {
			return invalid(op, d.Name, "mtu greater than device maximum")
		}
		if *m > n.maxMTULocked(d) {
			return invalid(op, d.Name, "")
		}
	}
	if want.Address != nil && !d.Loopback && !ethernet(d) {
		return refused(op, d.Name, errUnsupported, "") // it has none
	}
	if err := n.checkDataLocked(d, want, op); err != nil {
		return err
	}
	if want.Port != nil && n.bridgeOfLocked(d) == nil {
		return refused(op, d.Name, errUnsupported, "")
	}
	return n.checkMasterLocked(d, want, op)
}

// checkVXLANLocked refuses what vxlan_nl2conf, vxlan_config_validate and vxlan_open do (drivers/net/vxlan/vxlan_core.c).
func (n *Net) checkVXLANLocked(d *link, want host.Link, op string) error {
	for _, a := range []string{"remote", "group", "local"} {
		text, _ := want.Data[a].(string)
		if text == "" || op == "create link" || strings.Contains(text, ":") == overIPv6(d.Data) {
			continue
		}
		ack := "New group address family does not match old group"
		if a == "local" {
			ack = "New local address family does not match old"
		}
		return refused(op, d.Name, errUnsupported, ack)
	}
	data := kinds.Of(d.Kind).With(d.Data, want.Data)
	if d.Parent == nil || d.Parent.NetNS != "" || !overIPv6(data) {
		return nil
	}
	below := n.findLocked(d.Parent.Name)
	switch {
	case below == nil:
		return nil
	case want.Data != nil && n.deviceSysctlLocked("net.ipv6.conf", below.Name, "disable_ipv6") == "1":
		return refused(op, d.Name, errNotAllowed, "IPv6 support disabled by administrator")
	case data["group"] != nil && narrow(below) && is(want.Up, true) && !*d.Up:
		return invalid(op, d.Name, "") // cannot join the group
	}
	return nil
}

// takenLocked reports whether the frames that a device receives go to another one than those of a kind: to what it is a port
// of, or to devices that stand on it. There is one place for that (netdev_rx_handler_register, net/core/dev.c), which a VRF
// does without.
func (n *Net) takenLocked(d *link, kind string) bool {
	m := n.findLocked(*orEmpty(d.Master))
	return m != nil && m.Kind != "vrf" || n.carriesLocked(d, kind)
}

// carriesLocked reports whether devices of another kind than the given one take the frames of a device.
func (n *Net) carriesLocked(d *link, kind string) bool {
	return slices.ContainsFunc(n.links, func(o *link) bool {
		return o.Kind != kind && (o.Kind == "macvlan" || o.Kind == "ipvlan") && o.Parent != nil && o.Parent.NetNS == "" && o.Parent.Name == d.Name
	})
}

// driverMTU is the most that the driver of a device takes.
func driverMTU(d *link) int {
	if d.Kind == "" {
		return 65536 // the driver knows; not seen here
	}
	return 65535
}

// maxMTULocked is the most that a device takes where it stands.
func (n *Net) maxMTULocked(d *link) int {
	limit := driverMTU(d)
	if d.Parent == nil || d.Parent.NetNS != "" {
		return limit
	}
	if p := n.findLocked(d.Parent.Name); p != nil && d.Kind == "vxlan" {
		return *p.MTU - headroom(d.Link)
	} else if p != nil && onlyBelow(d) {
		return *p.MTU
	}
	return limit
}

// onlyBelow reports whether a device takes no more than the one below.
func onlyBelow(d *link) bool { return d.Kind == "macvlan" || d.Kind == "vlan" }

// assign replaces *to by a copy of what from points at, when set.
func assign[T any](to **T, from *T) {
	if from != nil {
		*to = ptr(*from)
	}
}

func lower(s *string) *string {
	if s == nil {
		return nil
	}
	return ptr(strings.ToLower(*s))
}

func (n *Net) setMTULocked(d *link, mtu *int) {
	if mtu == nil || *mtu == *d.MTU {
		return
	}
	d.mtuUser = true
	n.changeMTULocked(d, *mtu)
	for _, s := range n.links { // macvlan_device_event, vlan_device_event: never above the device below
		if onlyBelow(s) && s.Parent != nil && s.Parent.NetNS == "" && s.Parent.Name == d.Name && *s.MTU > *mtu {
			n.changeMTULocked(s, *mtu)
		}
	}
	if aggregates(d) {
		for _, p := range n.portsLocked(d.Name) {
			n.changeMTULocked(p, *mtu)
		}
	}
	if master := n.findLocked(*orEmpty(d.Master)); master != nil {
		n.followPortsLocked(master)
	}
}

// narrow reports whether a device is too narrow for IPv6, which then knows nothing of it (IPV6_MIN_MTU).
func narrow(d *link) bool { return !d.Loopback && d.MTU != nil && *d.MTU < minMTU6 }

// changeMTULocked gives a device an MTU and tells IPv6, which takes it over, or lets go of the device with all there is of
// it (addrconf_notify, net/ipv6/addrconf.c).
func (n *Net) changeMTULocked(d *link, mtu int) {
	d.MTU = ptr(mtu)
	if !narrow(d) {
		if n.deviceSysctlLocked("net.ipv6.conf", d.Name, "mtu") != "" {
			n.sysctls[deviceKey("net.ipv6.conf", d.Name, "mtu")] = strconv.Itoa(mtu)
		}
		return
	}
	d.fresh6 = true
	n.dropNeighsLocked(d.Name, 6, true)
	n.dropAddrsLocked(func(a host.Addr) bool { return a.Link == d.Name && strings.Contains(a.CIDR, ":") })
	n.routes = slices.DeleteFunc(n.routes, func(r host.Route) bool { return r.Family == 6 && uses(r, d.Name) })
	maps.DeleteFunc(n.sysctls, func(key, _ string) bool {
		tree, dev, _, ok := ofDevice(key)
		return ok && dev == d.Name && ofIPv6(tree)
	})
}

// flippedLocked does what follows when a device comes up or goes down.
func (n *Net) flippedLocked(d *link) {
	if *d.Up {
		if d.Loopback {
			n.loopbackUpLocked(d)
		}
		if d.Kind == "wireguard" { // wg_open, drivers/net/wireguard/device.c
			for _, dev := range []string{"all", d.Name} {
				n.sysctls[deviceKey("net.ipv4.conf", dev, "send_redirects")] = "0"
			}
		}
		for _, a := range n.addrs {
			if a.Link == d.Name {
				n.connectLocked(a)
			}
		}
		n.readyLocked(d)
		if other, peer := n.followLocked(context.Background(), d.Peer); peer != nil {
			other.readyLocked(peer)
		}
		return
	}
	d.ready6 = false
	if n.deviceSysctlLocked("net.ipv6.conf", d.Name, "keep_addr_on_down") != "1" {
		n.dropAddrsLocked(func(a host.Addr) bool { return a.Link == d.Name && strings.Contains(a.CIDR, ":") })
	}
	n.dropRoutesLocked(d.Name, false, 4, 6)
	n.dropNeighsLocked(d.Name, 0, true)
	n.quietFDBLocked(d.Name)
}

func (n *Net) loopbackUpLocked(d *link) {
	for _, a := range []host.Addr{{CIDR: "127.0.0.1/8"}, {CIDR: "::1/128"}} {
		a.Link, a.Scope, a.Dynamic = d.Name, "host", true
		there := false
		for _, b := range n.addrs {
			there = there || b.CIDR == a.CIDR && b.Link == a.Link
		}
		if !there {
			d.addressed = true
			n.addrs = append(n.addrs, a)
		}
	}
}
