package modules

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Route]{
		Name: "route",
		Doc:  "Manages a route. Destination, table and metric tell routes apart; another one with the same is replaced.",
		Example: `route "default" {
  netns = "boxA"
  via   = "172.16.100.1"
}

route "10.10.0.0/16" {
  table = 100
  nexthop {
    via    = "192.168.50.5"
    weight = 2
  }
  nexthop {
    via = "192.168.50.6"
  }
}`,
		Validate: (*Route).validate, Complete: (*Route).complete, Read: readRoute, Apply: applyRoute,
	})
}

// Route is an entry of a routing table (ip-route(8)).
type Route struct {
	InNetNS
	Dst      string    `json:"dst" lab:"key" doc:"Destination network, or default."`
	Family   string    `json:"family,omitempty" lab:"option" enum:"inet,inet6" doc:"Family of a default route that has no address to tell it; inet if unset."`
	Type     string    `json:"type,omitempty" enum:"unicast,blackhole,unreachable,prohibit,throw" default:"unicast" doc:"What happens to packets."`
	Via      string    `json:"via,omitempty" lab:"exact" doc:"Address of the gateway; directly reachable if unset."`
	Dev      *string   `json:"dev,omitempty" doc:"Device; the one that reaches the gateway if unset."`
	Table    *int      `json:"table,omitempty" default:"254" doc:"Number of the routing table; 254 is main."`
	Metric   *int      `json:"metric,omitempty" doc:"Preference, lower first. Unset is the kernel's default: 0 for IPv4, 1024 for IPv6."`
	OnLink   *bool     `json:"onlink,omitempty" doc:"Whether the gateway is taken to be reachable on dev although no route says so."`
	Src      *string   `json:"src,omitempty" doc:"Preferred source address; left alone if unset."`
	MTU      *int      `json:"mtu,omitempty" doc:"MTU along the path; left alone if unset."`
	NextHops []NextHop `json:"nexthop,omitempty" lab:"exact" doc:"One of several paths, in place of via and dev."`
}

// NextHop is one path of a multipath route.
type NextHop struct {
	Via    string `json:"via,omitempty" doc:"Address of the gateway."`
	Dev    string `json:"dev,omitempty" doc:"Device; the one that reaches the gateway if unset."`
	Weight int    `json:"weight,omitempty" default:"1" doc:"Share of the traffic, 1 to 256."`
	OnLink bool   `json:"onlink,omitempty" default:"false" doc:"Whether the gateway is taken to be reachable on dev although no route says so."`
}

func (r *Route) validate() error {
	if r.Type == "" {
		r.Type = "unicast"
	}
	if r.Table == nil {
		r.Table = ptr(254)
	}
	if err := r.validDst(); err != nil {
		return err
	}
	if r.Metric == nil {
		r.Metric = ptr(0)
	}
	if r.Family == "inet6" && *r.Metric == 0 {
		r.Metric = ptr(1024) // IP6_RT_PRIO_USER
	}
	if err := r.validPaths(); err != nil {
		return err
	}
	if r.Src != nil {
		src, err := validAddr("src", *r.Src)
		if err != nil {
			return err
		}
		if src.Is6() != (r.Family == "inet6") {
			return argf("src", "%s is not of the family of the destination", src)
		}
		r.Src = ptr(src.String())
	}
	return firstFault(inRange("table", r.Table, 1, 1<<31-1), inRange("metric", r.Metric, 0, 1<<31-1), inRange("mtu", r.MTU, 68, 65535))
}

func (r *Route) complete() error {
	if r.Type == "unicast" && r.Via == "" && r.Dev == nil && len(r.NextHops) == 0 {
		return argf("via", "a unicast route needs via, dev or nexthop")
	}
	return nil
}

