package memory

import (
	"context"

	"labctl/modules/host"
)

// Net is a network namespace in memory. Its state is loaded from base when it is first looked at.
type Net struct {
	h    *Host
	name string
	base host.Net // nil when it exists only here

	netfilter netfilter
}

// Net returns the namespace that ref names.
func (h *Host) Net(ctx context.Context, ref string) (host.Net, error) {
	return nil, &host.Error{Op: "open netns", Object: ref, Kind: host.ErrNoNetNS}
}
