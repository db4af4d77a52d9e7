package agent

import (
	"context"
	"errors"
	"fmt"

	"labctl/agent/wire"
	"labctl/modules"
	"labctl/modules/host"
)

// errMoved is returned when a host is not as the plan of a request has it.
var errMoved = errors.New("the host has moved since the plan was made, nothing was done")

// expected looks, before a request is carried out, whether that would do what was planned.
func expected(ctx context.Context, h host.Host, m modules.Module, r *wire.Request) error {
	if r.Expect == nil || m.Kind() != modules.Resource {
		return nil
	}
	res, err := m.Diff(ctx, h, *r.Call)
	if err != nil {
		return nil //nolint:nilerr // carried out, it says the same at its place
	}
	if what := res.Diff.Departs(*r.Expect); what != "" {
		return fmt.Errorf("%w: %s", errMoved, what)
	}
	return nil
}
