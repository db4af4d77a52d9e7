package memory

import (
	"slices"

	"labctl/modules/host"
)

// checkMasterLocked refuses what br_add_if (net/bridge/br_if.c) and netdev_upper_dev_link do.
func (n *Net) checkMasterLocked(d *link, want host.Link, op string) error {
	name := want.Master
	if name == nil || *name == "" || is(d.Master, *name) {
		return nil
	}
	master := n.findLocked(*name)
	switch {
	case master == nil:
		return refused(op, d.Name, noneCalled("master", *name), "")
	case master.Kind == "vrf" && d.Loopback:
		return refused(op, d.Name, errUnsupported, "Can not enslave loopback device to VRF")
	case master.Kind == "vrf" && d.Kind != "vrf":
		return nil
	case aggregates(master) && *d.Up && !is(want.Up, false):
		return refused(op, d.Name, errNotAllowed, "Device can not be enslaved while up")
	case master.Kind != "bridge" && !aggregates(master):
		return refused(op, d.Name, errUnsupported, "")
	case !ethernet(d):
		return invalid(op, d.Name, "")
	case n.carriesLocked(d, ""):
		return busy(op, d.Name)
	case d.Kind == "bridge" && master.Kind == "bridge":
		return refused(op, d.Name, errLoop, "Can not enslave a bridge to a bridge")
	case n.aboveLocked(d, master):
		return busy(op, d.Name)
	}
	return nil
}

// aboveLocked reports whether d stands on below: as a macvlan or a tunnel of it, as its bridge, or by several such steps.
func (n *Net) aboveLocked(d, below *link) bool {
	for _, u := range n.links {
		stands := u.Parent != nil && u.Parent.NetNS == "" && u.Parent.Name == below.Name || is(below.Master, u.Name)
		if stands && (u == d || n.aboveLocked(d, u)) {
			return true
		}
	}
	return false
}

func (n *Net) setMasterLocked(d *link, master *string) {
	if master == nil || is(d.Master, *master) {
		return
	}
	n.fdb = slices.DeleteFunc(n.fdb, func(e host.FDBEntry) bool { return e.Link == d.Name && e.Master != "" })
	before := n.findLocked(*orEmpty(d.Master))
	d.Master = ptr("")
	n.releasedLocked(d, before)
	if m := n.findLocked(*master); m != nil {
		d.Master = ptr(*master)
		n.enslavedLocked(d, m)
	}
}

// aggregates reports whether a device makes one of its ports: they take over its MTU, and come up with it.
func aggregates(d *link) bool { return d.Kind == "bond" || d.Kind == "team" }

// enslavedLocked does what follows when d has become a port.
func (n *Net) enslavedLocked(d, master *link) {
	switch {
	case aggregates(master):
		d.ownMTU = *d.MTU
		n.changeMTULocked(d, *master.MTU)
		n.turnLocked(d, true)
	case master.Kind == "vrf":
		n.cycleLocked(d)
	default:
		d.Port = host.Attrs{"cost": portCost(d)}
		n.joinVLANLocked(d.Name, master)
		n.followPortsLocked(master)
	}
}

// portCost is what the spanning tree makes of the speed of a device (port_cost, net/bridge/br_if.c): that of a veth is 10
// Gbit/s, and that of others is not known, which is 0.
func portCost(d *link) float64 {
	if d.Kind == "veth" {
		return 2
	}
	return 0
}

// releasedLocked does what follows when d is not a port of a device any more, which is nil if it never was.
func (n *Net) releasedLocked(d, master *link) {
	switch {
	case master == nil:
	case aggregates(master):
		n.turnLocked(d, false)
		if d.ownMTU > 0 {
			n.changeMTULocked(d, d.ownMTU)
		}
	case master.Kind == "vrf":
		n.cycleLocked(d)
	default:
		d.Port = nil
		delete(n.vlans, d.Name)
		n.followPortsLocked(master)
	}
}

func (n *Net) turnLocked(d *link, up bool) {
	if *d.Up != up {
		d.Up = ptr(up)
		n.flippedLocked(d)
	}
}

// cycleLocked takes a device that is up down and up again: its routes come back in another table (cycle_netdev,
// drivers/net/vrf.c).
func (n *Net) cycleLocked(d *link) {
	if *d.Up {
		n.turnLocked(d, false)
		n.turnLocked(d, true)
	}
}

// followPortsLocked lets a bridge take the smallest MTU of its ports, unless its own was set (br_mtu_auto_adjust).
func (n *Net) followPortsLocked(bridge *link) {
	if bridge.Kind != "bridge" {
		return
	}
	if mtu := n.portMTULocked(bridge.Name); !bridge.mtuUser && *bridge.MTU != mtu {
		n.changeMTULocked(bridge, mtu)
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
