package memory

import (
	"context"
	"strconv"
)

// carrierLocked reports whether a device that is up could send: the other end of a veth pair is up, too, and a bridge has a port
// that is, or none.
func (n *Net) carrierLocked(d *link) bool {
	switch d.Kind {
	case "veth":
		_, peer := n.followLocked(context.Background(), d.Peer)
		return peer == nil || is(peer.Up, true)
	case "tun":
		return false // nobody is at the other end
	case "bridge":
		ports := n.portsLocked(d.Name)
		for _, p := range ports {
			if is(p.Up, true) && n.carrierLocked(p) {
				return true
			}
		}
		return len(ports) == 0
	}
	return true
}

// readyLocked lets IPv6 take over the MTU of a device that has a carrier for the first time since it came up
// (addrconf_notify, net/ipv6/addrconf.c).
func (n *Net) readyLocked(d *link) {
	if d.ready6 || !is(d.Up, true) || !n.carrierLocked(d) || n.deviceSysctlLocked("net.ipv6.conf", d.Name, "disable_ipv6") == "1" {
		return
	}
	d.ready6 = true
	if was := n.deviceSysctlLocked("net.ipv6.conf", d.Name, "mtu"); was != "" && !narrow(d) {
		n.sysctls[deviceKey("net.ipv6.conf", d.Name, "mtu")] = strconv.Itoa(*d.MTU)
	}
}
