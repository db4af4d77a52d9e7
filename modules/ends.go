package modules

import (
	"context"
	"fmt"

	"labctl/modules/host"
)

// Between is embedded by every probe between two hosts.
type Between struct {
	From    string `json:"from" lab:"required" doc:"Host of the inventory that sends. The task belongs to it."`
	To      string `json:"to" lab:"required" doc:"Host of the inventory that is sent to."`
	Address string `json:"address,omitempty" doc:"Address of the host to to send to. Unset: its address on the network that both have a nic in."`
	InNetNS
	ToNetNS string `json:"to_netns,omitempty" lab:"option" doc:"The same for the far end."`
}

func (b Between) far(ctx context.Context, h host.Host) (host.Net, error) {
	return h.Net(ctx, b.ToNetNS)
}

func (m *module) Ends() bool { return m.listen != nil }

func (m *module) Listen(ctx context.Context, h host.Host, c Call) (Result, Ear, error) {
	if m.listen == nil {
		return Result{}, nil, fmt.Errorf("%s has no far end", m.name)
	}
	want, err := m.decode(c)
	if err != nil {
		return Result{}, nil, err
	}
	judge, err := m.listen(ctx, h, want)
	if err != nil {
		return Result{}, nil, err
	}
	return m.result(Diff{Action: Read}, want), func(c Call) (Result, error) {
		seen, err := m.decode(c)
		if err != nil {
			seen = want
		}
		state, verdict := judge(seen)
		if err == nil {
			err = verdict
		}
		return m.result(Diff{Action: Read}, state), err
	}, nil
}
