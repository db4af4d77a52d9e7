package adopt

import (
	"slices"
	"strings"

	"labctl/modules"
	"labctl/modules/host"
)

func (w *writer) namespaces() {
	for _, ns := range w.namesOf() {
		if ns != "" {
			w.add(task{module: "netns", label: ns})
		}
	}
	for ns := range w.s.NetNS {
		if strings.Contains(ns, ":") {
			w.leave("it belongs to the container", "the network of "+ns)
		}
	}
}

// links writes the devices, each after those that it stands on or is a port of.
func (w *writer) links() {
	done := map[device]bool{}
	for _, ns := range w.namesOf() {
		for _, l := range w.s.NetNS[ns].Links {
			w.link(ns, l, done)
		}
	}
	for _, ns := range w.namesOf() {
		for _, l := range w.s.NetNS[ns].Links {
			if l.Port != nil {
				w.port("bridge_port", ns, l.Name)
			}
		}
		w.vlans(ns)
	}
}

func (w *writer) port(module, ns, dev string) {
	t := in(ns, task{module: module, label: dev})
	if t.merge(w.read(t)); len(t.args) > len(t.first) {
		w.add(t)
	}
}

func (w *writer) link(ns string, l host.Link, done map[device]bool) {
	at := device{ns, l.Name}
	if done[at] {
		return
	}
	if p := w.peer(ns, l); p != nil && l.Peer.NetNS == "" && p.Name < l.Name {
		w.link(ns, *p, done) // of a pair in one namespace always the same end stands for both
		return
	}
	done[at] = true
	for _, below := range w.below(ns, l) {
		if o := w.find(below); o != nil {
			w.link(below.netns, *o, done)
		}
	}
	switch {
	case slices.Contains(fallbacks, l.Name) && (l.Up == nil || !*l.Up): // it comes with the kernel's module
	case l.Loopback:
		w.loopback(ns, l)
	case w.nics[at], l.Kind == "openvswitch", l.Kind == "tun" && w.switched(at), slices.Contains(fallbacks, l.Name):
		w.nic(ns, l)
	case l.Kind == "veth":
		w.veth(ns, l, done)
	default:
		w.virtual(ns, l)
	}
}

// fallbacks are devices that the kernel makes by itself.
var fallbacks = []string{"gre0", "gretap0", "erspan0", "ip6gre0", "ip6gretap0", "tunl0", "ip6tnl0", "sit0", "ip_vti0", "ip6_vti0"}

func (w *writer) below(ns string, l host.Link) []device {
	var out []device
	if l.Parent != nil {
		out = append(out, device{w.resolve(ns, l.Parent.NetNS), l.Parent.Name})
	}
	if l.Master != nil && *l.Master != "" && !w.gathers(ns, l) {
		out = append(out, device{ns, *l.Master})
	}
	for _, name := range w.gathered(ns, l) {
		out = append(out, device{ns, name})
	}
	if o := w.peer(ns, l); o != nil && o.Master != nil && *o.Master != "" && !w.gathers(w.resolve(ns, l.Peer.NetNS), *o) {
		out = append(out, device{w.resolve(ns, l.Peer.NetNS), *o.Master})
	}
	return out
}

// gathers reports whether the master of a device is one that takes its ports while they are down, and so gathers them by itself.
func (w *writer) gathers(ns string, l host.Link) bool {
	if l.Master == nil {
		return false
	}
	m := w.find(device{ns, *l.Master})
	return m != nil && (m.Kind == "bond" || m.Kind == "team")
}

// gathered are the ports that a device gathers by itself.
func (w *writer) gathered(ns string, l host.Link) (ports []string) {
	if l.Kind != "bond" && l.Kind != "team" {
		return nil
	}
	for _, p := range w.s.NetNS[ns].Links {
		if p.Master != nil && *p.Master == l.Name {
			ports = append(ports, p.Name)
		}
	}
	return ports
}

// resolve returns the namespace that a reference from ns is to.
func (w *writer) resolve(ns, ref string) string {
	switch ref {
	case "":
		return ns
	case host.OwnNetNS:
		return ""
	}
	return ref
}

func (w *writer) find(d device) *host.Link {
	state := w.s.NetNS[d.netns]
	if state == nil {
		return nil
	}
	for i := range state.Links {
		if state.Links[i].Name == d.name {
			return &state.Links[i]
		}
	}
	return nil
}

