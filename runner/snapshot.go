package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"labctl/agent/wire"
	"labctl/inventory"
	"labctl/modules/host"
	"labctl/playbooks"
)

// Extent is how much of a host a snapshot is of.
type Extent string

// The extents: the facts alone, with the network, or with everything that a plan can look at.
const (
	FactsAlone Extent = ""
	Network    Extent = Extent(wire.Network)
	Whole      Extent = Extent(wire.Snapshot)
)

// TakeSnapshot reads a host, and of a whole one the files named.
func TakeSnapshot(ctx context.Context, o Opener, h *inventory.Host, become string, of Extent, files []string) (*host.Snapshot, error) {
	more := of != FactsAlone
	l, err := o.open(ctx, h, playbooks.Identity{User: become}, more, notices{log: func(int, string) {}})
	if err != nil {
		return nil, err
	}
	s := newSession(l, time.Now())
	defer func() { _ = s.close() }() // all that was asked for has been read, or an error says so
	if more {
		if err := s.send(&wire.Frame{Request: &wire.Request{ID: 1, Op: wire.Op(of), Files: files}}); err != nil {
			return nil, fmt.Errorf("ask for a snapshot: %w", err)
		}
	}
	if err := s.flush(); err != nil {
		return nil, fmt.Errorf("ask for a snapshot: %w", err)
	}
	for {
		select {
		case f, ok := <-s.frames:
			switch {
			case !ok:
				return nil, s.lost()
			case f.Hello != nil && !more:
				return &host.Snapshot{Version: host.SnapshotVersion, Name: h.Name, Facts: f.Hello.Facts}, nil
			case f.Reply != nil && f.Reply.Error != nil:
				return nil, errors.New(f.Reply.Error.Msg)
			case f.Reply != nil:
				f.Reply.Snapshot.Name = h.Name
				return f.Reply.Snapshot, nil
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
