package memory

import (
	"context"
	"slices"
	"sort"
	"strconv"
	"strings"

	"labctl/modules/host"
)

// Net is a network namespace in memory. Its state is loaded from base or seed when it is first looked at.
type Net struct {
	h    *Host
	name string         // the reference it was first asked for by
	base host.Net       // nil when there is nothing to load
	seed *host.NetState // nil unless the host comes from a snapshot

	loaded   bool
	links    []*link
	addrs    []host.Addr
	routes   []host.Route
	rules    []host.Rule
	neighs   []host.Neigh
	fdb      []host.FDBEntry
	vlans    map[string]host.VLANSet // of bridges and their ports
	qdiscs   []host.Qdisc
	handles  int               // given to qdiscs
	sysctls  map[string]string // what was written here
	initial  map[string]string // where there is no base: what is there from the start
	followed map[string]bool   // those that have their value from the default, and follow it further
	index    int               // highest ifindex so far

	netfilter netfilter
	nftables  nftables
	ipsets    ipsets
}

var (
	_ host.Net        = (*Net)(nil)
	_ host.Identifier = (*Net)(nil)
)

// link is a device and what the kernel remembers of it beside its attributes.
type link struct {
	host.Link
	fresh     bool // made or moved here: base knows nothing of its sysctls
	wireguard *host.WireGuard
	fresh6    bool // left IPv6 for a while: those that base has for IPv6 are gone
	mtuUser   bool // a bridge whose MTU was set, and no longer follows its ports
	ownMTU    int  // of a port of a bond: what it is to have again
	addressed bool // it has, or had, an IPv4 address
	ready6    bool // it has had a carrier since it came up, so that IPv6 uses it
}

// ID tells the namespace from the others of this host.
func (n *Net) ID() string {
	if id, ok := n.base.(host.Identifier); ok && !n.h.created[n.name] {
		return id.ID()
	}
	return "memory:" + n.name
}

