package memory

import (
	"context"
	"maps"
	"strconv"
	"strings"

	"labctl/modules/host"
)

// Sysctls returns the kernel parameters as seen from the namespace.
func (n *Net) Sysctls() host.Sysctls { return sysctls{n} }

type sysctls struct{ *Net }

// deviceTrees are the parts of the tree that have a branch for each device.
var deviceTrees = []string{"net.ipv4.conf.", "net.ipv6.conf.", "net.ipv4.neigh.", "net.ipv6.neigh.", "net.mpls.conf."}

// ofDevice splits a key of one device: "net.ipv4.conf", "eth0.100", "rp_filter". ok is false for all others.
func ofDevice(key string) (tree, dev, leaf string, ok bool) {
	for _, t := range deviceTrees {
		rest, found := strings.CutPrefix(key, t)
		if !found {
			continue
		}
		dev, leaf, found = strings.Cut(rest, ".")
		dev = strings.ReplaceAll(dev, "/", ".")
		return strings.TrimSuffix(t, "."), dev, leaf, found && dev != "all" && dev != "default"
	}
	return "", "", "", false
}

func deviceKey(tree, dev, leaf string) string {
	return tree + "." + strings.ReplaceAll(dev, ".", "/") + "." + leaf
}

// plainKey spells a key with dots, as sysctl(8) takes either.
func plainKey(key string) string {
	slash, dot := strings.IndexByte(key, '/'), strings.IndexByte(key, '.')
	if slash >= 0 && (dot < 0 || slash < dot) {
		return strings.NewReplacer(".", "/", "/", ".").Replace(key)
	}
	return key
}

