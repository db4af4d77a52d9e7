package adopt

import (
	"maps"
	"slices"
	"strings"

	"labctl/modules/host"
)

// hardware finds the devices that no task makes.
func (w *writer) hardware() {
	w.nics = map[device]bool{}
	for ns, state := range w.s.NetNS {
		for _, l := range state.Links {
			if slices.Contains(fallbacks, l.Name) || l.Kind == "" && !l.Loopback || l.Kind == "veth" && !w.paired(l) {
				w.nics[device{ns, l.Name}] = true
			}
		}
	}
}

// paired reports whether both ends of a veth are where tasks can name them.
func (w *writer) paired(l host.Link) bool {
	return l.Peer != nil && !strings.Contains(l.Peer.NetNS, ":")
}

// boots reports whether a device is set up by the machine's own boot: its address came by DHCP or the like.
func (w *writer) boots(ns, dev string) bool {
	return ns == "" && slices.ContainsFunc(w.s.NetNS[ns].Addrs, func(a host.Addr) bool {
		return a.Link == dev && a.Dynamic && !isLinkLocal(a.CIDR)
	})
}

// emptied is the same host with nothing done to it: its hardware, and what the boot gives.
func (w *writer) emptied() *host.Snapshot {
	scratch := w.s.Scratch
	if scratch == nil {
		scratch = &host.NetState{Sysctls: w.s.NetNS[""].Sysctls}
	}
	own := &host.NetState{Sysctls: maps.Clone(scratch.Sysctls), Rules: scratch.Rules}
	if own.Rules == nil {
		own.Rules = w.defaultRules()
	}
	for _, l := range w.s.NetNS[""].Links {
		if l.Loopback {
			own.Links = append(own.Links, l)
		}
	}
	for ns, state := range w.s.NetNS {
		for _, l := range state.Links {
			if w.nics[device{ns, l.Name}] {
				own.Links = append(own.Links, w.unset(ns, l))
			}
		}
	}
	for _, a := range w.s.NetNS[""].Addrs {
		if a.Dynamic || w.ofLoopback(a) {
			own.Addrs = append(own.Addrs, a)
		}
	}
	out := &host.Snapshot{Version: host.SnapshotVersion, Name: w.s.Name, Facts: w.s.Facts, NetNS: map[string]*host.NetState{"": own}, Scratch: w.s.Scratch, KernelModules: w.s.KernelModules}
	if w.s.OVS != nil {
		out.OVS = &host.OVSState{Tables: map[string]map[string]host.OVSRow{"Open_vSwitch": {"": {}}}}
	}
	return out
}

// unset is a device of hardware to which nothing has been done.
func (w *writer) unset(ns string, l host.Link) host.Link {
	up, mtu, none, no := w.boots(ns, l.Name), 1500, "", false
	queue, group := 1000, 0
	l.Up, l.MTU, l.Master, l.Alias, l.Port = &up, &mtu, &none, &none, nil
	l.Promisc, l.AllMulti, l.TxQueueLen, l.Group = &no, &no, &queue, &group
	return l
}

func (w *writer) ofLoopback(a host.Addr) bool {
	return a.Link == "lo" && (a.CIDR == "127.0.0.1/8" || a.CIDR == "::1/128")
}

// defaultRules are those that the kernel makes.
func (w *writer) defaultRules() []host.Rule {
	var out []host.Rule
	for _, r := range w.s.NetNS[""].Rules {
		if r.Priority == 0 || r.Priority == 32766 || r.Priority == 32767 {
			out = append(out, r)
		}
	}
	return out
}
