package memory

import (
	"context"

	"labctl/modules/host"
)

// Net is a network namespace in memory. Its state is loaded from base or seed when it is first looked at.
type Net struct {
	h    *Host
	name string
	base host.Net       // nil when there is nothing to load
	seed *host.NetState // nil unless the host comes from a snapshot

	netfilter netfilter
}

var _ host.Net = (*Net)(nil)

// Net returns the namespace that ref names.
func (h *Host) Net(ctx context.Context, ref string) (host.Net, error) {
	return nil, &host.Error{Op: "open netns", Object: ref, Kind: host.ErrNoNetNS}
}

func (h *Host) NetNS() host.NetNSs   { return nil }
func (n *Net) Links() host.Links     { return nil }
func (n *Net) Addrs() host.Addrs     { return nil }
func (n *Net) Routes() host.Routes   { return nil }
func (n *Net) Rules() host.Rules     { return nil }
func (n *Net) Neighs() host.Neighs   { return nil }
func (n *Net) Sysctls() host.Sysctls { return nil }
