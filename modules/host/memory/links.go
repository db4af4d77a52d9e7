package memory

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"labctl/modules/host"
	"labctl/modules/host/kinds"
)

// Links returns the network devices of the namespace.
func (n *Net) Links() host.Links { return links{n} }

type links struct{ *Net }

// open locks the host and loads the namespace; the caller unlocks.
func (n *Net) open(ctx context.Context) (unlock func(), err error) {
	n.h.mu.Lock()
	if err := n.loadLocked(ctx); err != nil {
		n.h.mu.Unlock()
		return nil, err
	}
	return n.h.mu.Unlock, nil
}

func (l links) List(ctx context.Context) ([]host.Link, error) {
	unlock, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := make([]host.Link, len(l.links))
	for i, d := range l.links {
		out[i] = d.Link
	}
	return out, nil
}

func (l links) Get(ctx context.Context, name string) (host.Link, error) {
	unlock, err := l.open(ctx)
	if err != nil {
		return host.Link{}, err
	}
	defer unlock()
	d := l.findLocked(name)
	if d == nil {
		return host.Link{}, noDevice("get link", name)
	}
	return d.Link, nil
}

func (l links) Ports(ctx context.Context, name string) ([]string, error) {
	unlock, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if l.findLocked(name) == nil {
		return nil, noDevice("list ports", name)
	}
	out := []string{}
	for _, d := range l.portsLocked(name) {
		out = append(out, d.Name)
	}
	sort.Strings(out)
	return out, nil
}

func (n *Net) findLocked(name string) *link {
	for _, d := range n.links {
		if d.Name == name {
			return d
		}
	}
	return nil
}

func (n *Net) portsLocked(name string) []*link {
	var out []*link
	for _, d := range n.links {
		if is(d.Master, name) && name != "" {
			out = append(out, d)
		}
	}
	return out
}

// is reports whether p is set and has the value v.
func is[T comparable](p *T, v T) bool { return p != nil && *p == v }

func (l links) Create(ctx context.Context, want host.Link) error {
	unlock, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.creatableLocked(ctx, want); err != nil {
		return err
	}
	d := l.defaultsLocked(want)
	if want.Kind == "veth" {
		if err := l.createPeerLocked(ctx, d, want); err != nil {
			l.forgetSysctlsLocked(d.Name)
			return err
		}
	}
	l.links = append(l.links, d)
	if d.Kind == "bridge" {
		l.joinVLANLocked(d.Name, d)
	}
	want.MTU = clampMTU(d, want.MTU)
	if err := l.setLocked(ctx, d, want, "create link"); err != nil {
		_ = l.removeLocked(ctx, d)
		return err
	}
	l.h.wrote()
	return nil
}

// creatableLocked refuses what the kernel would.
func (n *Net) creatableLocked(ctx context.Context, want host.Link) error {
	const op = "create link"
	switch {
	case want.Name == "" || len(want.Name) > 15 || want.Name == "." || want.Name == "..":
		return invalid(op, want.Name, "device name is not valid")
	case n.findLocked(want.Name) != nil:
		return refused(op, want.Name, errExist, "")
	case lookOf(want.Kind) == nil:
		return &host.Error{Op: op, Object: want.Name, Kind: host.ErrUnsupported, Err: fmt.Errorf("kind %q", want.Kind)}
	case *orEmpty(want.Master) != "" && n.findLocked(*want.Master) == nil:
		return refused(op, want.Name, noneCalled("master", *want.Master), "")
	case want.Parent != nil && n.findLocked(want.Parent.Name) == nil:
		return refused(op, want.Name, noneCalled("device", want.Parent.Name), "")
	case want.Kind == "macvlan" && want.Parent == nil:
		return invalid(op, want.Name, "link not specified")
	case want.Kind == "macvlan" && !ethernet(n.findLocked(want.Parent.Name)):
		return invalid(op, want.Name, "")
	case (want.Kind == "macvlan" || want.Kind == "ipvlan") && n.takenLocked(n.findLocked(want.Parent.Name), want.Kind):
		return busy(op, want.Name)
	}
	if !slices.ContainsFunc(n.links, func(d *link) bool { return d.Kind == want.Kind }) {
		if cause, ack := n.h.unknown(ctx, "link", want.Kind); cause != nil {
			return refused(op, want.Name, cause, ack)
		}
	}
	if want.Kind == "vxlan" && n.vniTakenLocked(want) {
		return refused(op, want.Name, errExist, "A VXLAN device with the specified VNI already exists")
	}
	if err := n.geneveTakenLocked(want); err != nil {
		return err
	}
	if n.tunnelTakenLocked(want.Name, want) {
		return refused(op, want.Name, errExist, "")
	}
	return nil
}

