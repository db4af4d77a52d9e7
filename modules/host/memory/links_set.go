package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"labctl/modules/host"
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
	assign(&d.Address, lower(want.Address))
	assign(&d.Promisc, want.Promisc)
	assign(&d.AllMulti, want.AllMulti)
	assign(&d.ARP, want.ARP)
	assign(&d.Alias, want.Alias)
	assign(&d.TxQueueLen, want.TxQueueLen)
	assign(&d.Group, want.Group)
	setBridge(d, want.Bridge)
	setVXLAN(d, want.VXLAN)
	if want.Macvlan != nil && d.Macvlan != nil {
		assign(&d.Macvlan.Mode, want.Macvlan.Mode)
	}
	if t := want.Tun; t != nil && d.Tun != nil {
		d.Tun = &host.Tun{Mode: d.Tun.Mode, Owner: d.Tun.Owner, MultiQueue: d.Tun.MultiQueue}
		assign(&d.Tun.Mode, t.Mode)
		assign(&d.Tun.Owner, t.Owner)
		assign(&d.Tun.MultiQueue, t.MultiQueue)
	}
	n.setMTULocked(d, want.MTU)
	n.setMasterLocked(d, want.Master)
	if want.Up != nil && *want.Up != *d.Up {
		d.Up = ptr(*want.Up)
		n.flippedLocked(d)
	}
	return nil
}

func (n *Net) checkSetLocked(d *link, want host.Link, op string) error {
	if m := want.MTU; m != nil && !d.Loopback && *m != *d.MTU {
		if *m < 68 {
			return invalid(op, d.Name, "mtu less than device minimum")
		}
		if *m > n.maxMTULocked(d) {
			return invalid(op, d.Name, "mtu greater than device maximum")
		}
	}
	if want.Master == nil || *want.Master == "" || is(d.Master, *want.Master) {
		return nil
	}
	master := n.findLocked(*want.Master)
	switch {
	case master == nil:
		return noDevice(op, d.Name+": master "+*want.Master)
	case master.Kind != "bridge":
		return &host.Error{Op: op, Object: d.Name, Kind: host.ErrUnsupported, Err: fmt.Errorf("operation not supported")}
	case d.Loopback:
		return invalid(op, d.Name, "")
	case n.carriesMacvlanLocked(d.Name):
		return busy(op, d.Name)
	case d.Kind == "bridge":
		return &host.Error{Op: op, Object: d.Name, Err: fmt.Errorf("too many levels of symbolic links"), Ack: "Can not enslave a bridge to a bridge"}
	}
	return nil
}

// carriesMacvlanLocked says whether macvlan devices take the frames of a device: then no bridge can.
func (n *Net) carriesMacvlanLocked(dev string) bool {
	for _, d := range n.links {
		if d.Kind == "macvlan" && d.Parent != nil && d.Parent.NetNS == "" && d.Parent.Name == dev {
			return true
		}
	}
	return false
}

func busy(op, object string) error {
	return &host.Error{Op: op, Object: object, Kind: host.ErrBusy, Err: fmt.Errorf("device or resource busy")}
}

func (n *Net) maxMTULocked(d *link) int {
	limit := 65535
	if d.Kind == "" {
		limit = 65536 // the driver knows; not seen here
	}
	if d.Parent == nil || d.Parent.NetNS != "" {
		return limit
	}
	if p := n.findLocked(d.Parent.Name); p != nil && d.Kind == "vxlan" {
		return *p.MTU - headroom(d.VXLAN)
	} else if p != nil && d.Kind == "macvlan" {
		return *p.MTU
	}
	return limit
}

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

func setBridge(d *link, want *host.Bridge) {
	if want == nil || d.Bridge == nil {
		return
	}
	b := *d.Bridge
	assign(&b.STP, want.STP)
	assign(&b.ForwardDelay, want.ForwardDelay)
	assign(&b.HelloTime, want.HelloTime)
	assign(&b.MaxAge, want.MaxAge)
	assign(&b.AgeingTime, want.AgeingTime)
	assign(&b.Priority, want.Priority)
	assign(&b.VLANFiltering, want.VLANFiltering)
	assign(&b.MulticastSnooping, want.MulticastSnooping)
	d.Bridge = &b
}

func setVXLAN(d *link, want *host.VXLAN) {
	if want == nil || d.VXLAN == nil {
		return
	}
	v := *d.VXLAN
	assign(&v.VNI, want.VNI)
	if want.Remote != nil || want.Group != nil { // one attribute of the kernel
		v.Remote, v.Group = nil, nil
	}
	assign(&v.Remote, want.Remote)
	assign(&v.Group, want.Group)
	assign(&v.Local, want.Local)
	assign(&v.DstPort, want.DstPort)
	assign(&v.TTL, want.TTL)
	assign(&v.TOS, want.TOS)
	assign(&v.Learning, want.Learning)
	assign(&v.Ageing, want.Ageing)
	assign(&v.PortLow, want.PortLow)
	assign(&v.PortHigh, want.PortHigh)
	d.VXLAN = &v
}

func (n *Net) setMTULocked(d *link, mtu *int) {
	if mtu == nil || *mtu == *d.MTU {
		return
	}
	d.MTU = ptr(*mtu)
	d.mtuUser = true
	if *mtu < minMTU6 {
		n.dropAddrsLocked(func(a host.Addr) bool { return a.Link == d.Name && strings.Contains(a.CIDR, ":") })
		n.routes = slices.DeleteFunc(n.routes, func(r host.Route) bool { return r.Family == 6 && uses(r, d.Name) })
	}
	for _, s := range n.links { // macvlan_device_event: never above the device below
		if s.Kind == "macvlan" && s.Parent != nil && s.Parent.NetNS == "" && s.Parent.Name == d.Name && *s.MTU > *mtu {
			s.MTU = ptr(*mtu)
		}
	}
	if master := n.findLocked(*orEmpty(d.Master)); master != nil {
		n.followPortsLocked(master)
	}
}

func (n *Net) setMasterLocked(d *link, master *string) {
	if master == nil || is(d.Master, *master) {
		return
	}
	before := n.findLocked(*orEmpty(d.Master))
	d.Master = ptr(*master)
	for _, m := range []*link{before, n.findLocked(*master)} {
		if m != nil {
			n.followPortsLocked(m)
		}
	}
}

// followPortsLocked lets a bridge take the smallest MTU of its ports, unless its own was set (br_mtu_auto_adjust).
func (n *Net) followPortsLocked(bridge *link) {
	if !bridge.mtuUser {
		bridge.MTU = ptr(n.portMTULocked(bridge.Name))
	}
}

func (n *Net) portMTULocked(bridge string) int {
	mtu := 0
	for _, p := range n.portsLocked(bridge) {
		if p.MTU != nil && (mtu == 0 || *p.MTU < mtu) {
			mtu = *p.MTU
		}
	}
	if mtu == 0 {
		return 1500
	}
	return mtu
}

// flippedLocked does what follows when a device comes up or goes down.
func (n *Net) flippedLocked(d *link) {
	if *d.Up {
		if d.Loopback {
			n.loopbackUpLocked(d)
		}
		for _, a := range n.addrs {
			if a.Link == d.Name {
				n.connectLocked(a)
			}
		}
		return
	}
	if n.deviceSysctlLocked("net.ipv6.conf", d.Name, "keep_addr_on_down") != "1" {
		n.dropAddrsLocked(func(a host.Addr) bool { return a.Link == d.Name && strings.Contains(a.CIDR, ":") })
	}
	n.dropRoutesLocked(d.Name, false)
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
