package playbooks

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// call is a place in a program where other tasks have their turn: those of a role, or of a file. Its tasks are compiled for it
// alone.
type call struct {
	number   int       // among the calls of the play, in the order of their heads
	name     string    // of the role, or of the file as it is written
	rng      hcl.Range // its head
	when     []hcl.Expression
	forEach  hcl.Expression
	file     hcl.Expression      // the name of the file, where that is not the same everywhere; nil: program is all
	program  *program            // of the role, or of the file
	files    map[string]*program // by name, as file gives it
	vars     []definition        // of a file: variables that its tasks know by name
	role     *role               // nil: it is a file
	register string              // of a role: where its outputs are kept
	handler  bool                // it is among the tasks of a handler
	tasks    []*Task             // all of them
	deps     deps                // of when, for_each and the name of the file
	late     bool                // what is given to it may depend on facts or results
}

// selected reports whether the command line leaves any of its tasks.
func (c *call) selected(e Env) bool {
	return slices.ContainsFunc(c.tasks, func(t *Task) bool { return e.selected(t) && e.Targets.mayHave(t) })
}

// enter goes into what is called, once for each turn.
func (r *HostRun) enter(c *call) (steps []Step, blocked bool, diags hcl.Diagnostics) {
	f := r.at
	if !c.selected(r.env) {
		r.uncalled(c, f.scope)
		r.advance()
		return nil, false, nil
	}
	r.showFailure()
	r.fresh(f.scope)
	turns, e := r.turns(c, f.scope)
	diags = append(e.diags, f.scope.wrong()...)
	unknown := slices.ContainsFunc(turns, func(sc *scope) bool { return sc.holds == perhaps })
	switch {
	case diags.HasErrors():
		return r.failCall(c, diags)
	case unknown && f.scope.holds == yes && r.awaits(&c.deps, f.scope):
		return nil, true, nil
	case unknown && !r.env.Plan && !r.env.Verify:
		return r.failCall(c, hcl.Diagnostics{fault(c.rng, "Value not known", "For %s the value of %v is not known, and nothing is under way that could tell.", r.host.Name, e.unknown)})
	}
	r.begin(c, turns)
	if len(turns) == 0 {
		r.advance()
		return nil, false, nil
	}
	r.at = f.enter(turns[0].prog, turns[0])
	r.at.rest = turns[1:]
	return nil, false, nil
}

// begin keeps account of the turns: of their outputs, and of the handlers that they bring.
func (r *HostRun) begin(c *call, turns []*scope) {
	if c.role == nil || len(turns) == 0 && c.register == "" {
		return
	}
	home := r.at.scope.home
	if c.register != "" {
		r.changeResult(home, c.register)
		reg := &registration{name: c.register, home: home, turns: turns, loop: c.forEach != nil}
		home.register[c.register] = reg
		home.called = append(home.called, reg)
		r.version++
	}
	if len(c.role.handlers) == 0 || c.handler {
		return
	}
	before := r.called
	r.change(func() { r.called = before })
	at := slices.IndexFunc(r.called, func(o *scope) bool { return r.at.scope.in(o) }) // what is called has its turn before those around
	if at < 0 {
		at = len(r.called)
	}
	r.called = slices.Insert(slices.Clone(r.called), at, turns...)
}

// failCall has the first task of what cannot be called fail in its place, so that a block can see to that.
func (r *HostRun) failCall(c *call, diags hcl.Diagnostics) (steps []Step, blocked bool, faults hcl.Diagnostics) {
	if len(c.tasks) == 0 {
		return nil, false, diags
	}
	return r.fail(c.tasks[0], diags)
}

// uncalled gives results to what is not called.
func (r *HostRun) uncalled(c *call, sc *scope) {
	switch {
	case c.role != nil && c.register != "" && sc.home.register[c.register] == nil:
		r.setResult(sc.home, c.register, c.without(cty.True))
	case c.role != nil:
	case c.file != nil:
		for _, name := range sortedKeys(c.files) {
			r.passOver(sc, c.files[name].items)
		}
	default:
		r.passOver(sc, c.program.items)
	}
}