// tunnelTakenLocked says whether another tunnel has the same ends, and the same key (ip_tunnel_find, net/ipv4/ip_tunnel.c).
func (n *Net) tunnelTakenLocked(name string, want host.Link) bool {
	if k := kinds.Of(want.Kind); k == nil || !k.Whole {
		return false
	}
	for _, d := range n.links {
		if d.Name != name && d.Kind == want.Kind && below(d.Link) == below(want) && own(d.Link, "local") == own(want, "local") &&
			own(d.Link, "remote") == own(want, "remote") && own(d.Link, "ikey") == own(want, "ikey") {
			return true
		}
	}
	return false
}

// geneveTakenLocked refuses a second tunnel to the same end, and one beside a device that takes all of a port
// (geneve_configure, drivers/net/geneve.c).
func (n *Net) geneveTakenLocked(want host.Link) error {
	for _, d := range n.links {
		if d.Kind != "geneve" || want.Kind != "geneve" || own(d.Link, "dstport") != own(want, "dstport") {
			continue
		}
		switch all := own(want, "external") == true; {
		case all != (own(d.Link, "external") == true):
			return refused("create link", want.Name, errNotAllowed, "")
		case all || own(d.Link, "vni") == own(want, "vni") && own(d.Link, "remote") == own(want, "remote"):
			return busy("create link", want.Name)
		}
	}
	return nil
}

// below names the device that l stands on, "" for none.
func below(l host.Link) string {
	if l.Parent == nil {
		return ""
	}
	return l.Parent.NetNS + "/" + l.Parent.Name
}

// ethernet reports whether a device has frames with MAC addresses: a bridge, a macvlan take no others.
func ethernet(d *link) bool { return !d.Loopback && d.Address != nil }

// vniTakenLocked says whether another device receives the same VNI on the same port.
func (n *Net) vniTakenLocked(want host.Link) bool {
	for _, d := range n.links {
		if d.Kind == "vxlan" && d.Data["vni"] == want.Data["vni"] && own(d.Link, "dstport") == own(want, "dstport") && overIPv6(d.Data) == overIPv6(want.Data) {
			return true
		}
	}
	return false
}

// clampMTU does what a creation does with an MTU that does not fit the device below: VXLAN takes the largest that does.
func clampMTU(d *link, mtu *int) *int {
	if d.Kind == "vxlan" && d.Parent != nil && mtu != nil && *mtu > *d.MTU {
		return d.MTU
	}
	return mtu
}

func (n *Net) createPeerLocked(ctx context.Context, d *link, want host.Link) error {
	peer := host.LinkRef{Name: "veth0"}
	if want.Peer != nil {
		peer = *want.Peer
	}
	other := n
	if peer.NetNS != "" {
		var err error
		if other, err = n.h.netLocked(ctx, peer.NetNS); err != nil {
			return &host.Error{Op: "create link", Object: d.Name, Kind: host.ErrNoNetNS, Err: err}
		}
		if err := other.loadLocked(ctx); err != nil {
			return err
		}
	}
	if other == n && peer.Name == d.Name || other.findLocked(peer.Name) != nil {
		return refused("create link", d.Name, errExist, "")
	}
	p := other.defaultsLocked(host.Link{Name: peer.Name, Kind: "veth"})
	other.links = append(other.links, p)
	d.Peer = &host.LinkRef{Name: p.Name, NetNS: other.seenFrom(n)}
	p.Peer = &host.LinkRef{Name: d.Name, NetNS: n.seenFrom(other)}
	return nil
}

// seenFrom is the reference to n in links of the namespace viewer.
func (n *Net) seenFrom(viewer *Net) string {
	switch {
	case n == viewer:
		return ""
	case n.name == "":
		return host.OwnNetNS
	}
	return n.name
}

// followLocked finds the device that ref names, seen from n; nil where it cannot be known.
func (n *Net) followLocked(ctx context.Context, ref *host.LinkRef) (*Net, *link) {
	if ref == nil {
		return nil, nil
	}
	other := n
	if ref.NetNS != "" {
		var err error
		if other, err = n.h.netLocked(ctx, ref.NetNS); err != nil || other.loadLocked(ctx) != nil {
			return nil, nil
		}
	}
	return other, other.findLocked(ref.Name)
}

