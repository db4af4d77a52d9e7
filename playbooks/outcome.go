package playbooks

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Verdict is what an outcome means for the run of its host.
type Verdict int

const (
	// GoesOn means that what was handed out behind the step holds.
	GoesOn Verdict = iota
	// Ignored means the same, though the step has failed.
	Ignored
	// Rescued means that the step has failed, and a rescue block sees to it, maybe behind always blocks within its own. What was
	// handed out behind the step is void.
	Rescued
	// Diverted means that the step has failed, and there is something left to do before the host leaves the play: an always
	// block, handlers. What was handed out behind the step is void.
	Diverted
	// Ends means that the step has failed and the host leaves the play.
	Ends
	// Again means that the step is to be tried once more, after Delay. Its outcome is still to come.
	Again
)

// Judgement is what became of a step, with what its conditions (changed_when, failed_when, until) make of the outcome.
type Judgement struct {
	Verdict Verdict
	Outcome Outcome
	Delay   time.Duration // before it is tried again
	Left    int           // of its tries, that one included
	Diags   hcl.Diagnostics
}

// SetOutcome tells how a step ended, and returns what that means. Steps with Skip or Unknown need no call.
func (r *HostRun) SetOutcome(id int, o Outcome) Judgement {
	s := r.open[id]
	if s == nil {
		return Judgement{Outcome: o}
	}
	if o.Unknown || s.Partial && !o.Final {
		r.added(s, Outcome{Unknown: true})
	}
	switch {
	case o.Unknown:
		delete(r.open, id)
		r.notify(s, r.perhaps)
		s.at.scope.doubtful()
		r.record(s, cty.DynamicVal)
		return Judgement{Outcome: o}
	case s.Partial && !o.Final:
		return r.foreseen(s, o)
	}
	j := r.judge(s, o)
	if j.Verdict == Again {
		return j
	}
	o = j.Outcome
	switch {
	case r.env.Plan && s.Task.changedWhen != nil && o.Changed == nil && !o.Failed:
		r.notify(s, r.perhaps)
		s.at.scope.doubtful()
	case o.Changes():
		r.notify(s, r.notified)
		s.at.scope.change()
	}
	r.added(s, o)
	delete(r.open, id)
	if s.at.scope.call != nil {
		r.version++
	}
	if s.Task.Register != "" { // nobody else will ask for the value, which is costly to make
		r.record(s, r.hidden(s, r.own(s, o)))
	}
	switch {
	case !o.Failed:
	case r.env.Verify: // each probe is for itself
		if s.Faults != nil {
			r.done()
		}
	case o.Final: // nobody wants to see it rescued
		r.leaveAt(s.at)
		j.Verdict = Ends
	case s.ignore:
		if s.Faults != nil {
			r.conclude(s, o, cty.NilVal)
			r.done()
		}
		j.Verdict = Ignored
	default:
		j.Verdict = r.failing(s.at, r.hidden(s, failureValue(s, r.own(s, o))), s.ID)
		if s.Faults != nil {
			r.conclude(s, o, cty.NilVal)
		}
	}
	return j
}

// conclude gives a result to a task that has failed and was not handed out for this host: it could not be evaluated, or another
// host, which knows the result, has run it for all.
func (r *HostRun) conclude(s *Step, o Outcome, known cty.Value) {
	it := s.at.prog.items[s.at.pc]
	switch {
	case it.call != nil:
		r.uncalled(it.call, s.at.scope)
		return
	case s.Task.Register == "":
		return
	case known != cty.NilVal:
	case s.Task.forEach != nil:
		known = cty.EmptyObjectVal
	default:
		known = r.hidden(s, r.own(s, o))
	}
	r.setResult(s.at.scope.home, s.Task.Register, known)
}

// Heard tells how a step ended that counts as a task of another host: a failure is none of this one, which knows the result.
func (r *HostRun) Heard(id int, o Outcome) {
	s := r.open[id]
	if s == nil || !o.Failed {
		r.SetOutcome(id, o)
		return
	}
	delete(r.open, id)
	r.record(s, r.hidden(s, r.own(s, o)))
	if s.at.scope.call != nil {
		r.version++
	}
}

// failing leads the run to where a failure at a place is seen to. What was handed out behind the step is void.
func (r *HostRun) failing(at *frame, failure cty.Value, id int) Verdict {
	r.last = at
	if !r.caught(at) {
		r.leaveAt(at)
		return Ends
	}
	broken := r.around(at)
	r.takeBack(id)
	rescued := r.raise(at, nil, failure) || r.rescuedBehind(r.at)
	r.passBy(at)
	if rescued {
		return Rescued
	}
	r.broken = append(r.broken, broken...)
	return Diverted
}

// passOver gives results to tasks that do not have their turn.
func (r *HostRun) passOver(sc *scope, items []item) {
	for _, it := range items {
		switch {
		case it.task != nil && sc.home.register[it.task.Register] == nil:
			r.skipped(it.task, sc)
		case it.call != nil:
			r.uncalled(it.call, sc)
		}
	}
}

