package modules

import (
	"cmp"
	"context"
	"errors"

	"labctl/modules/host"
)

func init() {
	Register(Spec[RouteGet]{
		Name: "route_get",
		Doc:  "Asks the kernel which way packets to an address go, as ip-route(8) get. None is sent.",
		Example: `route_get "172.16.200.5" {
  netns = "boxA"
  via   = "172.16.100.1"
  dev   = "veth0"
}
route_get "192.168.50.4" { expect = "unreachable" }
`,
		Validate: (*RouteGet).validate, Probe: probeRoute,
	})
}

// RouteGet is the way that packets are expected to take.
type RouteGet struct {
	Dst    string  `json:"dst" lab:"key" doc:"Destination address."`
	Expect string  `json:"expect,omitempty" lab:"option" enum:"reachable,unreachable" default:"reachable" doc:"unreachable: there is no route, or one of type unreachable, prohibit, blackhole or throw."`
	From   string  `json:"from,omitempty" lab:"option" doc:"Source address of the packets."`
	IIF    string  `json:"iif,omitempty" lab:"option" doc:"Device that the packets come in by, as for those that are forwarded."`
	Mark   *int    `json:"mark,omitempty" lab:"option" doc:"Firewall mark of the packets."`
	Dev    *string `json:"dev,omitempty" doc:"Device that they leave by."`
	Via    *string `json:"via,omitempty" doc:"Gateway, \"\" for none."`
	Src    *string `json:"src,omitempty" doc:"Source address that the kernel chooses."`
	Table  *int    `json:"table,omitempty" doc:"Routing table that the route is from."`
	Type   *string `json:"type,omitempty" doc:"unicast, local, broadcast or multicast."`
	InNetNS
	Deadline
	Reason string `json:"reason,omitempty" lab:"computed" doc:"Why it is unreachable."`
}

func (r *RouteGet) validate() error {
	r.Expect = cmp.Or(r.Expect, "reachable")
	_, err := duration("deadline", r.Deadline.Deadline, 0)
	return firstFault(err, validIP("dst", &r.Dst), validIP("from", &r.From), validIP("via", r.Via), validIP("src", r.Src))
}

func probeRoute(ctx context.Context, h host.Host, want *RouteGet) (*RouteGet, error) {
	p := Presence{InNetNS: want.InNetNS, Deadline: want.Deadline}
	near, err := p.find(ctx, "route to "+want.Dst, want, func() (found []any, why string, err error) {
		n, err := want.net(ctx, h)
		if err != nil {
			return nil, "", err
		}
		o := host.RouteQuery{Dst: want.Dst, From: want.From, IIF: want.IIF}
		if want.Mark != nil {
			o.Mark = uint32(*want.Mark)
		}
		r, err := n.Probes().RouteGet(ctx, o)
		seen := *want
		seen.Dev, seen.Via, seen.Src, seen.Table, seen.Type, seen.Reason = &r.Dev, &r.Via, &r.Src, &r.Table, &r.Type, ""
		switch {
		case errors.Is(err, host.ErrUnreachable) && want.Expect == "unreachable":
			seen = *want
			seen.Reason = err.Error()
			return []any{&seen}, "", nil
		case errors.Is(err, host.ErrUnreachable):
			return nil, err.Error(), nil // it may come
		case err == nil && want.Expect == "unreachable":
			return nil, "expected none, but there is one: " + r.String(), nil
		}
		return []any{&seen}, "", err
	})
	return near.(*RouteGet), err
}
