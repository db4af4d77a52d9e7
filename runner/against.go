package runner

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"labctl/agent"
	"labctl/inventory"
	"labctl/modules/host"
	"labctl/modules/host/memory"
	"labctl/playbooks"
)

// Against plans on snapshots in place of hosts: the agent runs in this process, on a host in memory.
type Against struct {
	Snapshots map[string]*host.Snapshot // by inventory name
}

func (a *Against) open(ctx context.Context, h *inventory.Host, _ playbooks.Identity, _ bool, _ notices) (*link, error) {
	s := a.Snapshots[h.Name]
	if s == nil {
		have := slices.Sorted(maps.Keys(a.Snapshots))
		return nil, fmt.Errorf("no snapshot of %s was given, only of %s: labctl facts %s -o json > %s.json takes one", h.Name, strings.Join(have, ", "), h.Name, h.Name)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // an interrupted agent still says what it has done
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = outW.CloseWithError(agent.Serve(ctx, inR, outW, memory.FromSnapshot(s), agent.Options{}))
	}()
	return &link{
		stdin: inW, stdout: outR,
		cost: func() *Cost { return nil },
		close: func() error {
			cancel()
			_ = inW.Close()
			_ = outR.Close()
			<-done
			return nil
		},
	}, nil
}
