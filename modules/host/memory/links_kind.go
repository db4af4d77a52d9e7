package memory

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"labctl/modules/host"
	"labctl/modules/host/kinds"
)

// look is how the kernel makes a device of some kind where nothing is asked (the setup function of its driver).
type look struct {
	kind     string
	parent   bool // must stand on a device, whose MTU it takes over
	overhead int  // by which its MTU is less than that of the device below
	mtu      int  // if not 1500
	queue    int  // txqueuelen, if not 1000
	noARP    bool
	noMAC    bool // packets without MAC addresses
}

var looks = []look{{kind: "bridge"}, {kind: "veth"}, {kind: "vxlan", overhead: 50}, {kind: "macvlan", parent: true}, {kind: "vlan", parent: true},
	{kind: "ipvlan", parent: true}, {kind: "tun"}, {kind: "ifb", queue: 32, noARP: true}, {kind: "dummy", noARP: true}, {kind: "bond"}, {kind: "team"}, {kind: "wireguard", mtu: 1420, noARP: true, noMAC: true},
	{kind: kernelDatapath},
	{kind: "vrf", mtu: 65575, noARP: true}, {kind: "gre", overhead: 24, noARP: true, noMAC: true}, {kind: "gretap", overhead: 38},
	{kind: "ip6gre", overhead: 52, noARP: true, noMAC: true}, {kind: "ip6gretap", overhead: 66}, {kind: "geneve", overhead: 50},
	{kind: "ipip", overhead: 20, noARP: true, noMAC: true}, {kind: "sit", overhead: 20, noARP: true, noMAC: true}}

func lookOf(kind string) *look {
	for i := range looks {
		if looks[i].kind == kind {
			return &looks[i]
		}
	}
	return nil
}

// own returns an attribute of the device's kind, the default if nothing else is there.
func own(l host.Link, name string) any { return kinds.Of(l.Kind).Get(l.Data, name) }

// overIPv6 reports whether the packets of a tunnel are IPv6.
func overIPv6(data host.Attrs) bool {
	for _, name := range []string{"remote", "group", "local"} {
		if text, _ := data[name].(string); strings.Contains(text, ":") {
			return true
		}
	}
	return false
}

// defaultsLocked makes a device as the kernel does when nothing is asked of it (drivers/net, net/bridge, net/core/dev.c).
func (n *Net) defaultsLocked(want host.Link) *link {
	n.index++
	k := lookOf(want.Kind)
	d := &link{fresh: true, Link: host.Link{Name: want.Name, Index: n.index, Kind: want.Kind, Up: ptr(false), MTU: ptr(1500),
		Address: ptr(""), Promisc: ptr(false), AllMulti: ptr(false), ARP: ptr(!k.noARP), Master: ptr(""), Alias: ptr(""), TxQueueLen: ptr(1000), Group: ptr(0)}}
	if k.queue > 0 {
		d.TxQueueLen = ptr(k.queue)
	}
	if k.noMAC {
		d.Address = nil
	}
	if k.mtu > 0 {
		d.MTU = ptr(k.mtu)
	}
	if want.Parent != nil {
		d.Parent = &host.LinkRef{Name: want.Parent.Name}
	}
	if mtu := n.belowLocked(want); mtu > 0 {
		d.MTU = ptr(mtu - headroom(want))
	}
	if want.Kind == "geneve" && want.Data["external"] == true {
		d.MTU = ptr(65535 - 70) // the most, less what it adds over IPv6 (geneve_link_config, drivers/net/geneve.c)
	}
	if want.Kind == "tun" && want.Data["mode"] == "tun" {
		d.TxQueueLen, d.ARP, d.Address = ptr(500), ptr(false), nil
	}
	if want.Kind == "vrf" {
		n.lookIntoVRFsLocked()
	}
	n.inheritLocked(d.Name)
	return d
}

// lookIntoVRFsLocked adds the rules that lead to the tables of VRFs; they come with the first and stay.
func (n *Net) lookIntoVRFsLocked() {
	for _, family := range []int{4, 6} {
		r := host.Rule{Family: family, Priority: 1000, Action: "lookup"} // without a table: that of the VRF
		if !slices.Contains(n.rules, r) {
			n.rules = append(n.rules, r)
		}
	}
}

// belowLocked is the MTU of what a new device stands on, 0 if it stands on nothing.
func (n *Net) belowLocked(want host.Link) int {
	mtu, k := 0, kinds.Of(want.Kind)
	if want.Parent != nil {
		mtu = *n.findLocked(want.Parent.Name).MTU
	}
	if k == nil || !k.Routed {
		return mtu
	}
	to, _ := want.Data["remote"].(string)
	if from, _ := want.Data["local"].(string); strings.HasPrefix(want.Kind, "ip6") && from == "" {
		to = "" // ip6_tnl_get_cap, net/ipv6/ip6_tunnel.c
	}
	if dev := n.wayLocked(to, want.Parent); dev != nil {
		mtu = min(*dev.MTU, 65535)
	}
	if mtu == 0 && want.Kind != "geneve" {
		mtu = 1500
	}
	return mtu
}