func (w *writer) peer(ns string, l host.Link) *host.Link {
	if l.Kind != "veth" || l.Peer == nil {
		return nil
	}
	return w.find(device{w.resolve(ns, l.Peer.NetNS), l.Peer.Name})
}

// loopback is there from the start, and up in the host's own namespace.
func (w *writer) loopback(ns string, l host.Link) {
	if ns != "" && l.Up != nil && *l.Up {
		w.add(in(ns, task{module: "link", label: l.Name, args: map[string]any{"up": true}}))
	}
}

// nic writes what was done to a device that no task makes.
func (w *writer) nic(ns string, l host.Link) {
	t := in(ns, task{module: "link", label: l.Name})
	if ns != "" && w.nics[device{ns, l.Name}] {
		t.args["from"] = ""
		t.first = append(t.first, "from")
	}
	state := w.read(t)
	if w.gathers(ns, l) {
		delete(state, "master")
	}
	t.merge(state)
	w.add(t)
}

func (w *writer) veth(ns string, l host.Link, done map[device]bool) {
	done[device{w.resolve(ns, l.Peer.NetNS), l.Peer.Name}] = true
	w.virtual(ns, l)
}

func (w *writer) virtual(ns string, l host.Link) {
	module := l.Kind
	if module == "tun" {
		module = "tuntap"
	}
	if _, err := modules.Default.Lookup(module); err != nil || module == "link" {
		w.leave("labctl has no module for devices of this kind", l.Kind+" "+quoted(l.Name)+where(ns))
		return
	}
	if l.Parent != nil && w.resolve(ns, l.Parent.NetNS) != ns {
		w.leave("the device below is in another namespace", l.Kind+" "+quoted(l.Name)+where(ns))
		return
	}
	t := in(ns, task{module: module, label: l.Name})
	state := w.read(t)
	if state == nil {
		w.leave("its module cannot read it", l.Kind+" "+quoted(l.Name)+where(ns))
		return
	}
	for name, v := range map[string]string{"master": "", "peer_master": "", "ports": ""} {
		if state[name] == v {
			delete(state, name)
		}
	}
	delete(state, "ports") // ports say it themselves, once they are there
	if ports := w.gathered(ns, l); len(ports) > 0 {
		state["ports"] = ports
	}
	if w.gathers(ns, l) {
		delete(state, "master")
	}
	if p := w.peer(ns, l); p != nil && w.gathers(w.resolve(ns, l.Peer.NetNS), *p) {
		delete(state, "peer_master")
	}
	if p := w.peer(ns, l); p != nil && l.Peer.NetNS == "" {
		delete(state, "peer_netns")
	}
	if l.Kind == "wireguard" {
		if port := w.s.NetNS[ns].WireGuards[l.Name].ListenPort; port != 0 { // others have to know it, whoever chose it
			state["listen_port"] = port
		}
		w.leave("it is secret: give private_key a value that is encrypted, or private_key_file", "the keys of wireguard "+quoted(l.Name)+where(ns))
	}
	t.merge(state)
	t.first = append(t.first, identity...)
	w.add(t)
}

// identity are the arguments that tell what a device is.
var identity = []string{"vni", "id", "dev", "peer", "remote", "group", "local"}

func (w *writer) vlans(ns string) {
	for _, l := range w.s.NetNS[ns].Links {
		list := w.s.NetNS[ns].VLANs[l.Name]
		if len(list) == 0 || w.onlyDefault(list) {
			continue
		}
		vids, untagged, pvid := []string{}, []string{}, 0
		for _, v := range list {
			vids = append(vids, span(v))
			if v.Untagged {
				untagged = append(untagged, span(v))
			}
			if v.PVID {
				pvid = v.First
			}
		}
		w.add(in(ns, task{module: "bridge_vlan", label: l.Name, args: map[string]any{"vids": vids, "untagged": untagged, "pvid": pvid, "exclusive": true}}))
	}
}

// onlyDefault: a port is in VLAN 1 by itself.
func (w *writer) onlyDefault(list []host.BridgeVLAN) bool {
	return len(list) == 1 && list[0] == host.BridgeVLAN{First: 1, Last: 1, PVID: true, Untagged: true}
}