// turns are the scopes of what is called, for each turn of its loop. One that is skipped, or not known, is there as well: its
// tasks are told so.
func (r *HostRun) turns(c *call, sc *scope) ([]*scope, *evaluation) {
	e := &evaluation{site: r.play.site, host: r.host}
	if sc.holds != yes {
		return r.doubtfulTurn(c, sc, sc.holds, sc.reasons), e
	}
	list := r.loop(c.forEach, sc, e)
	if len(e.unknown) > 0 {
		return r.doubtfulTurn(c, sc, perhaps, []string{"for_each"}), e
	}
	var out []*scope
	for _, in := range list {
		t := sc.entered(c, in)
		switch t.holds = r.conditions(c.when, in, e); t.holds {
		case perhaps:
			t.reasons = []string{"when"}
			e.unknown = append(e.unknown, "when")
			r.chooseFile(t, in, e)
		case yes:
			r.chooseFile(t, in, e)
		}
		if t.number = len(out); t.prog != nil {
			out = append(out, t)
		}
	}
	return out, e
}

// doubtfulTurn stands for the turns of what is skipped, or not known.
func (r *HostRun) doubtfulTurn(c *call, sc *scope, holds answer, why []string) []*scope {
	in := r.anyInstance(sc)
	if c.forEach == nil {
		in = instance{ctx: sc.ctx, scope: sc}
	}
	t := sc.entered(c, in)
	t.holds, t.reasons = holds, why
	if t.prog == nil {
		return nil
	}
	return []*scope{t}
}

// anyInstance stands for the instances of a loop that is not known.
func (r *HostRun) anyInstance(sc *scope) instance {
	ctx := sc.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": cty.UnknownVal(cty.String), "value": cty.DynamicVal})}
	return instance{ctx: ctx, scope: sc}
}

// chooseFile finds the file whose name depends on the host, or on the turn.
func (r *HostRun) chooseFile(t *scope, in instance, e *evaluation) {
	if t.call.file == nil || e.diags.HasErrors() {
		return
	}
	name := r.text(t.call.file, "file", in, e)
	if t.prog = t.call.files[name]; t.prog == nil && !e.diags.HasErrors() && name != "" && !r.play.site.diags.diags().HasErrors() {
		e.fault(t.call.file.Range(), "Unknown file", "The file %s was not read before the run: its name may depend on what is known of hosts by then, not on facts or results.", name)
	}
}

// wrong is what is wrong with the arguments of the calls that have led to the scope.
func (sc *scope) wrong() (diags hcl.Diagnostics) {
	for ; sc != nil; sc = sc.up {
		diags = append(diags, sc.faults...)
	}
	return diags
}

// change notes, for what has called, that a task has changed something.
func (sc *scope) change() {
	for ; sc.call != nil; sc = sc.up {
		sc.changed = true
	}
}

// doubtful notes that a task is not known before a play.
func (sc *scope) doubtful() {
	for ; sc.call != nil; sc = sc.up {
		sc.unsure = true
	}
}

// walk visits all tasks, those of handlers too, in the scopes that they have as far as that is known, and tells what is wrong on
// the way to them.
func (r *HostRun) walk(visit func(t *Task, sc *scope)) hcl.Diagnostics {
	var diags hcl.Diagnostics
	var items func(p *program, sc *scope)
	items = func(p *program, sc *scope) {
		for _, it := range p.items {
			switch {
			case it.task != nil:
				visit(it.task, sc)
			case it.call != nil:
				turns, e := r.turns(it.call, sc)
				diags = append(diags, e.diags...)
				for _, t := range turns {
					r.fresh(t)
					diags = append(diags, t.faults...)
					items(t.prog, t)
					if t.call.role != nil {
						for _, h := range t.call.role.handlers {
							items(&h.program, t)
						}
					}
				}
			}
		}
	}
	items(&r.play.program, r.root)
	for _, h := range r.play.handlers {
		items(&h.program, r.root)
	}
	return diags
}
