package playbooks

import (
	"path"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"labctl/inventory"
)

// StartAt finds the first task called name, or matched by it as a pattern, among those that the tags of e select.
func (s *Site) StartAt(name string, e Env) (*Task, hcl.Diagnostics) {
	var known []string
	for _, p := range s.plays {
		for _, t := range p.tasks {
			if !e.selected(t) {
				continue
			}
			names := p.names(t)
			if slices.ContainsFunc(names, func(n string) bool { ok, _ := path.Match(name, n); return n == name || ok }) {
				return t, nil
			}
			known = append(known, names...)
		}
	}
	slices.Sort(known)
	hint := inventory.DidYouMean(name, slices.Compact(known))
	if hint == "" {
		hint = " With --list-tasks, play lists them."
	}
	return nil, hcl.Diagnostics{fault(nowhere, "Unknown task", "No task to start at is called %q.%s", name, hint)}
}

// names are what a task may be called by: as it is written, and as it shows where it is the same for all hosts.
func (p *Play) names(t *Task) []string {
	out := []string{t.title(), t.Label}
	if shown := p.Heading(t); shown != "" {
		out = append(out, shown)
	}
	if t.name != nil {
		for _, name := range p.same(t.name, t.role != "") {
			out = append(out, t.in(name))
		}
	} else if t.key != nil {
		for _, key := range p.same(t.key, t.role != "") {
			out = append(out, key, t.in(t.Module.Name()+" : "+key))
		}
	}
	return slices.DeleteFunc(out, func(n string) bool { return n == "" })
}

// same is the text of an expression that has one value for all hosts and items.
func (p *Play) same(x hcl.Expression, role bool) []string {
	if (varying{play: p, role: role}).varies(x) {
		return nil
	}
	v, diags := x.Value(p.scope())
	if diags.HasErrors() {
		return nil
	}
	v, err := convert.Convert(v, cty.String)
	if err != nil || !v.IsKnown() || v.IsNull() || v.IsMarked() {
		return nil
	}
	return []string{v.AsString()}
}

// number gives the tasks of the site their order.
func (s *Site) number() {
	n := 0
	for _, p := range s.plays {
		for _, t := range p.tasks {
			n++
			t.order = n
		}
	}
}
