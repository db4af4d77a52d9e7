package modules

import (
	"context"

	"labctl/modules/host"
)

// InNetNS is embedded by every network module.
type InNetNS struct {
	NetNS string `json:"netns,omitempty" lab:"option" doc:"Network namespace: a name under /run/netns, pid:N, container:NAME, or a path. The host's own if unset."`
}

func (n InNetNS) net(ctx context.Context, h host.Host) (host.Net, error) { return h.Net(ctx, n.NetNS) }