// passBy passes over what stands between a failure at f and the place where it is seen to.
func (r *HostRun) passBy(f *frame) {
	for ; f != nil; f = f.up {
		if f.sweep {
			continue
		}
		if f.prog == r.at.prog {
			r.passOver(f.scope, f.prog.items[f.pc+1:max(f.pc+1, r.at.pc)])
			return
		}
		r.passOver(f.scope, f.prog.items[min(f.pc+1, len(f.prog.items)):])
	}
}

// failure is what the name "failure" means at f: what the nearest block around sees to, or null in an always part if nothing has
// failed. NilVal: it means nothing there.
func (f *frame) failure() cty.Value {
	for ; f != nil && !f.sweep; f = f.up {
		for _, b := range slices.Backward(f.prog.blocks) {
			if !b.rescue.holds(f.pc) && !b.always.holds(f.pc) {
				continue
			}
			if i := slices.IndexFunc(f.seen, func(s seen) bool { return s.by == b }); i >= 0 {
				return f.seen[i].failure
			}
			return cty.NullVal(cty.DynamicPseudoType)
		}
		if f.scope.call == nil || f.scope.call.role != nil { // only files are part of what calls them
			break
		}
	}
	return cty.NilVal
}

// showFailure has what is evaluated next see it.
func (r *HostRun) showFailure() {
	if v := r.at.failure(); v != cty.NilVal {
		r.at.scope.home.ctx.Variables["failure"] = v
	}
}

// failureValue is the name "failure" of rescue and always blocks.
func failureValue(s *Step, own cty.Value) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"task": cty.StringVal(s.Name), "module": cty.StringVal(s.Task.Module.Name()), "key": cty.StringVal(s.key),
		"error": own.GetAttr("error"), "result": own,
	})
}

// hidden marks what was made of a secret, for it may hold it.
func (r *HostRun) hidden(s *Step, v cty.Value) cty.Value {
	if s.Sensitive {
		return v.Mark(sensitive)
	}
	return v
}

// own is the result of a step as its conditions, and those who ask for it by name, see it.
func (r *HostRun) own(s *Step, o Outcome) cty.Value {
	v := o.value(s.Task.Module)
	open := r.mayFail(s, o)
	if !s.Task.retried() && s.Task.async == nil && !open {
		return v
	}
	m := v.AsValueMap()
	if open {
		m["failed"], m["error"] = cty.UnknownVal(cty.Bool), cty.UnknownVal(cty.String)
	}
	if s.Task.async != nil {
		o.jobValues(m)
	}
	if !s.Task.retried() {
		return cty.ObjectVal(m)
	}
	m["attempts"] = cty.NumberIntVal(int64(r.attempts[s.ID]))
	return cty.ObjectVal(m)
}

// mayFail reports whether a plan cannot know if a step fails, and the tasks that see its result have their turn even then.
func (r *HostRun) mayFail(s *Step, o Outcome) bool {
	if !o.Result.Unknown || o.Skipped || o.Failed || s.Task.failedWhen != nil && never(s.Task.failedWhen) {
		return false
	}
	return s.ignore || r.caught(s.at)
}

// judge applies the conditions of a task to an outcome.
func (r *HostRun) judge(s *Step, o Outcome) Judgement {
	t := s.Task
	j := Judgement{Outcome: o}
	if !t.judges() || o.Skipped || o.Final || s.Faults != nil {
		return j
	}
	r.attempts[s.ID]++
	if v, known := r.verdict(s, t.changedWhen, "changed_when", &j); known {
		j.Outcome.Changed = &v
	}
	if !t.patient() { // what is behind the step may be done already
		j.Diags = harmless(j.Diags)
	}
	if v, known := r.verdict(s, t.failedWhen, "failed_when", &j); known {
		j.Outcome.Failed = v
		switch {
		case !v:
			j.Outcome.Error = ""
		case !o.Failed:
			j.Outcome.Error = "the condition failed_when is true"
		}
	}
	done := !j.Outcome.Failed
	if v, known := r.verdict(s, t.until, "until", &j); known {
		done = v
	}
	if left := s.tries - r.attempts[s.ID]; !done && left > 0 && !j.Diags.HasErrors() {
		j.Verdict, j.Left, j.Delay = Again, left, s.delay
		return j
	}
	if !done && !j.Outcome.Failed {
		j.Outcome.Failed, j.Outcome.Error = true, fmt.Sprintf("the condition until is still false, tried %d times", r.attempts[s.ID])
	}
	if j.Diags.HasErrors() {
		d := j.Diags[0]
		j.Outcome.Failed, j.Outcome.Error = true, d.Summary+": "+d.Detail
	}
	return j
}

// Harmless reports whether the task is said to change nothing, whatever comes of it.
func (t *Task) Harmless() bool { return t.changedWhen != nil && never(t.changedWhen) }

