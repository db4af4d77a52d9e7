package memory

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"labctl/modules/host"
)

const mainTable = 254

// Routes returns the routing tables of the namespace.
func (n *Net) Routes() host.Routes { return routes{n} }

type routes struct{ *Net }

func tableOf(t int) int {
	if t == 0 {
		return mainTable
	}
	return t
}

func (r routes) List(ctx context.Context, f host.RouteFilter) ([]host.Route, error) {
	unlock, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := []host.Route{}
	for _, e := range r.routes {
		if (f.Family == 0 || f.Family == e.Family) && (f.Table == host.AllTables || tableOf(f.Table) == e.Table) && (f.Dst == "" || f.Dst == e.Dst) {
			out = append(out, e)
		}
	}
	return out, nil
}

// sameKey says whether two routes cannot both be in a table: what IPv4 and IPv6 compare but the TOS.
func sameKey(a, b host.Route) bool {
	return a.Family == b.Family && a.Dst == b.Dst && a.Table == b.Table && a.Metric == b.Metric
}

func (r routes) Add(ctx context.Context, want host.Route) error {
	unlock, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	object := want.String()
	if want, err = r.resolveLocked("add route", want); err != nil {
		return err
	}
	if slices.ContainsFunc(r.routes, func(e host.Route) bool { return sameKey(e, want) }) {
		return refused("add route", object, errExist, "")
	}
	r.routes = append(r.routes, want)
	r.h.wrote()
	return nil
}

func (r routes) Replace(ctx context.Context, want host.Route) error {
	unlock, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if want, err = r.resolveLocked("replace route", want); err != nil {
		return err
	}
	if at := slices.IndexFunc(r.routes, func(e host.Route) bool { return sameKey(e, want) }); at >= 0 {
		r.routes[at] = want
	} else {
		r.routes = append(r.routes, want)
	}
	r.h.wrote()
	return nil
}

func (r routes) Delete(ctx context.Context, want host.Route) error {
	unlock, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	want.Table = tableOf(want.Table)
	at := slices.IndexFunc(r.routes, func(e host.Route) bool {
		return e.Family == want.Family && e.Dst == want.Dst && e.Table == want.Table && (want.Metric == 0 || want.Metric == e.Metric) &&
			(want.Type == "" || want.Type == e.Type) && (want.Via == "" || want.Via == e.Via) && (want.Dev == "" || want.Dev == e.Dev)
	})
	if at < 0 {
		return &host.Error{Op: "delete route", Object: want.String(), Kind: host.ErrNotExist, Err: fmt.Errorf("no such process")}
	}
	r.routes = slices.Delete(r.routes, at, at+1)
	r.h.wrote()
	return nil
}

// resolveLocked fills in what the kernel does (type, table, scope, protocol, the device of a gateway) and refuses what it
// refuses.
func (n *Net) resolveLocked(op string, want host.Route) (host.Route, error) {
	r := want
	r.Table = tableOf(r.Table)
	if r.Type == "" {
		r.Type = "unicast"
	}
	if r.Protocol == "" {
		r.Protocol = "static"
	}
	if r.Family == 6 && r.Metric == 0 {
		r.Metric = 1024
	}
	if r.Family == 4 && r.Scope == "" {
		r.Scope = "global"
		if r.Type == "unicast" && r.Via == "" && len(r.NextHops) == 0 {
			r.Scope = "link"
		}
	}
	switch r.Type {
	case "blackhole", "unreachable", "prohibit", "throw":
		r.Dev = ""
		if r.Family == 4 {
			return r, nil // with whatever source
		}
		return r, n.checkSourceLocked(op, want)
	}
	if err := n.resolveHopsLocked(op, &r); err != nil {
		return r, err
	}
	return r, n.checkSourceLocked(op, want)
}

// resolveHopsLocked finds the devices of the ways out. That all of those named exist comes first, as when a request is made.
func (n *Net) resolveHopsLocked(op string, r *host.Route) (err error) {
	object := r.String()
	if len(r.NextHops) == 0 {
		r.Dev, err = n.hopLocked(op, object, *r, host.NextHop{Via: r.Via, Dev: r.Dev, OnLink: r.OnLink})
		return err
	}
	r.NextHops = slices.Clone(r.NextHops)
	for _, h := range r.NextHops {
		if h.Dev != "" && n.findLocked(h.Dev) == nil {
			return refused(op, object, noneCalled("device", h.Dev), "")
		}
	}
	for i := range r.NextHops {
		h := &r.NextHops[i]
		h.Weight = max(h.Weight, 1)
		if h.Dev, err = n.hopLocked(op, object, *r, *h); err != nil {
			return err
		}
	}
	return nil
}

// tentativeLocked reports whether IPv6 has not looked for duplicates of an address yet, since its device is down
// (addrconf_dad_begin, net/ipv6/addrconf.c).
func (n *Net) tentativeLocked(a host.Addr) bool {
	d := n.findLocked(a.Link)
	return strings.Contains(a.CIDR, ":") && !a.NoDAD && d != nil && !*d.Up && !d.Loopback && !is(d.ARP, false)
}

