package adopt

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func isLinkLocal(cidr string) bool {
	p, err := netip.ParsePrefix(cidr)
	return err == nil && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast()
}

func (w *writer) addresses() {
	for _, ns := range w.namesOf() {
		byLink, quick := map[string][]string{}, map[string][]string{}
		for _, a := range w.s.NetNS[ns].Addrs {
			switch {
			case w.ofLoopback(a), a.Dynamic && isLinkLocal(a.CIDR):
				continue // the kernel's own
			case a.Dynamic && !w.All:
				w.leave("its address comes from DHCP or an advertisement", "address "+quoted(a.Link)+" "+a.CIDR+where(ns))
				continue
			case a.Peer != "":
				w.leave("labctl has no words for addresses with a peer", "address "+quoted(a.Link)+" "+a.CIDR+" peer "+a.Peer+where(ns))
				continue
			}
			if a.NoDAD {
				quick[a.Link] = append(quick[a.Link], a.CIDR)
				continue
			}
			byLink[a.Link] = append(byLink[a.Link], a.CIDR)
		}
		for _, l := range w.s.NetNS[ns].Links {
			if cidrs := byLink[l.Name]; cidrs != nil {
				w.add(in(ns, task{module: "address", label: l.Name, args: map[string]any{"cidr": cidrs}}))
			}
			if cidrs := quick[l.Name]; cidrs != nil {
				w.add(in(ns, task{module: "address", label: l.Name, args: map[string]any{"cidr": cidrs, "nodad": true}}))
			}
		}
	}
}

func (w *writer) routes() {
	for _, ns := range w.namesOf() {
		routes := slices.Clone(w.s.NetNS[ns].Routes)
		slices.SortStableFunc(routes, func(a, b host.Route) int { return cmp.Compare(gateways(a), gateways(b)) })
		for _, r := range routes {
			switch {
			case r.Table == 255, slices.Contains([]string{"local", "broadcast", "multicast", "anycast"}, r.Type), r.Protocol == "kernel":
				continue
			case !w.All && !slices.Contains([]string{"", "boot", "static"}, r.Protocol):
				w.leave("its route comes from a daemon or an advertisement ("+r.Protocol+")", "route "+r.String()+where(ns))
				continue
			}
			w.add(in(ns, routeTask(r)))
		}
	}
}

// gateways orders routes: what a gateway is reached by comes before what it leads to.
func gateways(r host.Route) int {
	if r.Via == "" && len(r.NextHops) == 0 {
		return 0
	}
	return 1
}

func routeTask(r host.Route) task {
	args := map[string]any{}
	set := func(name string, v any, given bool) {
		if given {
			args[name] = v
		}
	}
	dst := r.Dst
	if dst == "0.0.0.0/0" || dst == "::/0" {
		dst = "default"
	}
	set("family", "inet6", r.Family == 6 && dst == "default" && !strings.Contains(r.Via, ":"))
	set("type", r.Type, r.Type != "" && r.Type != "unicast")
	set("via", r.Via, r.Via != "")
	set("dev", r.Dev, r.Dev != "" && (r.Type == "" || r.Type == "unicast"))
	set("table", r.Table, r.Table != 0 && r.Table != 254)
	set("metric", r.Metric, r.Metric != 0 && (r.Family == 4 || r.Metric != 1024))
	set("onlink", true, r.OnLink)
	set("src", r.Src, r.Src != "")
	set("mtu", r.MTU, r.MTU != 0)
	var hops []any
	for _, h := range r.NextHops {
		hop := map[string]any{}
		if h.Via != "" {
			hop["via"] = h.Via
		}
		hop["dev"] = h.Dev
		if h.Weight > 1 {
			hop["weight"] = h.Weight
		}
		if h.OnLink {
			hop["onlink"] = true
		}
		hops = append(hops, hop)
	}
	set("nexthop", hops, hops != nil)
	return task{module: "route", label: dst, args: args, first: []string{"via", "dev", "table", "metric"}}
}

func (w *writer) rules() {
	for _, ns := range w.namesOf() {
		for _, r := range w.s.NetNS[ns].Rules {
			if r.Priority == 0 || r.Priority == 32766 || r.Priority == 32767 || r.Action == "lookup" && r.Table == 0 {
				continue // the kernel's own, the last one of VRFs
			}
			t := in(ns, task{module: "rule", label: strconv.Itoa(r.Priority)})
			if r.Family == 6 {
				t.args["family"] = "inet6"
			}
			t.merge(w.read(t))
			if t.args["action"] == "lookup" {
				delete(t.args, "action")
			}
			if strings.Contains(r.From+r.To, ":") {
				delete(t.args, "family")
			}
			w.add(t)
		}
	}
}

