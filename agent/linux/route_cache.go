package linux

import (
	"context"

	"labctl/modules/host"
)

// routeCache keeps tables between reads.
type routeCache struct{}

func (c *routeCache) close() {}

func (c *routeCache) list(ctx context.Context, n *Net, family, table int) ([]host.Route, error) {
	return n.dumpRoutes(ctx, family, table)
}