// validDst writes the destination as the kernel does and settles the family.
func (r *Route) validDst() error {
	if r.Dst == "default" {
		if r.Family == "" {
			r.Family = r.guessFamily()
		}
		return nil
	}
	p, err := netip.ParsePrefix(r.Dst)
	if err != nil {
		a, e := netip.ParseAddr(r.Dst)
		if e != nil || a.Zone() != "" {
			return argf("dst", "%q is neither a network such as 10.0.0.0/8 nor default", r.Dst)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if p.Addr().Is4In6() {
		return argf("dst", "%q is neither an IPv4 nor an IPv6 network", r.Dst)
	}
	if p.Masked() != p {
		return argf("dst", "%s has bits set beyond its prefix; did you mean %s?", p, p.Masked())
	}
	family := familyName(p.Addr())
	if r.Family != "" && r.Family != family {
		return argf("family", "%s is not of family %s", r.Dst, r.Family)
	}
	r.Family, r.Dst = family, p.String()
	if p.Bits() == 0 {
		r.Dst = "default"
	}
	return nil
}

func familyName(a netip.Addr) string {
	if a.Is4() {
		return "inet"
	}
	return "inet6"
}

// familyNumber is 4 or 6.
func familyNumber(name string) int {
	if name == "inet6" {
		return 6
	}
	return 4
}

// guessFamily tells a default route's family by its first gateway or its source.
func (r *Route) guessFamily() string {
	texts := []string{r.Via}
	for _, h := range r.NextHops {
		texts = append(texts, h.Via)
	}
	if r.Src != nil {
		texts = append(texts, *r.Src)
	}
	for _, t := range texts {
		if a, err := netip.ParseAddr(t); err == nil {
			return familyName(a)
		}
	}
	return "inet"
}

func (r *Route) validPaths() error {
	direct := r.Via != "" || r.Dev != nil
	switch {
	case r.Type != "unicast" && (direct || len(r.NextHops) > 0):
		return argf("type", "a %s route goes nowhere: it takes neither via, dev nor nexthop", r.Type)
	case r.Type == "unicast" && direct && len(r.NextHops) > 0:
		return argf("nexthop", "via and dev exclude nexthop")
	}
	if r.Dev != nil {
		if err := validDevice("dev", *r.Dev); err != nil {
			return err
		}
	}
	if err := r.validVia("via", &r.Via, r.Dev != nil); err != nil {
		return err
	}
	for i := range r.NextHops {
		h, path := &r.NextHops[i], fmt.Sprintf("nexthop[%d].", i)
		if h.Weight == 0 {
			h.Weight = 1
		}
		if err := firstFault(r.validVia(path+"via", &h.Via, h.Dev != ""), inRange(path+"weight", &h.Weight, 1, 256)); err != nil {
			return err
		}
		if h.Via == "" && h.Dev == "" {
			return argf(path+"via", "a path needs a gateway or a device")
		}
		if h.Via == "" && r.Family == "inet6" {
			return argf(path+"via", "the kernel takes no IPv6 path without a gateway")
		}
	}
	return nil
}

func (r *Route) validVia(path string, via *string, dev bool) error {
	if *via == "" {
		return nil
	}
	a, err := validAddr(path, *via)
	if err != nil {
		return err
	}
	if r.Family == "inet6" && a.Is4() {
		return argf(path, "%s: an IPv6 route needs an IPv6 gateway", a)
	}
	if a.Is6() && a.IsLinkLocalUnicast() && !dev {
		return argf(path, "%s is link-local: dev must say on which link", a)
	}
	*via = a.String()
	return nil
}

func readRoute(ctx context.Context, h host.Host, want *Route) (*Route, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	found, err := want.find(ctx, n)
	if err != nil || found == nil {
		return nil, err
	}
	f := *found
	have := &Route{InNetNS: want.InNetNS, Dst: f.Dst, Family: want.Family, Type: f.Type, Via: f.Via, Table: &f.Table, Metric: &f.Metric, OnLink: &f.OnLink,
		NextHops: want.inOrder(f.NextHops)}
	if f.Dev != "" {
		have.Dev = &f.Dev
	}
	if f.Src != "" {
		have.Src = &f.Src
	}
	if f.MTU != 0 {
		have.MTU = &f.MTU
	}
	return have, nil
}

// find returns the route with the key of r.
func (r *Route) find(ctx context.Context, n host.Net) (*host.Route, error) {
	all, err := n.Routes().List(ctx, host.RouteFilter{Family: familyNumber(r.Family), Table: *r.Table, Dst: r.Dst})
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if f.Metric == *r.Metric && f.Type != "local" && f.Type != "broadcast" && f.Type != "multicast" && f.Type != "anycast" {
			return &f, nil
		}
	}
	return nil, nil
}

// inOrder writes paths as r does where they are the same: in its order, without the device where it leaves that to the
// kernel.
func (r *Route) inOrder(hops []host.NextHop) []NextHop {
	var out []NextHop
	rest := append([]host.NextHop(nil), hops...)
	for _, w := range r.NextHops {
		for i, h := range rest {
			if h.Via == w.Via && h.Weight == w.Weight && (w.Dev == "" || h.Dev == w.Dev) {
				out = append(out, NextHop{Via: h.Via, Dev: w.Dev, Weight: h.Weight, OnLink: h.OnLink})
				rest = append(rest[:i], rest[i+1:]...)
				break
			}
		}
	}
	for _, h := range rest {
		out = append(out, NextHop(h))
	}
	return out
}

func applyRoute(ctx context.Context, h host.Host, have, want *Route, _ Diff) error {
	if want == nil {
		n, err := have.net(ctx, h)
		if err != nil {
			return err
		}
		err = n.Routes().Delete(ctx, host.Route{Family: familyNumber(have.Family), Dst: have.Dst, Type: have.Type, Table: *have.Table, Metric: *have.Metric})
		if errors.Is(err, host.ErrNotExist) {
			return nil // it went by itself, with its device
		}
		return err
	}
	n, err := want.net(ctx, h)
	if err != nil {
		return err
	}
	if have == nil {
		return n.Routes().Add(ctx, want.route(nil))
	}
	return n.Routes().Replace(ctx, want.route(have))
}

// route is the wanted route; what it leaves alone is kept from have, as a route is replaced as a whole.
func (r *Route) route(have *Route) host.Route {
	out := host.Route{Family: familyNumber(r.Family), Dst: r.Dst, Type: r.Type, Table: *r.Table, Metric: *r.Metric, Via: r.Via}
	kept := &Route{}
	if have != nil && r.Type == "unicast" {
		kept = have
	}
	src, mtu := r.Src, r.MTU
	if src == nil {
		src = kept.Src
	}
	if mtu == nil {
		mtu = kept.MTU
	}
	if src != nil {
		out.Src = *src
	}
	if mtu != nil {
		out.MTU = *mtu
	}
	if r.Dev != nil {
		out.Dev = *r.Dev
	}
	if r.OnLink != nil {
		out.OnLink = *r.OnLink
	}
	for _, h := range r.NextHops {
		out.NextHops = append(out.NextHops, host.NextHop(h))
	}
	return out
}
