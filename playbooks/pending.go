package playbooks

import (
	"fmt"
	"slices"
	"strings"

	"labctl/modules/host"
)

// Title tells a play from the others of its site: its name, with a number behind it from the second of that name on.
func (p *Play) Title() string {
	nth := 1
	for _, o := range p.site.plays {
		if o == p {
			break
		}
		if o.Display() == p.Display() {
			nth++
		}
	}
	if nth == 1 {
		return p.Display()
	}
	return fmt.Sprintf("%s (%d)", p.Display(), nth)
}

// notice is what a host writes down of a handler.
func (r *HostRun) notice(n notice) host.NoticeID {
	return host.NoticeID{Site: r.env.Project, Play: r.play.Title(), Host: r.host.Name, Role: r.path(n.of), Handler: n.handler.Name}
}

// path says which turn of which role a scope is, and what that is in: "web", "web (2)" for the second use of it, "web[a]/tls".
func (r *HostRun) path(sc *scope) string {
	var parts []string
	for ; sc != nil && sc.call != nil; sc = sc.up {
		name, nth := sc.call.name, 1
		for _, c := range r.play.calls {
			if c.name == name && c.number < sc.call.number {
				nth++
			}
		}
		if nth > 1 {
			name = fmt.Sprintf("%s (%d)", name, nth)
		}
		if sc.turn.key != "" {
			name += "[" + sc.turn.key + "]"
		}
		parts = append(parts, name)
	}
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}

// Notices are the handlers that a step notifies if it changes something.
func (r *HostRun) Notices(s *Step) (out []host.NoticeID) {
	if s.Task.Harmless() || s.at == nil {
		return nil
	}
	for _, n := range s.notices() {
		out = append(out, r.notice(n))
	}
	return out
}

// Offer tells of handlers that have not run since earlier plays notified them: they have their turn as if a task had done so now.
// All that the sessions so far have told is in the list; until it is called, a run with Env.Offers is blocked at handlers.
func (r *HostRun) Offer(list []host.NoticeID) {
	r.heard = r.id
	for _, id := range list {
		if _, known := r.offered[id]; !known {
			r.offered[id] = true
		}
	}
}

// offers reports whether a handler has its turn for the sake of an earlier play.
func (r *HostRun) offers(n notice) bool { return len(r.offered) > 0 && r.offered[r.notice(n)] }

// accept gives it that turn.
func (r *HostRun) accept(n notice) {
	id := r.notice(n)
	r.offered[id] = false // whatever comes of it, it counts as notified by this play now
	r.accepted = append(r.accepted, id)
}

// Took reports whether a handler has had its turn, whatever came of it.
func (r *HostRun) Took(id host.NoticeID) bool {
	for n, after := range r.taken {
		if after > 0 && r.notice(n) == id {
			return true
		}
	}
	return false
}

// Accepted are the handlers that have had their turn since it was last asked because they were offered.
func (r *HostRun) Accepted() []host.NoticeID {
	out := r.accepted
	r.accepted = nil
	return out
}

// Owed is a handler that was notified and has not done what it is for.
type Owed struct {
	ID     host.NoticeID
	Failed bool // it has begun, and failed
}

// Owed lists those handlers, for a run that has ended before all was done.
func (r *HostRun) Owed() (out []Owed) {
	add := func(n notice, failed bool) {
		o := Owed{r.notice(n), failed}
		if !slices.ContainsFunc(out, func(have Owed) bool { return have.ID == o.ID }) {
			out = append(out, o)
		}
	}
	for _, n := range r.broken {
		add(n, true)
	}
	for _, n := range r.around(r.at) {
		add(n, false)
	}
	for _, s := range r.open {
		for _, n := range r.around(s.at) {
			add(n, false)
		}
	}
	for n := range r.notified {
		add(n, false)
	}
	order := r.declared()
	slices.SortStableFunc(out, func(a, b Owed) int {
		if d := slices.Index(order, a.ID) - slices.Index(order, b.ID); d != 0 {
			return d
		}
		return strings.Compare(a.ID.Role+"\x00"+a.ID.Handler, b.ID.Role+"\x00"+b.ID.Handler)
	})
	return out
}

// declared are the handlers in the order in which they have their turn.
func (r *HostRun) declared() (out []host.NoticeID) {
	for _, sc := range r.called {
		for _, h := range sc.call.role.handlers {
			out = append(out, r.notice(notice{sc, h}))
		}
	}
	for _, h := range r.play.handlers {
		out = append(out, r.notice(notice{r.root, h}))
	}
	return out
}

// around are the handlers that a place is in.
func (r *HostRun) around(f *frame) (out []notice) {
	for ; f != nil && f.up != nil; f = f.up {
		if f.up.sweep && !f.sweep {
			if sc, list := r.sweeps(f.up); f.up.pc < len(list) {
				out = append(out, notice{sc, list[f.up.pc]})
			}
		}
	}
	return out
}

// HasPlay reports whether a play of the site has that title.
func (s *Site) HasPlay(title string) bool {
	return slices.ContainsFunc(s.plays, func(p *Play) bool { return p.Title() == title })
}

// Knows reports whether a play of the site may ever have a handler of that description.
func (s *Site) Knows(id host.NoticeID) bool {
	for _, p := range s.plays {
		if p.Title() != id.Play {
			continue
		}
		list := p.handlers
		if id.Role != "" {
			list = p.roleHandlers
		}
		if slices.ContainsFunc(list, func(h *Handler) bool { return h.Name == id.Handler }) {
			return true
		}
	}
	return false
}
