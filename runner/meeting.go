package runner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"labctl/inventory"
	"labctl/playbooks"
)

// meeting is where the hosts of a play wait for each other: at a sync block, at a task between two hosts, before a task that one
// of them runs for all, and before any task where the play wants that. A place is met at when no host may still come to it: all
// others have ended, wait elsewhere, or have taken a way that leads past it. A play without any pays for it with one lock for
// each host.
type meeting struct {
	r     *Runner
	play  *playbooks.Play
	order map[*inventory.Host]int // of the hosts of the play
	slots chan struct{}           // for those that wait, another host may have its turn

	mu      sync.Mutex
	members int                           // hosts still in the play
	here    []*guest                      // those that wait
	beyond  map[*hostPlay]playbooks.Place // those that do not, and have taken another way, to there
	failed  int                           // hosts that have left after a failure
	strikes int                           // failures that are fatal for all
	strike  *playbooks.Strike             // the last of them
	ends    string                        // why they are; "": none is
}

// guest is a host that waits. Who is called with all of them has the chair: it sees to what there is to be done while the
// others, whose sessions are idle, wait on. It calls them with nil when that is done.
type guest struct {
	x    *hostPlay
	step playbooks.Step
	call chan []*guest

	strikes int // when the meeting begins
	strike  *playbooks.Strike
	turn    *turn // of a task that one runs for all
}

// turn is that of a host which runs a task for all. The others look at it when they meet again.
type turn struct {
	host  *hostPlay
	done  bool
	known playbooks.Shared
	skip  bool              // the task is not performed
	ended playbooks.Outcome // of a step that has failed
}

func newMeeting(r *Runner, p *playbooks.Play, hosts []*inventory.Host, slots chan struct{}) *meeting {
	m := &meeting{r: r, play: p, order: map[*inventory.Host]int{}, members: len(hosts), slots: slots, beyond: map[*hostPlay]playbooks.Place{}}
	for i, h := range hosts {
		m.order[h] = i
	}
	return m
}

// attend waits until all hosts that are to come to a meeting are there and what they have come for is done. It reports whether
// that is so: the run may be interrupted before.
func (m *meeting) attend(ctx context.Context, x *hostPlay, st playbooks.Step) bool {
	if x.r.o.Mode.planning() && len(st.Between) > 0 {
		x.foresee(ctx, st)
		x.eval.Met(st.ID)
		return true
	}
	<-m.slots
	defer func() { m.slots <- struct{}{} }()
	if st.Gathers && x.turn.host == x {
		x.turn.done, x.turn.known = true, x.eval.Shares(&st)
	}
	g := &guest{x: x, step: st, call: make(chan []*guest, 1)}
	m.mu.Lock()
	delete(m.beyond, x)
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
	x.met(g)
	return true
}

func (m *meeting) chair(ctx context.Context, all []*guest) {
	if all == nil {
		return
	}
	if first := all[0]; !first.stricken() {
		first.turn.skip = first.step.Asks && !m.r.perform(ctx, m.play, first)
		m.between(ctx, all)
	}
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

// leave says that a host has left the play, and whether it has failed: so many may have that the others go no further.
func (m *meeting) leave(x *hostPlay, failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.beyond, x)
	m.members--
	if failed {
		m.failed++
		m.enoughLocked(x)
	}
	m.beginLocked()
}

// enoughLocked ends the play for all of its hosts when too many have failed.
func (m *meeting) enoughLocked(last *hostPlay) {
	why := m.play.StopsAmidst(m.failed, len(m.order))
	if why == "" || m.strikes > 0 || m.members == 0 || m.r.o.Mode != Play {
		return
	}
	m.strikes, m.strike, m.ends = 1, &playbooks.Strike{Host: last.host.Name, Error: why}, why
	m.r.sink.event(Event{Kind: Warning, Play: m.play.Display(),
		Message: fmt.Sprintf("%s, which ends play %q for all of its hosts", why, m.play.Display())})
}

// pass says that a host has taken another way, and comes to no place before that one.
func (m *meeting) pass(x *hostPlay, to playbooks.Place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.beyond[x] = to
	m.beginLocked()
}

// beginLocked begins the meeting at the first place that hosts wait at, if nobody else may come to it: the first of the play has
// the chair. Two hosts can be looked at only while all others rest. Those that have yet to hear of a failure which is fatal for all
// are sent away first: it may lead them to another place, or here again.
func (m *meeting) beginLocked() {
	busy := m.members - len(m.here)
	if len(m.here) == 0 || busy > len(m.beyond) {
		return
	}
	first := slices.MinFunc(m.here, func(a, b *guest) int { return slices.Compare(a.step.Place, b.step.Place) }).step
	for _, to := range m.beyond {
		if slices.Compare(to, first.Place) <= 0 {
			return
		}
	}
	at := func(g *guest) bool { // of two files at a place, one after the other
		return slices.Equal(g.step.Place, first.Place) && g.step.Range == first.Range
	}
	hears := func(g *guest) bool { return at(g) && m.strikes > g.x.strikes }
	switch {
	case slices.ContainsFunc(m.here, hears):
		m.callLocked(hears)
	case len(first.Between) == 0 || busy == 0:
		m.callLocked(at)
	}
}

// callLocked begins a meeting of some of those that wait.
func (m *meeting) callLocked(which func(*guest) bool) {
	var all, rest []*guest
	for _, g := range m.here {
		if which(g) {
			all = append(all, g)
		} else {
			rest = append(rest, g)
		}
	}
	slices.SortFunc(all, func(a, b *guest) int { return cmp.Compare(m.order[a.x.host], m.order[b.x.host]) })
	m.here = rest
	t := &turn{host: all[0].x}
	for _, g := range all {
		g.turn, g.strikes, g.strike = t, m.strikes, m.strike
	}
	all[0].call <- all
}

// stricken reports whether a failure of another host ends the play for this one.
func (g *guest) stricken() bool { return g.strikes > g.x.strikes }

// met takes in what the meeting means for the host.
func (x *hostPlay) met(g *guest) {
	id := g.step.ID
	switch {
	case g.stricken():
		x.strikes = g.strikes
		v := x.eval.Struck(id, g.strike)
		if v != playbooks.Rescued && g.strike.Step != nil {
			x.blame(*g.strike.Step)
		}
		x.follow(g.step, playbooks.Judgement{Verdict: v})
	case g.turn.skip:
		x.eval.Declines(id)
	case g.step.Chooses:
		x.turn = g.turn
		x.eval.Leads(id, g.turn.host == x)
	case g.step.Gathers && x.turn.done:
		x.eval.Follows(id, x.turn.known)
	case g.step.Gathers:
		x.strikes = g.strikes
		x.follow(g.step, playbooks.Judgement{Verdict: x.eval.Fails(id, x.turn.ended, x.turn.known)})
	default:
		x.eval.Met(id)
	}
}

// strike says that the host has failed with what is fatal for all, in a step if one is given: they are told where they meet next.
func (x *hostPlay) strike(st *playbooks.Step, why string) {
	m := x.meet
	if m == nil {
		return
	}
	m.mu.Lock()
	m.strikes++
	m.ends = "a failure of one host is fatal for all"
	x.strikes = m.strikes
	m.strike = &playbooks.Strike{Host: x.host.Name, Step: st, Error: why}
	first := m.strikes == 1
	m.mu.Unlock()
	if first && len(m.order) > 1 {
		x.r.sink.event(Event{Kind: Warning, Play: x.play.Display(),
			Message: fmt.Sprintf("any_errors_fatal: %s has failed, which ends play %q for all of its hosts", x.host.Name, x.play.Display())})
	}
}
