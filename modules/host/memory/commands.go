package memory

import (
	"context"

	"labctl/modules/host"
)

type commands struct{}

// Commands returns what refuses to run anything: a plan reports commands, it does not execute them.
func (h *Host) Commands() host.Commands { return commands{} }

func (commands) Run(_ context.Context, e host.Exec) (host.ExecResult, error) {
	name := ""
	if len(e.Argv) > 0 {
		name = e.Argv[0]
	}
	return host.ExecResult{}, &host.Error{Op: "run", Object: name, Kind: host.ErrUnsupported}
}
