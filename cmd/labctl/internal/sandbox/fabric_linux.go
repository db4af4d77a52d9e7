package sandbox

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// wireMTU is that of the far end of every interface: a wire carries whatever a host's own MTU lets out.
const wireMTU = 65535

// fabric is the two namespaces that join the hosts: wires has a bridge for every network and
// for every jump host, outside stands for this computer as the hosts see it. The kernel itself
// remembers what was made: each far end has as alias the fingerprint of its interface.
type fabric struct{ wires, outside *space }

// space is one of the two, with what is in it.
type space struct {
	ns   *os.File
	h    *netlink.Handle
	ends map[string]string // name -> alias, of bridges and far ends; nil until listed
}

func newFabric() (*fabric, error) {
	wires, err := newSpace(func() error {
		for _, name := range []string{"net/ipv6/conf/all/disable_ipv6", "net/ipv6/conf/default/disable_ipv6"} {
			if err := sysctl(name, "1"); err != nil {
				return err
			}
		}
		for _, name := range []string{"iptables", "ip6tables", "arptables"} {
			if err := sysctl("net/bridge/bridge-nf-call-"+name, "0"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	outside, err := newSpace(setupOutside)
	if err != nil {
		wires.close()
		return nil, err
	}
	return &fabric{wires, outside}, nil
}

// setupOutside gives the client its addresses. Sources are not checked against routes, because two
// hosts may have the same address, as behind one NAT.
func setupOutside() error {
	for name, value := range map[string]string{
		"net/ipv4/conf/all/rp_filter": "0", "net/ipv4/conf/default/rp_filter": "0", "net/ipv4/ip_forward": "0",
		"net/ipv6/conf/all/disable_ipv6": "0", "net/ipv6/conf/default/disable_ipv6": "0",
		"net/ipv6/conf/default/accept_dad": "0",
	} {
		if err := sysctl(name, value); err != nil {
			return err
		}
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	for _, v6 := range []bool{false, true} {
		if _, err := os.Stat("/proc/net/if_inet6"); v6 && err != nil {
			continue // booted with ipv6.disable=1
		}
		if err := addAddress(netlink.AddrAdd, lo, ipNet(single(outsideIP(v6)))); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(lo)
}

func newSpace(setup func() error) (*space, error) {
	ns, err := newNetns(setup)
	if err != nil {
		return nil, err
	}
	h, err := netlink.NewHandleAt(netns.NsHandle(ns.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		ns.Close()
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	return &space{ns: ns, h: h}, nil
}

func (s *space) close() {
	s.h.Close()
	s.ns.Close()
}

// list refreshes what is known of the space.
func (s *space) list() error {
	links, err := whole(s.h.LinkList)
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	s.ends = map[string]string{}
	for _, l := range links {
		if a := l.Attrs(); a.Name != "lo" {
			s.ends[a.Name] = a.Alias
		}
	}
	return nil
}

// whole lists again what has changed while it was listed.
func whole[T any](list func() ([]T, error)) (all []T, err error) {
	for range 10 {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return all, err
}

// remove deletes a link by name; one that is gone by itself is no fault.
func (s *space) remove(name string) error {
	l, err := s.h.LinkByName(name)
	if err == nil {
		err = s.h.LinkDel(l)
	}
	if errors.As(err, &netlink.LinkNotFoundError{}) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

// of says in which space a wire lies.
func (f *fabric) of(w wire) *space {
	if w.Kind == wireOutside {
		return f.outside
	}
	return f.wires
}

// digest makes an interface name, 15 characters, that is the same for the same thing.
func digest(prefix string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return fmt.Sprintf("%s%x", prefix, sum[:7])
}

func bridgeName(w wire) string        { return digest("w", w.Kind, w.Of) }
func endName(host, nic string) string { return digest("p", host, nic) }

// fingerprint changes with anything that takes a new interface to change.
func (l link) fingerprint(host string) string {
	text := fmt.Sprintf("%+v %s %d %v", l.Wire, l.MAC, l.MTU, l.Addresses)
	return fmt.Sprintf("%s %s %x", host, l.Name, sha256.Sum256([]byte(text)))
}

// ensureBridge makes the bridge of a wire: it learns and forwards and does nothing else. Multicast is
// flooded, for snooping without a querier would cut VXLAN groups off; so are the link-local groups of
// 802.1Q except the three that a bridge must keep (group_fwd_mask), LLDP for one.
func (f *fabric) ensureBridge(w wire) error {
	name, snoop, mask := bridgeName(w), false, uint16(0xfff8)
	if f.wires.ends[name] != "" {
		return nil
	}
	if err := f.wires.remove(name); err != nil {
		return err
	}
	br := &netlink.Bridge{LinkAttrs: linkAttrs(name), MulticastSnooping: &snoop, GroupFwdMask: &mask}
	br.Flags = net.FlagUp
	if err := f.wires.h.LinkAdd(br); err != nil {
		return fmt.Errorf("create bridge of %s %q: %w", w.Kind, w.Of, err)
	}
	return f.wires.h.LinkSetAlias(br, w.Kind+" "+w.Of)
}

func linkAttrs(name string) netlink.LinkAttrs {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	return attrs
}

// plug makes an interface: a veth pair whose near end is born inside the host. The alias comes last, so
// that one cut short half-way is made anew.
func (f *fabric) plug(m machine, l link, host *os.File) error {
	s, name := f.of(l.Wire), endName(m.Name, l.Name)
	attrs := linkAttrs(name)
	attrs.MTU, attrs.Flags = wireMTU, net.FlagUp
	if l.Wire.Kind == wireNetwork || l.Wire.Kind == wireBehind {
		br, err := s.h.LinkByName(bridgeName(l.Wire))
		if err != nil {
			return fmt.Errorf("find wire %s %q: %w", l.Wire.Kind, l.Wire.Of, err)
		}
		attrs.MasterIndex = br.Attrs().Index
	}
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: l.Name, PeerHardwareAddr: l.MAC, PeerMTU: uint32(l.MTU),
		PeerTxQLen: -1, PeerNamespace: netlink.NsFd(host.Fd())}
	if m.guest() { // the guest's interface has these; a bridge would keep what is for the address of its own port
		veth.PeerHardwareAddr, veth.PeerMTU = nil, wireMTU
	}
	if err := s.h.LinkAdd(veth); err != nil {
		return fmt.Errorf("create interface %s: %w", l.Name, err)
	}
	if l.Wire.Kind == wireOutside {
		if err := f.routeOut(veth, l, m); err != nil {
			return err
		}
	}
	return nil
}

// routeOut makes the host reachable from outside. The metric tells hosts with the same address apart;
// the relay names the interface.
func (f *fabric) routeOut(veth netlink.Link, l link, m machine) error {
	index := veth.Attrs().Index
	if m.IP.Is6() { // neighbour discovery asks for an address on the interface itself
		if err := addAddress(f.outside.h.AddrAdd, veth, ipNet(single(outside6))); err != nil {
			return err
		}
	}
	err := f.outside.h.RouteAdd(&netlink.Route{LinkIndex: index, Dst: ipNet(single(m.IP)), Src: outsideIP(m.IP.Is6()).AsSlice(),
		Scope: netlink.SCOPE_LINK, Priority: index})
	if err != nil {
		return fmt.Errorf("route to %s: %w", m.IP, err)
	}
	return nil
}

// mark records that an interface is complete.
func (f *fabric) mark(host string, l link) error {
	s := f.of(l.Wire)
	end, err := s.h.LinkByName(endName(host, l.Name))
	if err != nil {
		return fmt.Errorf("find far end of %s: %w", l.Name, err)
	}
	return s.h.LinkSetAlias(end, l.fingerprint(host))
}

// prune removes the far ends and bridges that the plan no longer has; the near ends go with them.
func (f *fabric) prune(machines []machine) error {
	want := map[string]bool{}
	for _, m := range machines {
		for _, l := range m.Links {
			want[endName(m.Name, l.Name)] = true
			want[bridgeName(l.Wire)] = true
		}
	}
	for _, s := range []*space{f.wires, f.outside} {
		for name := range s.ends {
			if !want[name] {
				if err := s.remove(name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
