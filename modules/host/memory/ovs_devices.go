package memory

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
)

// The devices of a datapath are of one kind: those of the kernel's are openvswitch, those of the userspace's are tap devices.
const kernelDatapath, userDatapath = "openvswitch", "tun"

// datapathDevice names the device that a datapath has for itself.
var datapathDevice = map[string]string{userDatapath: "ovs-netdev", kernelDatapath: "ovs-system"}

func datapath(bridge host.OVSRow) string {
	if slices.Equal(bridge["datapath_type"], []string{"netdev"}) {
		return userDatapath
	}
	return kernelDatapath
}

// datapathOf tells the kind of datapath that an interface is part of, "" for one that there is not, and its type.
func datapathOf(s *host.OVSState, iface string) (kind, typ string) {
	row, port := s.Row(host.OVSKey{Table: "Interface", Name: iface})
	if row == nil {
		return "", ""
	}
	_, bridge := s.Row(host.OVSKey{Table: "Port", Name: port})
	if typ = "system"; len(row["type"]) > 0 {
		typ = row["type"][0]
	}
	return datapath(s.Tables["Bridge"][bridge]), typ
}

// device tells the kind of the device that ovs-vswitchd makes for an interface, "" when it makes none.
func device(s *host.OVSState, iface string) string {
	if kind, typ := datapathOf(s, iface); typ == "internal" {
		return kind
	}
	return ""
}

// attached tells the kind of datapath that a device of somebody else's is attached to.
func attached(s *host.OVSState, iface string) string {
	if kind, typ := datapathOf(s, iface); typ == "system" {
		return kind
	}
	return ""
}

// ovsDevices follows what ovs-vswitchd does to the network devices of the host when its configuration changes.
type ovsDevices struct {
	o       *host.OVSState
	n       *Net
	before  map[string]string // kinds of ovs-vswitchd's devices by name, "" for none, of those that may change
	ports   map[string]string // kinds of the datapaths that devices of others were attached to
	rates   map[string]string // what was taken in of them at most
	qos     map[string]string // how they sent
	bridges map[string]bool   // those whose devices may get another MTU
	lost    map[string]bool   // devices that are plugged in again
}

// lookAt notes what is there of all that changes may touch.
func (d *ovsDevices) lookAt(changes []host.OVSChange) {
	for _, c := range changes {
		row, holder := d.o.Row(c.OVSKey)
		switch c.Table {
		case "Interface":
			d.look(c.Name)
			if l := d.n.findLocked(c.Name); l != nil && d.o.Fault(c.Name, &l.Link) != "" {
				d.lost[c.Name] = true
			}
			if _, bridge := d.o.Row(host.OVSKey{Table: "Port", Name: holder}); bridge != "" {
				d.bridges[bridge] = true
			}
		case "Port":
			d.lookPort(c.Name)
			if holder != "" && (c.Set["interfaces"] != nil || c.Add != nil || c.Remove != nil) {
				d.bridges[holder] = true
			}
		case "Bridge":
			touched := slices.Concat(c.Add["ports"], c.Remove["ports"])
			if _, all := c.Set["datapath_type"]; all {
				touched = slices.Concat(touched, row["ports"])
			}
			d.lookPort(touched...)
			if len(touched) > 0 || c.New {
				d.bridges[c.Name] = true
			}
		case "Open_vSwitch":
			for _, b := range c.Remove["bridges"] {
				d.lookPort(d.o.Tables["Bridge"][b]["ports"]...)
			}
		}
	}
	for _, kind := range d.datapaths() {
		d.before[datapathDevice[kind]] = kind
	}
}

func (d *ovsDevices) lookPort(ports ...string) {
	for _, p := range ports {
		for _, i := range d.o.Tables["Port"][p]["interfaces"] {
			d.look(i)
		}
	}
}

func (d *ovsDevices) look(iface string) {
	d.before[iface], d.ports[iface], d.rates[iface], d.qos[iface] = device(d.o, iface), attached(d.o, iface), d.rate(iface), d.sends(iface)
}

// sends is the QoS of the port that an interface is part of.
func (d *ovsDevices) sends(iface string) string {
	_, port := d.o.Row(host.OVSKey{Table: "Interface", Name: iface})
	return strings.Join(d.o.Tables["Port"][port]["qos"], "\n")
}

func (d *ovsDevices) rate(iface string) string {
	return strings.Join(d.o.Tables["Interface"][iface]["ingress_policing_rate"], "")
}

// datapaths lists the kinds in use.
func (d *ovsDevices) datapaths() []string {
	kinds := map[string]bool{}
	for _, b := range d.o.Tables["Bridge"] {
		kinds[datapath(b)] = true
	}
	return slices.Sorted(maps.Keys(kinds))
}