func (n *Net) checkSourceLocked(op string, r host.Route) error {
	if r.Src == "" {
		return nil
	}
	for _, a := range n.addrs {
		if text, _, _ := strings.Cut(a.CIDR, "/"); text == r.Src && !n.tentativeLocked(a) {
			return nil
		}
	}
	if r.Family == 6 {
		return invalid(op, r.String(), "Invalid source address")
	}
	return invalid(op, r.String(), "Invalid prefsrc address")
}

// connectLocked adds the connected route of an address, as the kernel does when device and address are both there.
func (n *Net) connectLocked(a host.Addr) {
	r, ok := connected(a)
	if ok && !slices.ContainsFunc(n.routes, func(e host.Route) bool { return sameKey(e, r) && e.Dev == r.Dev }) {
		n.routes = append(n.routes, r)
	}
}

// connected is the route that an address brings; none for an IPv4 host address without a peer, or in 127.0.0.0/8.
func connected(a host.Addr) (host.Route, bool) {
	text := a.CIDR
	if a.Peer != "" {
		text = a.Peer
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return host.Route{}, false
	}
	r := host.Route{Family: 4, Dst: p.Masked().String(), Type: "unicast", Table: mainTable, Dev: a.Link, Scope: "link", Protocol: "kernel"}
	r.Src, _, _ = strings.Cut(a.CIDR, "/")
	if p.Addr().Is6() {
		r.Family, r.Metric, r.Scope, r.Src = 6, 256, "", ""
		return r, true
	}
	return r, (p.Bits() < 32 || a.Peer != "") && !p.Addr().IsLoopback()
}

// disconnectLocked undoes connectLocked for an address that is gone, and drops what depended on it.
func (n *Net) disconnectLocked(a host.Addr) {
	gone, ok := connected(a)
	lastV4, source, shared := gone.Family == 4, gone.Family == 4, false
	for _, e := range n.addrs {
		r, _ := connected(e)
		if e.Link == a.Link && r.Family == 4 {
			lastV4 = false
		}
		source = source && strings.Split(e.CIDR, "/")[0] != gone.Src
		shared = shared || e.Link == a.Link && sameKey(r, gone)
	}
	if ok && !shared {
		n.routes = slices.DeleteFunc(n.routes, func(r host.Route) bool { return r.Protocol == "kernel" && r.Dev == a.Link && sameKey(r, gone) })
	}
	n.routes = slices.DeleteFunc(n.routes, func(r host.Route) bool {
		return source && r.Family == 4 && r.Src == gone.Src || lastV4 && r.Family == 4 && uses(r, a.Link)
	})
	if lastV4 { // fib_disable_ip
		n.dropNeighsLocked(a.Link, 4, true)
	}
	if shared && source {
		n.connectAgainLocked(a.Link, gone)
	}
}

// connectAgainLocked gives a connected route, dropped with its source address, to the next address of the same prefix.
func (n *Net) connectAgainLocked(dev string, gone host.Route) {
	if d := n.findLocked(dev); d == nil || !*d.Up {
		return
	}
	for _, e := range n.addrs {
		if r, _ := connected(e); e.Link == dev && sameKey(r, gone) {
			n.connectLocked(e)
			return
		}
	}
}

func uses(r host.Route, dev string) bool {
	return r.Dev == dev || slices.ContainsFunc(r.NextHops, func(h host.NextHop) bool { return h.Dev == dev })
}

// dropRoutesLocked removes the routes of a device that went down or away. A multipath route survives a path that is down
// while another is up; when the device is gone, IPv4 drops it as a whole and IPv6 the path. Other families are left alone.
func (n *Net) dropRoutesLocked(dev string, gone bool, families ...int) {
	kept := n.routes[:0]
	for _, r := range n.routes {
		switch {
		case !uses(r, dev), !slices.Contains(families, r.Family):
		case len(r.NextHops) == 0, gone && r.Family == 4, n.allDownLocked(r, dev):
			continue
		case gone:
			r = without(r, dev)
		}
		kept = append(kept, r)
	}
	n.routes = kept
}

func (n *Net) allDownLocked(r host.Route, dev string) bool {
	for _, h := range r.NextHops {
		if d := n.findLocked(h.Dev); h.Dev != dev && d != nil && *d.Up {
			return false
		}
	}
	return true
}

// without takes the paths of one device out of a multipath route.
func without(r host.Route, dev string) host.Route {
	hops := slices.DeleteFunc(slices.Clone(r.NextHops), func(h host.NextHop) bool { return h.Dev == dev })
	if len(hops) == 1 {
		r.Via, r.Dev, r.OnLink, r.NextHops = hops[0].Via, hops[0].Dev, hops[0].OnLink, nil
	} else {
		r.NextHops = hops
	}
	return r
}
