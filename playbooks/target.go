package playbooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"labctl/inventory"
	"labctl/modules"
)

// Address is what plans call the step: TYPE.LABEL, or TYPE.LABEL["KEY"].
func (s *Step) Address() string { return s.address(s.Key) }

func (s *Step) address(key string) string {
	a := s.Task.Module.Name() + "." + s.Label()
	if key != "" {
		a = fmt.Sprintf("%s[%q]", a, key)
	}
	return a
}

// Targets are steps that the command line names: by their address, or their name, on all hosts and in all plays, or HOST:ADDRESS,
// PLAY/ADDRESS, PLAY/HOST:ADDRESS. The address of a loop names all its items.
type Targets struct {
	texts []string
	tasks map[*Task]bool // of which a step may be meant
	whole map[*Task]bool // whose result such a task asks for: all their steps belong to it
}

// names reports whether a step is one of the targets.
func (t *Targets) names(p *Play, h *inventory.Host, s *Step) bool {
	if t == nil || !t.tasks[s.Task] {
		return false
	}
	return slices.ContainsFunc(t.texts, func(text string) bool { return meant(text, p, h, s) })
}

// selects reports whether a step is taken part in: it is a target, or one needs its result, or a handler that one has notified.
func (t *Targets) selects(p *Play, h *inventory.Host, s *Step) bool {
	return t == nil || t.whole[s.Task] || s.Task.Handler != "" || t.names(p, h, s)
}

// mayHave reports whether a step of a task may be selected.
func (t *Targets) mayHave(task *Task) bool {
	return t == nil || t.whole[task] || t.tasks[task] || task.Handler != ""
}

func meant(text string, p *Play, h *inventory.Host, s *Step) bool {
	text = strings.TrimPrefix(text, p.Name+"/")
	if rest, ok := strings.CutPrefix(text, h.Name+":"); ok {
		text = strings.TrimLeft(rest, " ")
	}
	return text == s.Address() || text == s.address("") || text == s.Name
}

// Targets finds out which tasks are meant, on the hosts that limit leaves. The hosts are not asked: where a label depends on
// what only they know, its task may be meant.
func (s *Site) Targets(option string, texts []string, limit string, e Env) (*Targets, hcl.Diagnostics) {
	if len(texts) == 0 {
		return nil, nil
	}
	t := &Targets{texts: texts, tasks: map[*Task]bool{}, whole: map[*Task]bool{}}
	found := map[string]bool{}
	var known []string
	for _, p := range s.plays {
		hosts, _ := p.Hosts(limit) // told by Validate
		for _, h := range hosts {
			known = append(known, t.look(p, h, e, found)...)
		}
		t.close(p)
	}
	var diags hcl.Diagnostics
	for _, text := range texts {
		if !found[text] {
			slices.Sort(known)
			diags = append(diags, fault(nowhere, "Unknown address", "%s %s: no task has that address, or name.%s", option, text, inventory.DidYouMean(text, slices.Compact(known))))
		}
	}
	return t, diags
}

// look finds the tasks of a play that are meant on a host, and returns all addresses there.
func (t *Targets) look(p *Play, h *inventory.Host, e Env, found map[string]bool) (known []string) {
	r := p.Start(h, Env{Plan: true})
	r.walk(func(task *Task, sc *scope) {
		if !e.selected(task) {
			return
		}
		instances, ev := r.instances(task, sc)
		open := len(ev.unknown) > 0
		if open {
			instances = []instance{r.anyInstance(sc)}
		}
		for _, in := range instances {
			s, _ := r.step(task, in)
			if !open && !s.unnamed() && !s.Skip {
				known = append(known, s.Address(), s.address(""))
			}
			for _, text := range t.texts {
				if meant(text, p, h, &s) || s.maybe(text, open) {
					t.tasks[task], found[text] = true, true
				}
			}
		}
	})
	return known
}

// maybe reports whether a text may be the address of a step of which not all is known; open: not for what there is one.
func (s *Step) maybe(text string, open bool) bool {
	if s.unnamed() {
		return strings.Contains(text, s.Task.Module.Name()+".")
	}
	return open && strings.Contains(text, s.address("")+"[")
}

// unnamed reports whether the label is not known.
func (s *Step) unnamed() bool {
	key := s.Task.Module.Schema().Key()
	return key != nil && slices.Contains(s.Unknowns, key.Name)
}

// close adds the tasks whose results the targets ask for, and so on.
func (t *Targets) close(p *Play) {
	for more := true; more; {
		more = false
		for name := range t.asked(p) {
			for _, maker := range p.makers(name) {
				if !t.whole[maker] {
					t.whole[maker], more = true, true
				}
			}
		}
	}
}

// asked are the names of the results that the targets ask for, or the roles and files that they are in.
func (t *Targets) asked(p *Play) map[string]bool {
	names := map[string]bool{}
	ask := func(d *deps) {
		for ; d != nil; d = d.around {
			for _, n := range d.results {
				names[n] = true
			}
		}
	}
	meant := func(task *Task) bool { return t.tasks[task] || t.whole[task] }
	for _, task := range slices.Concat(p.lists()...) {
		if meant(task) {
			ask(&task.deps)
		}
	}
	for _, k := range p.calls {
		if slices.ContainsFunc(k.tasks, meant) {
			ask(&k.deps)
		}
	}
	return names
}

// makers are the tasks that make a result.
func (p *Play) makers(name string) (out []*Task) {
	for _, task := range slices.Concat(p.lists()...) {
		if task.Register == name {
			out = append(out, task)
		}
	}
	for _, k := range p.calls {
		if k.register == name {
			out = append(out, k.tasks...)
		}
	}
	return out
}

// Incomplete warns, as Terraform does, of a run that does not look at the whole site.
func Incomplete(plan bool) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "Targets are in effect",
		Detail: "Only the tasks that -target names are played, with those whose results they need and the handlers that they notify. The hosts may not be as the site says. Targets are for exceptions, such as to recover from a mistake."}
	if plan {
		d.Detail = strings.Replace(d.Detail, "played", "planned", 1)
	}
	return d
}

// Replaceable reports for each of the targets what cannot be replaced.
func (t *Targets) Replaceable() hcl.Diagnostics {
	var diags hcl.Diagnostics
	if t == nil {
		return nil
	}
	var names []string
	for task := range t.tasks {
		if !modules.Replaceable(task.Module) {
			names = append(names, task.Module.Name())
		}
	}
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		diags = append(diags, fault(nowhere, "Nothing to replace", "%s is nothing that could be removed and made again: -replace is for devices, files, accounts and the like.", inventory.Article(n)))
	}
	return diags
}

// replace has a step remove its object and make it again, if the command line says so.
func (r *HostRun) replace(s *Step) {
	if !s.Skip && !s.Call.Absent && r.env.Replace.names(r.play, r.host, s) {
		s.Call.Replace = true
	}
}

// targeted leaves of the steps of a task those that are selected.
func (r *HostRun) targeted(t *Task, steps []Step) []Step {
	for i := range steps {
		r.replace(&steps[i])
	}
	if r.env.Targets == nil {
		return steps
	}
	return slices.DeleteFunc(steps, func(s Step) bool {
		open := s.Unknown && slices.Contains(s.Unknowns, "for_each")
		return !open && !r.env.Targets.selects(r.play, r.host, &s)
	})
}
