package sandbox

import (
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
)

// In the network namespace around a guest every NIC is a tap that the kernel holds, a cable that the fabric plugs in under the NIC's
// own name, as it does for other hosts, and a bridge that joins the two. So what watches a host's NIC there sees the wire.

// consoleTap is the cable of the console; it ends here.
const consoleTap = "console"

func tapName(nic string) string { return digest("t", nic) }
func hubName(nic string) string { return digest("h", nic) }

// tapMTU is the largest that a tap takes: 65535 less an Ethernet header.
const tapMTU = 65535 - 14

// makeCables makes taps and bridges. This namespace itself has nothing to say on any wire.
func (g *guest) makeCables() error {
	for _, name := range []string{"all", "default"} {
		if err := sysctl("net/ipv6/conf/"+name+"/disable_ipv6", "1"); err != nil {
			return err
		}
	}
	for _, name := range []string{"iptables", "ip6tables", "arptables"} {
		if err := sysctl("net/bridge/bridge-nf-call-"+name, "0"); err != nil {
			return err
		}
	}
	for _, l := range g.Links {
		hub, err := makeHub(hubName(l.Name))
		if err != nil {
			return fmt.Errorf("join interface %s: %w", l.Name, err)
		}
		if err := makeTap(tapName(l.Name), hub); err != nil {
			return fmt.Errorf("make interface %s: %w", l.Name, err)
		}
	}
	if err := makeTap(consoleTap, 0); err != nil {
		return fmt.Errorf("make console: %w", err)
	}
	tap, err := netlink.LinkByName(consoleTap)
	if err != nil {
		return err
	}
	here, err := netlink.ParseAddr(consoleHere)
	if err != nil {
		return err
	}
	return netlink.AddrAdd(tap, here)
}

// makeHub makes a bridge that learns nothing: what comes in at one end goes out at the other.
func makeHub(name string) (index int, err error) {
	snoop, mask, age := false, uint16(0xfff8), uint32(0)
	hub := &netlink.Bridge{LinkAttrs: linkAttrs(name), MulticastSnooping: &snoop, GroupFwdMask: &mask, AgeingTime: &age}
	hub.Flags = net.FlagUp
	if err := netlink.LinkAdd(hub); err != nil {
		return 0, err
	}
	return hub.Index, nil
}

// makeTap makes a tap that stays while the guest reboots.
func makeTap(name string, master int) error {
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return fmt.Errorf("this kernel has no tap devices (modprobe tun): %w", err)
	}
	tap := &netlink.Tuntap{LinkAttrs: linkAttrs(name), Mode: netlink.TUNTAP_MODE_TAP, Flags: netlink.TUNTAP_VNET_HDR | netlink.TUNTAP_NO_PI}
	if err := netlink.LinkAdd(tap); err != nil {
		return err
	}
	if err := netlink.LinkSetMTU(tap, tapMTU); err != nil {
		return err
	}
	if master != 0 {
		if err := netlink.LinkSetMasterByIndex(tap, master); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(tap)
}

// joinCable puts the near end of a new cable to the guest's tap; the calling thread is in the namespace around the guest.
func joinCable(l link) error {
	near, err := netlink.LinkByName(l.Name)
	if err != nil {
		return err
	}
	hub, err := netlink.LinkByName(hubName(l.Name))
	if err != nil {
		return err
	}
	if err := netlink.LinkSetMaster(near, hub); err != nil {
		return err
	}
	return netlink.LinkSetUp(near)
}