// followLocked makes and removes devices, and sets what ovs-vswitchd sets on those of others.
func (d *ovsDevices) followLocked(ctx context.Context) error {
	now := map[string]string{}
	for _, kind := range d.datapaths() {
		now[datapathDevice[kind]] = kind
	}
	for name := range d.ports {
		now[name] = device(d.o, name)
	}
	for name, was := range d.before {
		if was != "" && was != now[name] {
			if l := d.n.findLocked(name); l != nil {
				if err := d.n.removeLocked(ctx, l); err != nil {
					return err
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if kind := now[name]; kind != "" && kind != d.before[name] {
			d.createLocked(name, kind)
		}
	}
	for name := range d.ports {
		d.policeLocked(name)
		d.shapeLocked(name)
		d.attachLocked(name)
	}
	for name := range d.bridges {
		d.followMTULocked(name)
	}
	return nil
}

// createLocked makes a device that is down; a tap device is promiscuous (dpif_netdev_port_add).
func (d *ovsDevices) createLocked(name, kind string) {
	l := d.n.defaultsLocked(host.Link{Name: name, Kind: kind})
	l.Promisc = ptr(kind == userDatapath)
	d.n.links = append(d.n.links, l)
}

// attachLocked: the userspace datapath makes devices promiscuous, the kernel's is their master.
func (d *ovsDevices) attachLocked(name string) {
	l := d.n.findLocked(name)
	was, now := d.ports[name], attached(d.o, name)
	if d.lost[name] {
		was = ""
	}
	if l == nil || was == now {
		return
	}
	switch was {
	case userDatapath:
		l.Promisc = ptr(false)
	case kernelDatapath:
		l.Master = ptr("")
	}
	switch now {
	case userDatapath:
		l.Promisc = ptr(true)
	case kernelDatapath:
		l.Master = ptr(datapathDevice[now])
	}
}

// policeLocked: a qdisc of the device holds the rate. One that is there is removed with the rate, and when the port comes
// (netdev_linux_set_policing, lib/netdev-linux.c), but not when it goes.
func (d *ovsDevices) policeLocked(name string) {
	now, rate := attached(d.o, name)+device(d.o, name), d.rate(name)
	if now == "" || d.n.findLocked(name) == nil || now == d.ports[name]+d.before[name] && rate == d.rates[name] {
		return
	}
	q := host.Qdisc{Link: name, Parent: "ingress", Handle: "ffff:", Kind: "ingress"}
	if d.n.dropQdiscLocked(q); rate != "" {
		d.n.qdiscs = append(d.n.qdiscs, q)
	}
}

// shapeLocked: Open vSwitch manages what queues the packets of its devices, unless the type is linux-noop
// (netdev_linux_set_qos, lib/netdev-linux.c). What it has made stays when the port goes.
func (d *ovsDevices) shapeLocked(name string) {
	now, qos := attached(d.o, name)+device(d.o, name), d.sends(name)
	if now == "" || d.n.findLocked(name) == nil || now == d.ports[name]+d.before[name] && qos == d.qos[name] || strings.Contains(qos, "type=linux-noop") {
		return
	}
	q := host.Qdisc{Link: name, Parent: "root", Handle: "1:", Kind: "htb", Options: map[string]int64{"default": 1, "r2q": 10}}
	if d.n.dropQdiscLocked(q); strings.Contains(qos, "type=linux-htb") {
		d.n.qdiscs = append(d.n.qdiscs, q)
	}
}

// followMTULocked gives internal devices the smallest MTU of the other ports, unless mtu_request says (update_mtu,
// ofproto/ofproto.c).
func (d *ovsDevices) followMTULocked(bridge string) {
	if d.sameMTULocked(bridge) {
		return
	}
	smallest := 0
	var internal []*link
	for _, p := range d.o.Tables["Bridge"][bridge]["ports"] {
		for _, i := range d.o.Tables["Port"][p]["interfaces"] {
			l := d.n.findLocked(i)
			if l == nil {
				continue
			}
			asked := d.o.Tables["Interface"][i]["mtu_request"]
			if len(asked) > 0 {
				if mtu, err := strconv.Atoi(asked[0]); err == nil {
					d.n.setMTULocked(l, &mtu)
				}
			} else if device(d.o, i) != "" {
				internal = append(internal, l)
				continue
			}
			if smallest == 0 || *l.MTU < smallest {
				smallest = *l.MTU
			}
		}
	}
	if smallest == 0 {
		smallest = 1500
	}
	for _, l := range internal {
		d.n.setMTULocked(l, &smallest)
	}
}

// sameMTULocked spares a look at all ports of a bridge where others came with the MTU that it has already.
func (d *ovsDevices) sameMTULocked(bridge string) bool {
	local := d.n.findLocked(bridge)
	for name, was := range d.ports {
		l := d.n.findLocked(name)
		if local == nil || l == nil || was != "" || attached(d.o, name) == "" || *l.MTU != *local.MTU || len(d.o.Tables["Interface"][name]["mtu_request"]) > 0 {
			return false
		}
	}
	return true
}
