package playbooks

import "slices"

// Called is what a task is called where it is listed, not played: as it shows, or as it is written if that differs from host to host.
func (p *Play) Called(t *Task) string {
	names := p.names(t)
	return names[len(names)-1]
}

// Announced is what a task is called before it is evaluated for any host.
func (p *Play) Announced(t *Task) string {
	if t.name == nil {
		return t.title()
	}
	return p.Called(t)
}

// Tags are those of the task, with those of its play and blocks.
func (t *Task) Tags() []string { return slices.Clone(t.tags) }

// Selects says whether the command line leaves a task.
func (e Env) Selects(t *Task) bool { return e.selected(t) }

// lists returns the tasks and those of each handler, in roles too.
func (p *Play) lists() [][]*Task {
	out := [][]*Task{p.tasks}
	for _, h := range append(slices.Clone(p.handlers), p.roleHandlers...) {
		out = append(out, h.tasks)
	}
	return out
}