// Net returns the namespace that ref names.
func (h *Host) Net(ctx context.Context, ref string) (host.Net, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.netLocked(ctx, ref)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// canonical spells a reference in the one way that nets is keyed by.
func canonical(ref string) string {
	if ref == host.OwnNetNS {
		return ""
	}
	for _, dir := range []string{"/run/netns/", "/var/run/netns/"} {
		if name, ok := strings.CutPrefix(ref, dir); ok {
			return name
		}
	}
	return ref
}

func (h *Host) netLocked(ctx context.Context, ref string) (*Net, error) {
	ref = canonical(ref)
	if n := h.nets[ref]; n != nil {
		return n, nil
	}
	n := &Net{h: h, name: ref, sysctls: map[string]string{}, vlans: map[string]host.VLANSet{}, followed: map[string]bool{}}
	switch {
	case h.gone[ref]:
		return nil, noNetNS(ref)
	case strings.HasPrefix(ref, host.ContainerNetNS):
		c, err := h.containerLocked(ctx, strings.TrimPrefix(ref, host.ContainerNetNS))
		switch {
		case err != nil || !c.Running:
			return nil, noNetNS(ref)
		case c.Network == "host":
			return h.netLocked(ctx, "")
		}
	}
	switch {
	case h.base != nil:
		b, err := h.base.Net(ctx, ref)
		if err != nil {
			return nil, err
		}
		n.base = b
	case h.seed != nil && h.seed.NetNS[ref] != nil:
		n.seed = h.seed.NetNS[ref]
	case ref != "":
		return nil, noNetNS(ref)
	}
	if twin := h.twinLocked(n); twin != nil {
		n = twin
	}
	h.nets[ref] = n
	return n, nil
}

func noNetNS(ref string) error {
	return &host.Error{Op: "open netns", Object: strconv.Quote(ref), Kind: host.ErrNoNetNS, Err: errNoFile}
}

// twinLocked returns the namespace that n is under another reference.
func (h *Host) twinLocked(n *Net) *Net {
	if _, ok := n.base.(host.Identifier); !ok {
		return nil
	}
	for _, other := range h.nets {
		if other.base != nil && other.ID() == n.ID() {
			return other
		}
	}
	return nil
}

// loadLocked fills the namespace when it is first looked at.
func (n *Net) loadLocked(ctx context.Context) error {
	if n.loaded {
		return nil
	}
	var s *host.NetState
	var err error
	switch {
	case n.base != nil:
		s, err = readNet(ctx, n.base)
	case n.seed != nil:
		s = n.seed
		n.initial = s.Sysctls
	default:
		s = pristine()
		n.initial = s.Sysctls
	}
	if err != nil {
		return err
	}
	for _, l := range s.Links {
		n.index = max(n.index, l.Index)
		fillIn(&l)
		n.links = append(n.links, &link{Link: l, ready6: is(l.Up, true)})
	}
	for _, l := range n.links {
		l.mtuUser = l.Kind == "bridge" && l.MTU != nil && *l.MTU != n.portMTULocked(l.Name)
	}
	n.addrs, n.routes, n.rules = append(n.addrs, s.Addrs...), append(n.routes, s.Routes...), append(n.rules, s.Rules...)
	for _, a := range n.addrs {
		if d := n.findLocked(a.Link); d != nil && !strings.Contains(a.CIDR, ":") {
			d.addressed = true
		}
	}
	n.neighs, n.fdb = append(n.neighs, s.Neighs...), append(n.fdb, s.FDB...)
	n.qdiscs = append(n.qdiscs, s.Qdiscs...)
	for name, list := range s.VLANs {
		n.vlans[name] = host.VLANs(list)
	}
	n.loaded = true
	return nil
}

// fillIn sets what a device always has, and what a snapshot that was written by hand may have left out.
func fillIn(l *host.Link) {
	if l.Up == nil {
		l.Up = ptr(false)
	}
	if l.MTU == nil {
		l.MTU = ptr(1500)
	}
	if l.Master == nil {
		l.Master = ptr("")
	}
}

// readNet reads everything but sysctls and netfilter, which are too many and are read as needed.
func readNet(ctx context.Context, b host.Net) (s *host.NetState, err error) {
	s = &host.NetState{}
	if s.Links, err = b.Links().List(ctx); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(s.Links, func(l host.Link) bool { return l.Kind == "bridge" }) {
		if s.VLANs, err = b.Links().VLANs(ctx, ""); err != nil {
			return nil, err
		}
	}
	if s.Addrs, err = b.Addrs().List(ctx, ""); err != nil {
		return nil, err
	}
	if s.Routes, err = b.Routes().List(ctx, host.RouteFilter{Table: host.AllTables}); err != nil {
		return nil, err
	}
	if s.Rules, err = b.Rules().List(ctx, 0); err != nil {
		return nil, err
	}
	if s.Neighs, err = b.Neighs().List(ctx, ""); err != nil {
		return nil, err
	}
	if s.FDB, err = b.Neighs().FDB(ctx, ""); err != nil {
		return nil, err
	}
	s.Qdiscs, err = b.Qdiscs().List(ctx, "")
	return s, err
}

// NetNS manages the named namespaces.
func (h *Host) NetNS() host.NetNSs { return netNSs{h} }

type netNSs struct{ h *Host }

func (m netNSs) List(ctx context.Context) ([]string, error) {
	m.h.mu.Lock()
	defer m.h.mu.Unlock()
	return m.h.namesLocked(ctx)
}

func (h *Host) namesLocked(ctx context.Context) ([]string, error) {
	out := []string{}
	if h.base != nil {
		names, err := h.base.NetNS().List(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, names...)
	}
	if h.seed != nil {
		for name := range h.seed.NetNS {
			if name != "" && !strings.HasPrefix(name, host.ContainerNetNS) {
				out = append(out, name)
			}
		}
	}
	kept := out[:0]
	for _, name := range out {
		if !h.gone[name] {
			kept = append(kept, name)
		}
	}
	for name := range h.created {
		if !strings.HasPrefix(name, host.ContainerNetNS) {
			kept = append(kept, name)
		}
	}
	sort.Strings(kept)
	return kept, nil
}

func (h *Host) existsLocked(ctx context.Context, name string) (bool, error) {
	names, err := h.namesLocked(ctx)
	for _, n := range names {
		if n == name {
			return true, err
		}
	}
	return false, err
}

// Create makes a namespace that looks as a new one does on the base.
func (m netNSs) Create(ctx context.Context, name string) error {
	m.h.mu.Lock()
	defer m.h.mu.Unlock()
	there, err := m.h.existsLocked(ctx, name)
	if err != nil {
		return err
	}
	if there {
		return &host.Error{Op: "create netns", Object: name, Kind: host.ErrExist, Err: errExist}
	}
	if _, err := m.h.freshLocked(ctx, name); err != nil {
		return err
	}
	m.h.wrote()
	return nil
}

// freshLocked makes a namespace, known by ref, that looks as a new one does on the base.
func (h *Host) freshLocked(ctx context.Context, ref string) (n *Net, err error) {
	n = &Net{h: h, name: ref, sysctls: map[string]string{}, followed: map[string]bool{}}
	if h.seed != nil {
		n.seed = h.seed.Scratch
	}
	if s, ok := h.base.(host.Scratcher); ok {
		if n.base, err = s.Scratch(ctx); err != nil {
			return nil, err
		}
	}
	h.nets[ref], h.created[ref] = n, true
	return n, nil
}

// Scratch returns what a new namespace looks like, so that a memory host can be the base of another one.
func (h *Host) Scratch(ctx context.Context) (host.Net, error) {
	if s, ok := h.base.(host.Scratcher); ok {
		return s.Scratch(ctx)
	}
	n := &Net{h: h, name: "scratch", sysctls: map[string]string{}, followed: map[string]bool{}}
	if h.seed != nil {
		n.seed = h.seed.Scratch
	}
	return n, nil
}

// Delete takes the namespace away with its devices and what hangs on them elsewhere.
func (m netNSs) Delete(ctx context.Context, name string) error {
	m.h.mu.Lock()
	defer m.h.mu.Unlock()
	there, err := m.h.existsLocked(ctx, name)
	if err != nil {
		return err
	}
	if !there {
		return &host.Error{Op: "delete netns", Object: name, Kind: host.ErrNotExist, Err: errNoFile}
	}
	if err := m.h.dropLocked(ctx, name); err != nil {
		return err
	}
	m.h.gone[name] = true
	m.h.wrote()
	return nil
}

// dropLocked takes a namespace away with its devices.
func (h *Host) dropLocked(ctx context.Context, ref string) error {
	n, err := h.netLocked(ctx, ref)
	if err != nil {
		return err
	}
	if err := n.loadLocked(ctx); err != nil {
		return err
	}
	for len(n.links) > 0 {
		if err := n.removeLocked(ctx, n.links[len(n.links)-1]); err != nil {
			return err
		}
	}
	for other, m := range h.nets {
		if m == n {
			delete(h.nets, other)
		}
	}
	delete(h.created, ref)
	return nil
}

// pristine is a new namespace where nothing tells how they look: lo down, the kernel's rules.
func pristine() *host.NetState {
	lo := host.Link{Name: "lo", Index: 1, Loopback: true, Up: ptr(false), MTU: ptr(65536), Address: ptr("00:00:00:00:00:00"),
		Promisc: ptr(false), AllMulti: ptr(false), ARP: ptr(true), Master: ptr(""), Alias: ptr(""), TxQueueLen: ptr(1000), Group: ptr(0)}
	s := &host.NetState{Links: []host.Link{lo}, Sysctls: map[string]string{"net.ipv4.ip_forward": "0"}}
	for _, r := range []host.Rule{{Family: 4, Priority: 0, Table: 255}, {Family: 4, Priority: 32766, Table: 254}, {Family: 4, Priority: 32767, Table: 253},
		{Family: 6, Priority: 0, Table: 255}, {Family: 6, Priority: 32766, Table: 254}} {
		r.Action = "lookup"
		s.Rules = append(s.Rules, r)
	}
	for _, dev := range []string{"all", "default", "lo"} {
		for key, value := range map[string]string{"ipv4.conf.%.forwarding": "0", "ipv4.conf.%.rp_filter": "0", "ipv4.conf.%.promote_secondaries": "0",
			"ipv4.conf.%.accept_redirects": "1", "ipv4.conf.%.arp_ignore": "0", "ipv4.conf.%.proxy_arp": "0", "ipv4.conf.%.send_redirects": "1",
			"ipv6.conf.%.disable_ipv6": "0", "ipv6.conf.%.forwarding": "0", "ipv6.conf.%.keep_addr_on_down": "0", "ipv6.conf.%.accept_ra": "1"} {
			s.Sysctls["net."+strings.Replace(key, "%", dev, 1)] = value
		}
	}
	return s
}

func ptr[T any](v T) *T { return &v }