func (s sysctls) Get(ctx context.Context, key string) (string, error) {
	unlock, err := s.open(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	return s.sysctlLocked(ctx, plainKey(key))
}

func (n *Net) sysctlLocked(ctx context.Context, key string) (string, error) {
	missing := refused("read sysctl", key, errNoFile, "")
	if tree, dev, leaf, ok := ofDevice(key); ok {
		d := n.findLocked(dev)
		v, set := n.sysctls[key]
		switch {
		case d == nil, narrow(d) && ofIPv6(tree):
			return "", missing
		case set:
			return v, nil
		case d.fresh || d.fresh6 && ofIPv6(tree):
			return n.freshLocked(ctx, d, tree, leaf)
		}
	}
	if v, ok := n.sysctls[key]; ok {
		return v, nil
	}
	if n.base == nil {
		if v, ok := n.initial[key]; ok {
			return v, nil
		}
		return "", missing
	}
	return n.base.Sysctls().Get(ctx, key)
}

// ofIPv6 reports whether a tree of devices is there for those only that IPv6 knows.
func ofIPv6(tree string) bool { return strings.HasPrefix(tree, "net.ipv6.") }

// freshLocked reads a parameter that a device just got: IPv6 takes its MTU, everything else is the default.
func (n *Net) freshLocked(ctx context.Context, d *link, tree, leaf string) (string, error) {
	v, err := n.sysctlLocked(ctx, deviceKey(tree, "default", leaf))
	if err == nil && tree == "net.ipv6.conf" && leaf == "mtu" {
		v = strconv.Itoa(*d.MTU)
	}
	return v, err
}

// checkMTU6Locked refuses an IPv6 MTU that the device does not allow (addrconf_sysctl_mtu, net/ipv6/addrconf.c).
func (n *Net) checkMTU6Locked(key, value string) error {
	tree, dev, leaf, ok := ofDevice(key)
	if !ok || tree != "net.ipv6.conf" || leaf != "mtu" {
		return nil
	}
	if mtu, err := strconv.Atoi(value); err != nil || mtu < minMTU6 || mtu > *n.findLocked(dev).MTU {
		return invalid("write sysctl", key+"="+value, "")
	}
	return nil
}

// deviceSysctlLocked reads a parameter of a device; "" where there is none.
func (n *Net) deviceSysctlLocked(tree, dev, leaf string) string {
	v, _ := n.sysctlLocked(context.Background(), deviceKey(tree, dev, leaf)) // not there: not set
	return v
}

func (s sysctls) Set(ctx context.Context, key, value string) error {
	unlock, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return s.setSysctlLocked(ctx, plainKey(key), strings.Join(strings.Fields(value), " "))
}

func (n *Net) setSysctlLocked(ctx context.Context, key, value string) error {
	before, err := n.sysctlLocked(ctx, key)
	if err != nil {
		return err
	}
	if err := n.checkMTU6Locked(key, value); err != nil {
		return err
	}
	n.sysctls[key] = value
	delete(n.followed, key)
	if before != value {
		n.propagateLocked(key, before, value)
	}
	n.h.wrote()
	return nil
}

// propagateLocked does what the kernel does beside storing a value (net/ipv4/devinet.c, net/ipv6/addrconf.c).
func (n *Net) propagateLocked(key, before, value string) {
	everywhere := func(tree, leaf string) {
		for _, dev := range []string{"all", "default"} {
			n.sysctls[deviceKey(tree, dev, leaf)] = value
		}
		for _, d := range n.links {
			n.sysctls[deviceKey(tree, d.Name, leaf)] = value
		}
	}
	switch key {
	case "net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding":
		everywhere("net.ipv4.conf", "forwarding")
		n.sysctls["net.ipv4.ip_forward"] = value
		n.sysctls["net.ipv4.conf.all.accept_redirects"] = map[bool]string{true: "1", false: "0"}[value == "0"]
	case "net.ipv6.conf.all.forwarding":
		everywhere("net.ipv6.conf", "forwarding")
	case "net.ipv6.conf.all.disable_ipv6":
		everywhere("net.ipv6.conf", "disable_ipv6")
	}
	if leaf, ok := strings.CutPrefix(key, "net.ipv4.conf.default."); ok {
		n.followDefaultLocked(leaf, before, value)
	}
	if tree, dev, leaf, ok := ofDevice(key); (ok || dev == "all") && tree == "net.ipv6.conf" && leaf == "disable_ipv6" {
		for _, d := range n.links {
			if dev != "all" && dev != d.Name {
				continue
			}
			if d.ready6 = false; value == "0" {
				n.readyLocked(d)
			} else { // as if it went down, for IPv6 alone (addrconf_ifdown)
				n.dropAddrsLocked(func(a host.Addr) bool { return a.Link == d.Name && strings.Contains(a.CIDR, ":") })
				n.dropRoutesLocked(d.Name, false, 6)
				n.dropNeighsLocked(d.Name, 6, true)
			}
		}
	}
}

// followDefaultLocked hands an IPv4 default on to the devices that never had an address or a value of their own
// (devinet_copy_dflt_conf). Where the default that is there is not the kernel's own, it was written before, here or in the first
// namespace, and a device that has appeared since has taken it over as a value that was set.
func (n *Net) followDefaultLocked(leaf, before, value string) {
	for _, d := range n.links {
		key := deviceKey("net.ipv4.conf", d.Name, leaf)
		if _, set := n.sysctls[key]; set && !n.followed[key] {
			continue
		}
		switch {
		case d.addressed && d.fresh && !n.followed[key]:
			n.sysctls[key] = before
		case !d.addressed && !d.fresh && (n.followed[key] || before == kernelDefault(leaf)):
			n.sysctls[key], n.followed[key] = value, true
		}
	}
}

// kernelDefault is what a parameter of IPv4 devices is where nobody has said anything (ipv4_devconf_dflt, net/ipv4/devinet.c).
func kernelDefault(leaf string) string {
	switch leaf {
	case "accept_redirects", "send_redirects", "secure_redirects", "shared_media", "accept_source_route", "arp_evict_nocarrier":
		return "1"
	case "igmpv2_unsolicited_report_interval":
		return "10000"
	case "igmpv3_unsolicited_report_interval":
		return "1000"
	}
	return "0"
}

// inheritLocked gives a device that appears the IPv4 defaults that were written here: with the value it takes over that it
// was set, so it does not follow a later change.
func (n *Net) inheritLocked(dev string) {
	for key, value := range maps.Clone(n.sysctls) {
		if leaf, ok := strings.CutPrefix(key, "net.ipv4.conf.default."); ok {
			n.sysctls[deviceKey("net.ipv4.conf", dev, leaf)] = value
		}
	}
}

// forgetSysctlsLocked drops the parameters of a device that left.
func (n *Net) forgetSysctlsLocked(name string) {
	maps.DeleteFunc(n.sysctls, func(key, _ string) bool {
		_, dev, _, ok := ofDevice(key)
		return ok && dev == name
	})
}

func (s sysctls) All(ctx context.Context, prefix string) (map[string]string, error) {
	unlock, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if prefix == "" {
		prefix = "net"
	}
	out := maps.Clone(s.initial)
	if out == nil {
		out = map[string]string{}
	}
	if s.base != nil {
		if out, err = s.base.Sysctls().All(ctx, prefix); err != nil {
			return nil, err
		}
	}
	maps.Copy(out, s.sysctls)
	for _, d := range s.links {
		if d.fresh || d.fresh6 {
			s.freshKeysLocked(d, out)
		}
	}
	maps.DeleteFunc(out, func(key, _ string) bool {
		tree, dev, _, ok := ofDevice(key)
		d := s.findLocked(dev)
		return key != prefix && !strings.HasPrefix(key, prefix+".") || ok && (d == nil || narrow(d) && ofIPv6(tree))
	})
	return out, nil
}

// freshKeysLocked gives a device that base does not have the branches that the default has.
func (n *Net) freshKeysLocked(d *link, out map[string]string) {
	for key, value := range maps.Clone(out) {
		for _, t := range deviceTrees {
			leaf, ok := strings.CutPrefix(key, t+"default.")
			if !ok || !d.fresh && !ofIPv6(t) {
				continue
			}
			own := deviceKey(strings.TrimSuffix(t, "."), d.Name, leaf)
			if v, set := n.sysctls[own]; set {
				value = v
			} else if t == "net.ipv6.conf." && leaf == "mtu" {
				value = strconv.Itoa(*d.MTU)
			}
			out[own] = value
		}
	}
}
