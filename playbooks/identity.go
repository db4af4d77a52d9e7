package playbooks

import (
	"fmt"

	"labctl/inventory"
)

// Label is what the step is about: the key of its object once evaluated, the label as written otherwise.
func (s *Step) Label() string {
	if attr := s.Task.Module.Schema().Key(); attr != nil && s.body != nil && !s.Sensitive {
		if k, ok := s.body.params[attr.Name]; ok {
			return fmt.Sprint(k)
		}
	}
	return s.Task.Label
}

// Become is the user that the play becomes on this host when its tasks do not say otherwise, "" for the login user. It is
// the user whose session brings the facts.
func (r *HostRun) Become() string {
	return r.becomes(r.play.become, func() string {
		e := &evaluation{site: r.play.site, host: r.host}
		return r.text(r.play.becomeUser, "become_user", instance{ctx: r.ctx}, e)
	})
}

// becomes is the user to become, where the play or task says whether to and whom. Variables of Ansible that a host has go before, as
// they do there.
func (r *HostRun) becomes(on bool, user func() string) string {
	if r.host.Become != nil {
		on = *r.host.Become
	}
	if !on {
		return ""
	}
	if r.host.BecomeUser != "" {
		return r.host.BecomeUser
	}
	if u := user(); u != "" {
		return u
	}
	return "root"
}

// Becomes reports whether a task of the play, a handler's included, becomes another user on a host.
func (p *Play) Becomes(h *inventory.Host) bool {
	if h.Become != nil {
		return *h.Become
	}
	if p.become {
		return true
	}
	for _, tasks := range p.lists() {
		for _, t := range tasks {
			if t.become != nil && *t.become || t.becomeUser != nil && (t.become == nil || *t.become) {
				return true
			}
		}
	}
	return false
}

// Waiting lists the handlers that were notified and have not had their turn, in the order of their declaration. Of a handler
// whose steps have been returned, only their outcomes tell whether it ran.
func (r *HostRun) Waiting() []string {
	var out []string
	for i, h := range r.play.handlers {
		if r.notified[h.Name] && i >= r.handler {
			out = append(out, h.Name)
		}
	}
	return out
}
