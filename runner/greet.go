package runner

import (
	"context"
	"sync/atomic"
	"time"

	"labctl/inventory"
	"labctl/modules/host"
	"labctl/playbooks"
)

// Greeting is what is known of a host once its agent has spoken.
type Greeting struct {
	Facts host.Facts
	Took  time.Duration // from the beginning until then
	Cost  *Cost         // nil: there is no connection
}

// Greet has a host's agent introduce itself, and takes leave: whatever a play needs of the way there is then known to work.
func Greet(ctx context.Context, o Opener, h *inventory.Host, become string) (*Greeting, error) {
	start := time.Now()
	var pushed atomic.Bool
	l, err := o.open(ctx, h, playbooks.Identity{User: become}, false, notices{log: func(int, string) { pushed.Store(true) }})
	if err != nil {
		return nil, err
	}
	s := newSession(l, start)
	defer func() { _ = s.close() }()
	for {
		select {
		case f, ok := <-s.frames:
			if !ok {
				return nil, s.lost()
			}
			if f.Hello != nil {
				g := &Greeting{Facts: f.Hello.Facts, Took: time.Since(start), Cost: l.cost()}
				if g.Cost != nil {
					g.Cost.Pushed = pushed.Load()
				}
				return g, nil
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