func (w *writer) neighbours() {
	for _, ns := range w.namesOf() {
		for _, n := range w.s.NetNS[ns].Neighs {
			args := map[string]any{"dev": n.Link}
			if n.Proxy {
				args["proxy"] = true
			} else {
				args["lladdr"] = n.MAC
				if n.State == "noarp" {
					args["nud"] = n.State
				}
			}
			if n.Router {
				args["router"] = true
			}
			w.add(in(ns, task{module: "neigh", label: n.IP, args: args, first: []string{"dev"}}))
		}
		w.fdb(ns)
	}
}

// fdb writes the entries that somebody made: those for a device's own address are the kernel's.
func (w *writer) fdb(ns string) {
	type key struct {
		dev, mac, state string
		master          bool
		vlan, port, vni int
	}
	var order []key
	remotes := map[key][]string{}
	for _, e := range w.s.NetNS[ns].FDB {
		mac, _ := host.ParseMAC(e.MAC)
		group := len(mac) > 0 && mac[0]&1 != 0
		if e.Extern || e.State == "dynamic" || e.Dst == "" && (e.State == "permanent" || group) {
			continue
		}
		k := key{e.Link, e.MAC, e.State, !e.Self, e.VLAN, e.Port, e.VNI}
		if _, ok := remotes[k]; !ok {
			order = append(order, k)
			remotes[k] = nil
		}
		if e.Dst != "" {
			remotes[k] = append(remotes[k], e.Dst)
		}
	}
	for _, k := range order {
		if l := w.find(device{ns, k.dev}); l != nil && k.mac == host.ZeroMAC && slices.Equal(remotes[k], []string{fmt.Sprint(l.Data["remote"])}) {
			continue // vxlan's own remote or group
		}
		args := map[string]any{"dev": k.dev}
		if k.state != "permanent" {
			args["state"] = k.state
		}
		if k.master {
			args["master"] = true
		}
		if k.vlan != 0 {
			args["vlan"] = k.vlan
		}
		if k.port != 0 {
			args["port"] = k.port
		}
		if k.vni != 0 {
			args["vni"] = k.vni
		}
		if remotes[k] != nil {
			args["dst"] = remotes[k]
		}
		w.add(in(ns, task{module: "fdb", label: k.mac, args: args, first: []string{"dev"}}))
	}
}

// qdiscs writes the queueing disciplines that somebody attached, each behind the one that it serves a class of.
func (w *writer) qdiscs() {
	for _, ns := range w.namesOf() {
		done := map[string]bool{"root": true, "ingress": true}
		rest := slices.Clone(w.s.NetNS[ns].Qdiscs)
		for len(rest) > 0 {
			i := max(slices.IndexFunc(rest, func(q host.Qdisc) bool {
				major, _, _ := strings.Cut(q.Parent, ":")
				return done[q.Parent] || done[q.Link+" "+major]
			}), 0)
			q := rest[i]
			rest = slices.Delete(rest, i, i+1)
			major, _, _ := strings.Cut(q.Handle, ":")
			done[q.Link+" "+major] = true
			w.qdisc(ns, q)
		}
	}
}

func (w *writer) qdisc(ns string, q host.Qdisc) {
	if w.shaped(device{ns, q.Link}) {
		return
	}
	t := in(ns, task{module: "qdisc", label: q.Link, args: map[string]any{"kind": q.Kind}})
	if q.Parent != "root" && q.Parent != "ingress" {
		t.args["parent"] = q.Parent
		t.first = append(t.first, "parent")
	}
	t.first = append(t.first, "kind")
	state := w.read(t)
	if state == nil {
		w.leave("labctl has no words for queueing disciplines of this kind", q.Kind+" of "+quoted(q.Link)+where(ns))
		return
	}
	t.merge(state)
	w.add(t)
}

func span(v host.BridgeVLAN) string {
	if v.First == v.Last {
		return strconv.Itoa(v.First)
	}
	return fmt.Sprintf("%d-%d", v.First, v.Last)
}

func quoted(s string) string { return strconv.Quote(s) }

func where(ns string) string {
	if ns == "" {
		return ""
	}
	return " in netns " + ns
}

// in puts a task into a namespace.
func in(ns string, t task) task {
	if t.args == nil {
		t.args = map[string]any{}
	}
	if ns != "" {
		t.args["netns"] = ns
		t.first = append([]string{"netns"}, t.first...)
	}
	return t
}

// merge adds arguments to those that a task has.
func (t *task) merge(args map[string]any) {
	for name, v := range args {
		if _, ok := t.args[name]; !ok {
			t.args[name] = v
		}
	}
}
