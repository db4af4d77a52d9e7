package playbooks

import "fmt"

// Label is what the step is about: the key of its object once evaluated, the label as written otherwise.
func (s *Step) Label() string {
	if attr := s.Task.Module.Schema().Key(); attr != nil && s.body != nil && !s.Sensitive {
		if k, ok := s.body.params[attr.Name]; ok {
			return fmt.Sprint(k)
		}
	}
	return s.Task.Label
}

// Waiting lists the handlers that were notified and have not had their turn, in the order of their declaration. Of a handler
// whose steps have been returned, only their outcomes tell whether it ran.
func (r *HostRun) Waiting() []string {
	var out []string
	waits := func(sc *scope, handlers []*Handler) {
		for _, h := range handlers {
			if r.notified[notice{sc, h}] {
				out = append(out, h.Name)
			}
		}
	}
	for _, sc := range r.called {
		waits(sc, sc.call.role.handlers)
	}
	waits(r.root, r.play.handlers)
	return out
}
