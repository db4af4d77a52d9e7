package memory

import (
	"context"

	"labctl/modules/host"
)

type commands struct{ h *Host }

// Commands returns what refuses to run anything: a plan reports commands, it does not execute them.
func (h *Host) Commands() host.Commands { return commands{h} }

func (c commands) Run(_ context.Context, e host.Exec) (host.ExecResult, error) {
	name := ""
	if len(e.Argv) > 0 {
		name = e.Argv[0]
	}
	return host.ExecResult{}, &host.Error{Op: "run", Object: name, Kind: host.ErrUnsupported}
}

func (c commands) Check(ctx context.Context, e host.Exec) (host.ExecResult, error) {
	if c.h.base == nil {
		return c.Run(ctx, e)
	}
	return c.h.base.Commands().Check(ctx, e)
}
