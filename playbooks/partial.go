package playbooks

import (
	"encoding/json"
	"slices"
	"strings"

	"labctl/modules"
	"labctl/modules/schema"
)

// partial prepares a step of a plan, of which only values of arguments are not known, to be planned with the others: what
// becomes of the object is known then, and those behind it can stand on it. open are the paths of what is not known.
func (r *HostRun) partial(s *Step, open []string) {
	if !r.env.Plan || s.Task.Module.Kind() != modules.Resource || len(open) == 0 || len(open) < len(s.Unknowns) {
		return
	}
	for _, path := range open {
		root, _, repeated := strings.Cut(path, "[")
		if repeated { // of a list nothing can be said without all of it
			delete(s.body.params, root)
			path = root
		}
		if !slices.Contains(s.Open, path) {
			s.Open = append(s.Open, path)
		}
	}
	s.Call.Params = marshal(s.body.params)
	if r.check(s.Task, s.Call) == nil {
		s.Partial = true
		return
	}
	stand := map[string]any{}
	for k, v := range s.body.params {
		stand[k] = v
	}
	for _, path := range s.Open { // of what the object cannot do without, such as the content of a file
		if a := s.Task.Module.Schema().Find(path); a != nil && a.Kind == schema.String && a.Enum == nil {
			stand[path] = ""
		}
	}
	s.Call.Params = marshal(stand)
	s.Partial = r.check(s.Task, s.Call) == nil
}

// Foreseen makes of what is planned for a partly known step what is known of it.
func (s *Step) Foreseen(r modules.Result) modules.Diff {
	d := r.Diff
	var state map[string]any
	if d.Action == modules.None || d.Action == modules.Update {
		_ = json.Unmarshal(r.State, &state) // what was left out is as it was
	}
	kept := slices.DeleteFunc(slices.Clone(d.Changes), func(c modules.Change) bool { return slices.Contains(s.Open, c.Path) })
	for _, path := range s.Open {
		c := modules.Change{Path: path, UnknownAfter: true}
		if a := s.Task.Module.Schema().Find(path); a != nil {
			c.Sensitive = a.Sensitive
		}
		if !c.Sensitive {
			c.Before = state[path]
		}
		if i := slices.IndexFunc(d.Changes, func(c modules.Change) bool { return c.Path == path }); i >= 0 {
			c.Before, c.Unknown = d.Changes[i].Before, d.Changes[i].Unknown
		}
		kept = append(kept, c)
	}
	d.Changes = kept
	if d.Action == modules.None {
		d.Action = modules.Update
	}
	return d
}

// foreseen takes in what is known of a partly known step. Handlers are notified for sure if what is known changes something.
func (r *HostRun) foreseen(s *Step, o Outcome) Judgement {
	delete(r.open, s.ID)
	d := o.Result.Diff
	sure := d.Action == modules.Create || d.Action == modules.Delete || d.Action == modules.Replace ||
		slices.ContainsFunc(d.Changes, func(c modules.Change) bool { return !slices.Contains(s.Open, c.Path) })
	if sure && !o.Failed && s.Task.changedWhen == nil {
		r.notify(s, r.notified)
		s.at.scope.change()
	} else {
		r.notify(s, r.perhaps)
		s.at.scope.doubtful()
	}
	return Judgement{Outcome: o}
}

// notify notes the handlers that a step notifies, for sure or perhaps.
func (r *HostRun) notify(s *Step, how map[notice]bool) {
	for _, n := range s.notices() {
		if s.ID > r.taken[n] { // else the handler has its turn behind the step already
			how[n] = true
		}
	}
}

// mayBe notes, ahead of outcomes, the handlers that a step would notify which is not known.
func (r *HostRun) mayBe(s *Step) {
	for _, n := range s.notices() {
		if !r.perhaps[n] {
			r.perhaps[n] = true
			r.change(func() { delete(r.perhaps, n) })
		}
	}
}

// doubted marks a step of a handler that only a play knows to be notified.
func (r *HostRun) doubted(s *Step) {
	if r.at != nil && r.at.perhaps && !s.Skip {
		s.Unknown, s.Partial, s.Unknowns = true, false, append([]string{"notify"}, s.Unknowns...)
	}
}
