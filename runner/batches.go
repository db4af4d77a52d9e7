package runner

import (
	"cmp"
	"context"
	"fmt"

	"labctl/inventory"
	"labctl/playbooks"
)

// batches runs a play on its hosts, batch by batch. When too many of a batch fail, the others are left alone, by this play and
// by those that come: what is wrong shall not spread. A plan changes nothing, and looks at all hosts at the same time.
func (r *Runner) batches(ctx context.Context, index int, p *playbooks.Play, hosts []*inventory.Host) {
	hosts = p.Ordered(r.stillIn(hosts))
	all := [][]*inventory.Host{hosts}
	if r.o.Mode == Play {
		all = p.Batches(hosts)
	}
	for i, batch := range all {
		if ctx.Err() != nil {
			r.notBegun(p, flat(all[i:]))
			return
		}
		fatal := r.play(ctx, index, p, r.stillIn(batch)) // one may have been lost as the far end of another's task
		why := cmp.Or(fatal, p.Stops(len(batch)-len(r.stillIn(batch)), len(batch)))
		if why == "" || r.o.Mode != Play && fatal == "" {
			continue
		}
		rest := flat(all[i+1:])
		for _, h := range hosts {
			r.drop(h.Name)
		}
		if len(rest) > 0 {
			r.sink.event(Event{Kind: Warning, Play: p.Display(),
				Message: fmt.Sprintf("play %q goes no further: %s; nothing was done on %s", p.Display(), why, join(names(rest)))})
		}
		return
	}
}

func flat(batches [][]*inventory.Host) (hosts []*inventory.Host) {
	for _, b := range batches {
		hosts = append(hosts, b...)
	}
	return hosts
}