// harmless makes warnings of the faults of a changed_when.
func harmless(diags hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range diags {
		d.Severity = hcl.DiagWarning
		d.Summary = fmt.Sprintf("changed_when at %s:%d does not count: %s", d.Subject.Filename, d.Subject.Start.Line, d.Summary)
	}
	return diags
}

// verdict evaluates a condition of a step on its own outcome. It is not known where there is none, or where a plan does not
// know what it depends on.
func (r *HostRun) verdict(s *Step, x hcl.Expression, name string, j *Judgement) (value, known bool) {
	if x == nil {
		return false, false
	}
	v, diags := x.Value(r.selfContext(s, r.own(s, j.Outcome)))
	diags = redact(r.play.site.explain(diags, r.host))
	if !diags.HasErrors() {
		v, _ = v.Unmark()
		var err error
		if v, err = convert.Convert(v, cty.Bool); err != nil {
			diags = append(diags, fault(x.Range(), "Wrong value", "The argument %q is not as it should be: %s.", name, err))
		} else if v.IsNull() {
			diags = append(diags, fault(x.Range(), "Wrong value", "The condition %q is neither true nor false, but null.", name))
		}
	}
	j.Diags = append(j.Diags, diags...)
	if diags.HasErrors() || !v.IsKnown() {
		return false, false
	}
	return v.True(), true
}

// selfContext is where the conditions of a step are evaluated: its result is known, as self and by its name.
func (r *HostRun) selfContext(s *Step, own cty.Value) *hcl.EvalContext {
	ctx := s.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{"self": own}
	if v := s.at.failure(); v != cty.NilVal { // the run may be further on
		ctx.Variables["failure"] = v
	}
	if s.Task.Register == "" && len(s.asks) == 0 {
		return ctx
	}
	all := map[string]cty.Value{}
	if v := s.at.scope.home.ctx.Variables["result"]; v.IsKnown() { // some result has been published
		maps.Copy(all, v.AsValueMap())
	}
	for name, reg := range s.asks {
		if reg.value != cty.NilVal {
			all[name] = reg.value
		}
	}
	if s.Task.Register != "" {
		all[s.Task.Register] = own
	}
	ctx.Variables["result"] = cty.ObjectVal(all)
	return ctx
}

// pinned is ctx for expressions that are evaluated when more has been set, ahead: variables that are known by now stay as they are.
func pinned(ctx *hcl.EvalContext, exprs ...hcl.Expression) *hcl.EvalContext {
	var now map[string]cty.Value
	for _, x := range exprs {
		for _, t := range x.Variables() {
			name := t.RootName()
			if slices.Contains(scopeRoots, name) {
				continue
			}
			if v := valueIn(ctx, name); v != cty.NilVal && v.IsWhollyKnown() {
				if now == nil {
					now = map[string]cty.Value{}
				}
				now[name] = v
			}
		}
	}
	if now == nil {
		return ctx
	}
	out := ctx.NewChild()
	out.Variables = now
	return out
}

// asks are the results that the changed_when of a task in a file refers to: a later turn may register others by these names before the
// task has ended.
func asks(t *Task, home *scope) (out map[string]*registration) {
	if !t.included {
		return nil
	}
	for _, v := range t.changedWhen.Variables() {
		name := attributeOf(v, "result")
		reg := home.register[name]
		if value, known := home.results[name]; known {
			reg = &registration{value: value}
		}
		if reg == nil {
			continue
		}
		if out == nil {
			out = map[string]*registration{}
		}
		out[name] = reg
	}
	return out
}

// valueIn is the value of a name; NilVal: it has none.
func valueIn(ctx *hcl.EvalContext, name string) cty.Value {
	for ; ctx != nil; ctx = ctx.Parent() {
		if v, ok := ctx.Variables[name]; ok {
			return v
		}
	}
	return cty.NilVal
}

// fail hands out a step that stands for a task that cannot be evaluated, once all before it have ended well: it fails as any
// other, so that a block, or its ignore_errors, sees to that.
func (r *HostRun) fail(t *Task, diags hcl.Diagnostics) (steps []Step, blocked bool, warnings hcl.Diagnostics) {
	if len(r.open) > 0 {
		for id := range r.open {
			r.need.Steps = append(r.need.Steps, id)
		}
		return nil, true, nil
	}
	r.id++
	s := &Step{ID: r.id, Work: t.unevaluated(), Faults: diags, at: r.at, ctx: r.at.scope.ctx}
	s.Fatal, s.Once = r.fate(t)
	in, e := instance{ctx: s.ctx, scope: r.at.scope}, &evaluation{site: r.play.site, host: r.host}
	s.Name = r.title(t, in, e, nil)
	r.failures(t, in, s, e)
	s.tries = 1
	r.open[s.ID], r.hold = s, s.ID
	return []Step{*s}, false, nil
}
