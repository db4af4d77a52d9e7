package memory

import (
	"strings"

	"labctl/modules/host"
	"labctl/modules/host/kinds"
)

// look is how the kernel makes a device of some kind where nothing is asked (the setup function of its driver).
type look struct {
	kind     string
	parent   bool // must stand on a device, whose MTU it takes over
	overhead int  // by which its MTU is less than that of the device below
	queue    int  // txqueuelen, if not 1000
	noARP    bool
	noMAC    bool // packets without MAC addresses
}

var looks = []look{{kind: "bridge"}, {kind: "veth"}, {kind: "vxlan", overhead: 50}, {kind: "macvlan", parent: true}, {kind: "vlan", parent: true},
	{kind: "tun"}, {kind: "ifb", queue: 32}, {kind: "dummy", noARP: true}}

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
	if want.Parent != nil {
		d.Parent = &host.LinkRef{Name: want.Parent.Name}
		d.MTU = ptr(*n.findLocked(want.Parent.Name).MTU - headroom(want))
	}
	if want.Kind == "tun" && want.Data["mode"] == "tun" {
		d.TxQueueLen, d.ARP, d.Address = ptr(500), ptr(false), nil
	}
	n.inheritLocked(d.Name)
	return d
}

// headroom is what a tunnel adds to a packet.
func headroom(l host.Link) int {
	if l.Kind == "vxlan" && overIPv6(l.Data) {
		return 70 // VXLAN6_HEADROOM
	}
	return lookOf(l.Kind).overhead
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
	return nil
}
