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

// TakeSnapshot reads a host: its facts alone, or with whole everything that a plan can look at, and the files named.
func TakeSnapshot(ctx context.Context, o Opener, h *inventory.Host, become string, whole bool, files []string) (*host.Snapshot, error) {
	l, err := o.open(ctx, h, playbooks.Identity{User: become}, whole, notices{log: func(int, string) {}})
	if err != nil {
		return nil, err
	}
	s := newSession(l, time.Now())
	defer func() { _ = s.close() }() // all that was asked for has been read, or an error says so
	if whole {
		if err := s.send(&wire.Frame{Request: &wire.Request{ID: 1, Op: wire.Snapshot, Files: files}}); err != nil {
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
			case f.Hello != nil && !whole:
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
