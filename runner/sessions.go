package runner

import (
	"context"
	"fmt"
	"sync"
	"time"

	"labctl/inventory"
	"labctl/playbooks"
	"labctl/transport"
)

// session returns the session at a place, and opens it when there is none. Of those that ask for it at the same time one does so.
func (r *Runner) session(ctx context.Context, at place, ahead bool) (*session, error) {
	gate := r.gate(at)
	gate.Lock()
	defer gate.Unlock()
	h, become := at.host, at.as
	r.mu.Lock()
	s := r.sessions[h.Name][become]
	r.mu.Unlock()
	if s != nil {
		lost := s.lost()
		switch {
		case lost == nil:
			return s, nil
		case r.o.Mode.planning() && s.used.Load(): // what the tasks before would have done was known to that agent alone
			return nil, fmt.Errorf("the plan of %s cannot go on: %w", h.Name, lost)
		}
		// Nothing was under way, or the host would be out of the run.
		r.sink.event(Event{Kind: Debug, Host: h.Name, Level: 1, Message: "the session was lost while it was idle, open another: " + lost.Error()})
		r.mu.Lock()
		delete(r.sessions[h.Name], become)
		r.mu.Unlock()
		s.end()
	}
	r.sink.event(Event{Kind: Connecting, Host: h.Name})
	start := time.Now()
	l, err := r.open(ctx, h, become, ahead && !r.lends[h.Name]) // another may have to hear it first
	if err != nil {
		return nil, err
	}
	s = newSession(l, start)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[h.Name] == nil {
		r.sessions[h.Name] = map[playbooks.Identity]*session{}
	}
	r.sessions[h.Name][become] = s
	return s, nil
}

// present is the session at a place; nil: there is none yet.
func (r *Runner) present(at place) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[at.host.Name][at.as]
}

func (r *Runner) gate(at place) *sync.Mutex {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gates[at]
	if g == nil {
		g = &sync.Mutex{}
		r.gates[at] = g
	}
	return g
}

// end closes a session when whoever has the turn at it is done.
func (s *session) end() {
	s.turn <- struct{}{}
	_ = s.close()
	<-s.turn // others see that it is lost
}

// open opens a session beside those that the host has, or in their place, since they are idle, where there may be but one
// (MaxSessions in sshd_config(5)). A kept connection has one until the agent has ended.
func (r *Runner) open(ctx context.Context, h *inventory.Host, become playbooks.Identity, ahead bool) (*link, error) {
	tell := notices{
		log: func(level int, msg string) {
			r.sink.event(Event{Kind: Debug, Host: h.Name, Level: level, Message: msg})
		},
		push: func(done, total int64) {
			r.sink.event(Event{Kind: Pushing, Host: h.Name, Push: &Push{Done: done, Total: total}})
		},
	}
	start := func() (*link, error) { return r.o.Opener.open(ctx, h, become, ahead, tell) }
	l, err := start()
	if !transport.NoSession(err) || !r.disconnect(h.Name) {
		return l, err
	}
	return transport.InPlace(ctx, start)
}

// leave ends the sessions of a host and notes what they have cost. A thousand hosts are not kept waiting for the slowest.
// Those of a host that others may still need stay.
func (r *Runner) leave(host string) {
	if !r.lends[host] {
		r.disconnect(host)
	}
}

// disconnect ends the sessions of a host, which may come back, and adds what they have cost to what it has cost before. It
// reports whether there were any.
func (r *Runner) disconnect(host string) bool {
	r.mu.Lock()
	sessions := r.sessions[host]
	delete(r.sessions, host)
	r.mu.Unlock()
	var total *Cost
	for _, s := range sessions {
		if c := s.link.cost(); c != nil {
			c.Pushed = s.link.pushed.Load() || total != nil && total.Pushed
			total = c // sessions of one host share the connection
		}
	}
	for _, s := range sessions {
		s.end()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.costs[host] = r.costs[host].plus(total)
	return len(sessions) > 0
}

// closeAll ends the sessions that later plays would have used, had they been reached.
func (r *Runner) closeAll() {
	var wg sync.WaitGroup
	r.mu.Lock()
	for host := range r.sessions {
		wg.Go(func() { r.disconnect(host) })
	}
	r.mu.Unlock()
	wg.Wait()
}