// wayLocked is the device that packets to an address leave by, nil if there is none.
func (n *Net) wayLocked(to string, only *host.LinkRef) *link {
	a, err := netip.ParseAddr(to)
	if err != nil {
		return nil
	}
	var out *link
	best := -1
	for _, r := range n.routes {
		p, err := netip.ParsePrefix(strings.Replace(r.Dst, "default", "0.0.0.0/0", 1))
		if err != nil || r.Table != mainTable || r.Dev == "" || p.Addr().Is4() != a.Is4() || !p.Contains(a) || p.Bits() <= best || only != nil && r.Dev != only.Name {
			continue
		}
		out, best = n.findLocked(r.Dev), p.Bits()
	}
	return out
}

// headroom is what a tunnel adds to a packet.
func headroom(l host.Link) int {
	h := lookOf(l.Kind).overhead
	switch {
	case l.Kind == "vxlan" || l.Kind == "geneve":
		if overIPv6(l.Data) {
			h += 20
		}
	case strings.Contains(l.Kind, "gre"): // gre_calc_hlen, include/net/gre.h
		for _, field := range []string{"ocsum", "okey", "oseq"} {
			if v := l.Data[field]; v != nil && v != false && v != -1.0 {
				h += 4
			}
		}
	}
	return h
}

// checkDataLocked refuses attributes that the kind does not have, and what its driver does.
func (n *Net) checkDataLocked(d *link, want host.Link, op string) error {
	for name := range want.Data {
		if kinds.Of(d.Kind).Find(name) == nil {
			return invalid(op, d.Name, name+" is not an attribute of "+d.Kind)
		}
	}
	if d.Kind == "vxlan" {
		return n.checkVXLANLocked(d, want, op)
	}
	if primary, _ := want.Data["primary"].(string); primary != "" && n.findLocked(primary) == nil {
		return refused(op, d.Name, fmt.Errorf("primary %s: %w", primary, errNoDevice), "")
	}
	if now := d.Link; want.Data != nil && op != "create link" {
		now.Data = kinds.Of(d.Kind).With(d.Data, want.Data)
		if n.tunnelTakenLocked(d.Name, now) {
			return refused(op, d.Name, errExist, "")
		}
	}
	return nil
}

// settle lets the attributes of a device follow each other as its driver does.
func settle(d *link, was, want host.Attrs) {
	k := kinds.Of(d.Kind)
	switch d.Kind {
	case "bond":
		d.Data = k.With(d.Data, monitors(k, d.Data, want))
	case "ipip", "sit": // ipip_netlink_parms, ipip6_netlink_parms
		if number(want["ttl"]) > 0 || number(d.Data["ttl"]) > 0 {
			d.Data = k.With(d.Data, host.Attrs{"pmtudisc": true})
		}
	case "bridge": // recalculate_group_addr, net/bridge/br_device.c
		if want["group_address"] == nil && k.Get(was, "group_address") == groupAddress(k, was) {
			d.Data = k.With(d.Data, host.Attrs{"group_address": groupAddress(k, d.Data)})
		}
	}
}

// monitors is what follows from what a bond is told: the two ways to watch ports exclude each other, and delays are counted
// in looks at the carrier (drivers/net/bonding/bond_options.c).
func monitors(k *kinds.Kind, data, want host.Attrs) host.Attrs {
	out := host.Attrs{}
	switch {
	case number(want["arp_interval"]) > 0:
		out["miimon"] = 0.0
	case number(want["miimon"]) > 0:
		out["arp_interval"] = 0.0
	}
	unit := k.Int(k.With(data, out), "miimon")
	for _, name := range []string{"updelay", "downdelay"} {
		if v := k.Int(data, name); unit == 0 {
			out[name] = 0.0
		} else {
			out[name] = float64(v - v%unit)
		}
	}
	return out
}

func number(v any) float64 { f, _ := v.(float64); return f }

// groupAddress is where a bridge sends spanning tree packets if nobody says so: as a bridge of customers or of a provider.
func groupAddress(k *kinds.Kind, data host.Attrs) string {
	if k.Get(data, "vlan_filtering") == true && k.Get(data, "vlan_protocol") == "802.1ad" {
		return "01:80:c2:00:00:08"
	}
	return "01:80:c2:00:00:00"
}