func (l links) Delete(ctx context.Context, names ...string) error {
	unlock, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, name := range names {
		d := l.findLocked(name)
		if d == nil {
			return noDevice("delete link", name)
		}
		if d.Kind == "" {
			return refused("delete link", name, errUnsupported, "")
		}
		if err := l.removeLocked(ctx, d); err != nil {
			return err
		}
	}
	l.h.wrote()
	return nil
}

// removeLocked takes a device away with all that hangs on it: addresses, routes, neighbours, its own sysctls, ports are
// released, the other end of a veth pair and devices stacked on it go too.
func (n *Net) removeLocked(ctx context.Context, d *link) error {
	at := slices.Index(n.links, d)
	if at < 0 {
		return nil
	}
	n.links = slices.Delete(n.links, at, at+1)
	n.detachLocked(d.Name)
	for _, p := range n.portsLocked(d.Name) {
		p.Master = ptr("")
		n.releasedLocked(p, d)
	}
	if master := n.findLocked(*orEmpty(d.Master)); master != nil {
		n.followPortsLocked(master)
	}
	for _, s := range slices.Clone(n.links) {
		if s.Parent != nil && s.Parent.NetNS == "" && s.Parent.Name == d.Name {
			if err := n.removeLocked(ctx, s); err != nil {
				return err
			}
		}
	}
	if other, peer := n.followLocked(ctx, d.Peer); peer != nil {
		return other.removeLocked(ctx, peer)
	}
	return nil
}

func orEmpty(s *string) *string {
	if s == nil {
		return new(string)
	}
	return s
}

// detachLocked drops what a device takes with it when it leaves the namespace.
func (n *Net) detachLocked(name string) {
	n.addrs = slices.DeleteFunc(n.addrs, func(a host.Addr) bool { return a.Link == name })
	n.dropNeighsLocked(name, 0, true)
	n.fdb = slices.DeleteFunc(n.fdb, func(e host.FDBEntry) bool { return e.Link == name || e.Master == name })
	n.qdiscs = slices.DeleteFunc(n.qdiscs, func(q host.Qdisc) bool { return q.Link == name })
	n.dropRoutesLocked(name, true, 4, 6)
	delete(n.vlans, name)
	n.forgetSysctlsLocked(name)
}

// Move puts a device into another namespace: down, without addresses, master and what its sysctls were.
func (l links) Move(ctx context.Context, name, netns string) error {
	unlock, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	d := l.findLocked(name)
	if d == nil {
		return noDevice("move link", name)
	}
	other, err := l.h.netLocked(ctx, netns)
	if err != nil {
		return err
	}
	if err := other.loadLocked(ctx); err != nil {
		return err
	}
	if other == l.Net {
		return nil
	}
	if other.findLocked(name) != nil {
		return refused("move link", name, errExist, "An interface with the same name exists in the target netns")
	}
	if d.Loopback || d.Kind == "bridge" {
		return invalid("move link", name, "The interface netns is immutable")
	}
	l.moveLocked(ctx, d, other)
	l.h.wrote()
	return nil
}

func (n *Net) moveLocked(ctx context.Context, d *link, other *Net) {
	peerNet, peer := n.followLocked(ctx, d.Peer)
	n.links = slices.DeleteFunc(n.links, func(o *link) bool { return o == d })
	n.detachLocked(d.Name)
	if master := n.findLocked(*orEmpty(d.Master)); master != nil {
		n.followPortsLocked(master)
	}
	for _, s := range slices.Clone(n.links) {
		if s.Kind == "vxlan" && s.Parent != nil && s.Parent.NetNS == "" && s.Parent.Name == d.Name {
			_ = n.removeLocked(ctx, s) // nothing of it is elsewhere
		}
	}
	d.Master, d.Up, d.fresh, d.fresh6, d.addressed, d.ready6 = ptr(""), ptr(false), true, false, false, false
	other.inheritLocked(d.Name)
	other.index++
	d.Index = other.index
	other.links = append(other.links, d)
	if peer != nil {
		d.Peer = &host.LinkRef{Name: peer.Name, NetNS: peerNet.seenFrom(other)}
		peer.Peer = &host.LinkRef{Name: d.Name, NetNS: other.seenFrom(peerNet)}
	}
	if d.Parent != nil && d.Parent.NetNS == "" {
		d.Parent = &host.LinkRef{Name: d.Parent.Name, NetNS: n.seenFrom(other)}
	}
}
