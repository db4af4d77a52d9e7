package runner

import (
	"context"

	"labctl/inventory"
	"labctl/playbooks"
)

// place is where requests go: to the agent on a host that runs as a user. Hosts that run tasks there for which "on" says so share its
// one session: they take turns at it, and a turn lasts until all that was sent in it is answered. Who has the turn alone sends, and
// takes in what the agent says.
type place struct {
	host *inventory.Host
	as   playbooks.Identity
}

// placed is where what becomes a user on a host goes. A play has a session for each user. A plan has one for all of them: the copy of
// the host in which a task sees what those before it would have done lives in one agent.
func (r *Runner) placed(h *inventory.Host, as playbooks.Identity) place {
	if r.o.Mode.planning() {
		as = r.planAs[h.Name]
	}
	return place{h, as}
}

// place is where a step goes.
func (x *hostPlay) place(st playbooks.Step) place {
	if x.does(st) {
		return place{x.where(st), st.Become}
	}
	return x.r.placed(x.where(st), st.Become)
}

// where is the host that a step runs on.
func (x *hostPlay) where(st playbooks.Step) *inventory.Host {
	if st.On != nil {
		return st.On
	}
	return x.host
}

// there reports whether the current session is the one that a step goes to.
func (x *hostPlay) there(st playbooks.Step) bool { return x.cur != nil && x.at == x.place(st) }

// atHome reports whether the current session is one of the host's own.
func (x *hostPlay) atHome() bool { return x.cur != nil && x.at.host == x.host }

// take waits for this host's turn at the current session. It reports false when the run is interrupted before. Each turn is an epoch
// of its own, so that nobody's failure drops what others send.
func (x *hostPlay) take(ctx context.Context) bool {
	if x.holds != nil {
		return true
	}
	select {
	case x.cur.turn <- struct{}{}:
		x.holds = x.cur
		x.cur.epoch++
		return true
	case <-ctx.Done():
		return false
	}
}

// release ends the turn, unless something is under way.
func (x *hostPlay) release() {
	if x.holds != nil && len(x.sent) == 0 {
		<-x.holds.turn
		x.holds = nil
	}
}

// lenders are the hosts that may have to run tasks for others. Their sessions stay until the end of the run.
func (r *Runner) lenders() map[string]bool {
	out := map[string]bool{}
	for _, h := range r.site.Lenders() {
		out[h.Name] = true
		for _, p := range r.site.Plays() {
			r.foreseeAs(p, h, false)
		}
	}
	return out
}

// foreseeAs notes as whom a host is planned on: as root if any task becomes another user there.
func (r *Runner) foreseeAs(p *playbooks.Play, h *inventory.Host, member bool) {
	if as, becomes := p.Becomes(h, member); becomes && r.planAs[h.Name].User == "" {
		as.User = "root"
		r.planAs[h.Name] = as
	}
}

// other is the host that a step involves beside the one that it is for: the far end of a probe, or where it runs.
func other(st playbooks.Step) string {
	switch {
	case st.To != nil:
		return st.To.Name
	case st.On != nil:
		return st.On.Name
	}
	return ""
}
