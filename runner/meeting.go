package runner

import (
	"context"
	"slices"
	"sync"

	"labctl/inventory"
	"labctl/playbooks"
)

// meeting is where the hosts of a play wait for each other: at a sync block, and at a task between two hosts. All of them come
// to the same meetings in the same order, or leave the play. A play without any pays for it with one lock for each host.
type meeting struct {
	r     *Runner
	hosts []*inventory.Host // of the play
	slots chan struct{}     // for those that wait, another host may have its turn

	mu      sync.Mutex
	members int      // hosts still in the play
	here    []*guest // those that have come
}

// guest is a host that waits. Who is called with all of them has the chair: it sees to what there is to be done while the
// others, whose sessions are idle, wait on. It calls them with nil when that is done.
type guest struct {
	x    *hostPlay
	step playbooks.Step
	call chan []*guest
}

// attend waits until all hosts of the play are there and what they have come for is done. It reports whether that is so: the
// run may be interrupted before.
func (m *meeting) attend(ctx context.Context, x *hostPlay, st playbooks.Step) bool {
	if x.r.o.Mode.planning() {
		x.foresee(ctx, st)
		return true
	}
	<-m.slots
	defer func() { m.slots <- struct{}{} }()
	g := &guest{x, st, make(chan []*guest, 1)}
	m.mu.Lock()
	m.here = append(m.here, g)
	m.beginLocked()
	m.mu.Unlock()
	select {
	case all := <-g.call:
		m.chair(ctx, all)
	case <-ctx.Done():
		if m.withdraw(g) {
			return false
		}
		m.chair(ctx, <-g.call) // it has begun
	}
	return true
}

func (m *meeting) chair(ctx context.Context, all []*guest) {
	if all == nil {
		return
	}
	m.between(ctx, all)
	for _, g := range all[1:] {
		close(g.call)
	}
}

// withdraw takes g away from a meeting that has not begun.
func (m *meeting) withdraw(g *guest) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.here, g)
	if i >= 0 {
		m.here = slices.Delete(m.here, i, i+1)
	}
	return i >= 0
}

// leave says that a host has left the play.
func (m *meeting) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.members--
	m.beginLocked()
}

// beginLocked begins the meeting when all are there: the first of the play has the chair.
func (m *meeting) beginLocked() {
	if len(m.here) < m.members || len(m.here) == 0 {
		return
	}
	all := m.here
	m.here = nil
	slices.SortFunc(all, func(a, b *guest) int { return slices.Index(m.hosts, a.x.host) - slices.Index(m.hosts, b.x.host) })
	all[0].call <- all
}
