package playbooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"labctl/inventory"
	"labctl/modules"
)

// task evaluates a task into its steps. blocked: something it depends on is still to come, and nothing was made of it.
func (r *HostRun) task(t *Task) (steps []Step, blocked bool, diags hcl.Diagnostics) {
	if !r.env.selected(t) {
		r.skipped(t, r.at.scope)
		return nil, false, nil
	}
	if r.env.Verify && t.Module.Kind() != modules.Probe {
		r.untaken(t, r.at.scope)
		return nil, false, nil
	}
	sc := r.at.scope
	r.showFailure()
	r.fresh(sc)
	instances, e := r.instances(t, sc)
	steps = make([]Step, 0, len(instances))
	unknown := len(e.unknown) > 0
	diags = append(e.diags, sc.wrong()...)
	if unknown {
		steps = append(steps, Step{Work: &Work{Task: t, Name: t.title(), Range: t.Range, Unknown: true, Unknowns: e.unknown, Sensitive: t.sensitive || e.sensitive, Notify: t.tells()}})
	}
	for _, in := range instances {
		s, faults := r.step(t, in)
		diags = append(diags, faults...)
		r.doubted(&s)
		unknown = unknown || s.Unknown
		steps = append(steps, s)
	}
	if unknown && !diags.HasErrors() && r.waits(t) {
		return nil, true, nil
	}
	if !diags.HasErrors() {
		steps = r.targeted(t, steps)
	}
	if len(steps) == 0 && r.env.Targets != nil && !diags.HasErrors() {
		r.skipped(t, sc)
		return nil, false, nil
	}
	if unknown {
		sc.doubtful()
	}
	if unknown && !r.env.Plan && !r.env.Verify && !diags.HasErrors() {
		diags = append(diags, fault(t.Range, "Value not known", "For %s the value of %v is not known, and nothing is under way that could tell.", r.host.Name, unknowns(steps)))
		if len(sc.home.ungiven) > 0 {
			diags = sc.home.ungiven
		}
	}
	switch {
	case diags.HasErrors():
	case t.Module.Ends():
		m := r.meet(Step{Work: t.unevaluated()})
		r.issue(t, sc, steps)
		m.Between = steps
		return []Step{*m}, false, diags
	default:
		r.issue(t, sc, steps)
	}
	return steps, false, diags
}

func unknowns(steps []Step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, s.Unknowns...)
	}
	return out
}

// waits reports whether something the task depends on is under way, and notes it.
func (r *HostRun) waits(t *Task) bool { return r.awaits(&t.deps, r.at.scope) }

// title is the name of a task that says nothing else about itself.
func (t *Task) title() string {
	if t.Label == "" {
		return t.in(t.Module.Name())
	}
	return t.in(t.Module.Name() + " : " + t.Label)
}

// unevaluated is all that is known of a task that is not evaluated.
func (t *Task) unevaluated() *Work { return &Work{Task: t, Name: t.title(), Range: t.Range} }

// step evaluates one instance, if no host has done so whose work it may share.
func (r *HostRun) step(t *Task, in instance) (Step, hcl.Diagnostics) {
	if w := r.alike(t, in); w != nil {
		s := Step{Work: w, ctx: in.ctx}
		if !w.Skip {
			s.Fatal, s.Once = r.fate(t)
		}
		return s, nil
	}
	s, diags := r.evaluate(t, in)
	if len(diags) == 0 {
		r.share(&s, in)
	}
	return s, diags
}

func (r *HostRun) evaluate(t *Task, in instance) (Step, hcl.Diagnostics) {
	s := Step{Work: t.unevaluated(), ctx: in.ctx}
	if t.changedWhen != nil {
		s.ctx, s.asks = pinned(in.ctx, t.changedWhen), asks(t, in.scope.home)
	}
	s.Key, s.key, s.Notify = in.item(), in.key, t.tells()
	e := &evaluation{site: r.play.site, task: t, host: r.host, sensitive: t.sensitive}
	when := r.when(t, in, e)
	if when != no {
		s.Check = r.looks(t, in, e)
	}
	if when == no || e.diags.HasErrors() || s.Check == Looks && t.Module.Kind() == modules.Command && !t.Module.Modelled() {
		s.Skip = true
		r.sender(t, in, &s)
		s.Name = r.title(t, in, &evaluation{site: e.site, task: t, host: r.host}, nil)
		return s, e.diags
	}
	if when == perhaps && len(in.scope.reasons) == 0 {
		e.unknown = append(e.unknown, "when")
	}
	s.Call.Module = t.Module.Name()
	s.Call.Absent = r.absent(t, in, e)
	before := len(e.unknown)
	s.body = e.node(t.node, in.ctx, "")
	open := e.unknown[before:len(e.unknown):len(e.unknown)]
	r.key(t, in, e, s.body)
	r.deadline(t, s.body)
	known := len(e.unknown)
	s.Files = append(e.source(t, s.body, in.ctx), t.remote(s.body)...)
	open = append(open, e.unknown[known:]...)
	e.warnOfKey(t, s.body, s.Files)
	s.Home = e.bringsHome(t, s.body)
	r.ends(&s, e)
	s.On = r.target(t, in, e)
	s.Become = r.identityOn(r.where(&s), t.become.over(r.play.become), in, e)
	s.Timeout = r.duration(t.timeout, "timeout", 0, in, e)
	r.failures(t, in, &s, e)
	s.Fatal, s.Once = r.fate(t)
	r.job(t, in, &s, e)
	s.Name = r.title(t, in, e, s.body)
	s.Sensitive, s.Unknowns, s.Unknown = e.sensitive, e.unknown, len(e.unknown) > 0
	s.Call.Params = marshal(s.body.params)
	if t.value != nil {
		s.fact = t.fact(in.ctx)
	}
	r.partial(&s, open)
	if !e.diags.HasErrors() && !s.Unknown {
		if err := r.check(t, s.Call); err != nil {
			e.diags = append(e.diags, r.argumentFault(&s, err))
		}
	}
	return s, e.diags
}

func marshal(params map[string]any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(params) // plain values only
	return bytes.TrimRight(b.Bytes(), "\n")
}

func (r *HostRun) check(t *Task, c modules.Call) error { return t.Module.Check(c) }

// answer is a truth value that may not be known.
type answer int

const (
	no answer = iota
	yes
	perhaps
)

// when is whether the conditions of a task, and of the blocks that it is in, hold.
func (r *HostRun) when(t *Task, in instance, e *evaluation) answer {
	if in.scope.holds != yes {
		e.unknown = append(e.unknown, in.scope.reasons...)
		return in.scope.holds
	}
	return r.conditions(t.when, in, e)
}

func (r *HostRun) conditions(list []hcl.Expression, in instance, e *evaluation) answer {
	for _, x := range list {
		v, ok := r.meta(x, "when", cty.Bool, in, e)
		switch {
		case !ok:
			return no
		case !v.IsKnown():
			return perhaps // those behind it may stand on it
		case v.False():
			return no
		}
	}
	return yes
}

// meta evaluates a meta-argument. ok is false when it is at fault or null.
func (r *HostRun) meta(x hcl.Expression, name string, want cty.Type, in instance, e *evaluation) (cty.Value, bool) {
	before := e.sensitive
	if o, around := x.(outward); around {
		x, in = o.Expression, in.outward(o.levels)
	}
	v, ok := e.value(x, in.ctx)
	e.sensitive = before // a condition on a secret does not show it
	if !ok {
		return v, false
	}
	given := v
	v, err := convert.Convert(v, want)
	if err != nil {
		e.fault(x.Range(), "Wrong value", "The argument %q is not as it should be: %s.%s", name, err, truthHint(given, want))
		return v, false
	}
	if v.IsNull() {
		if name == "when" {
			e.fault(x.Range(), "Wrong value", "The condition is neither true nor false, but null.")
		}
		return v, false
	}
	return v, true
}

// text evaluates a meta-argument that is a string; one not known yet is noted.
func (r *HostRun) text(x hcl.Expression, name string, in instance, e *evaluation) string {
	if x == nil {
		return ""
	}
	v, ok := r.meta(x, name, cty.String, in, e)
	if !ok {
		return ""
	}
	if !v.IsKnown() {
		e.unknown = append(e.unknown, name)
		return ""
	}
	return v.AsString()
}

func (r *HostRun) absent(t *Task, in instance, e *evaluation) bool {
	switch s := r.text(t.ensure, "ensure", in, e); s {
	case "", "present":
		return false
	case "absent":
		return true
	default:
		e.fault(t.ensure.Range(), "Wrong value", "The argument \"ensure\" is \"present\" or \"absent\", not %q.%s", s, inventory.DidYouMean(s, []string{"present", "absent"}))
		return false
	}
}

// deadline is that of the run, for a probe that has none of its own.
func (r *HostRun) deadline(t *Task, b *body) {
	const name = "deadline"
	if r.env.Deadline == "" || t.Module.Kind() != modules.Probe || t.Module.Schema().Find(name) == nil {
		return
	}
	if _, own := b.params[name]; !own {
		b.params[name] = r.env.Deadline
	}
}

// key puts the label into the parameters.
func (r *HostRun) key(t *Task, in instance, e *evaluation, b *body) {
	attr := t.Module.Schema().Key()
	if attr == nil || t.key == nil {
		return
	}
	v, ok := e.value(t.key, in.ctx)
	if !ok {
		return
	}
	if !v.IsWhollyKnown() {
		e.unknown = append(e.unknown, attr.Name)
		return
	}
	p, err := encode(attr, v)
	if err != nil {
		e.fault(t.keyRange, "Wrong label", "The %s %s.", attr.Name, e.hide(err))
		return
	}
	b.params[attr.Name] = p
}

// duration evaluates a meta-argument that is a time, or returns without when it is not given.
func (r *HostRun) duration(x hcl.Expression, name string, without time.Duration, in instance, e *evaluation) time.Duration {
	s := r.text(x, name, in, e)
	if s == "" {
		return without
	}
	d, err := inventory.ParseDuration(s)
	if err != nil {
		e.fault(x.Range(), "Wrong value", "The argument %q: %s.", name, err)
	}
	return d
}

// title names the step: its name, or the module and the key.
func (r *HostRun) title(t *Task, in instance, e *evaluation, b *body) string {
	name := t.title()
	if b != nil {
		if attr := t.Module.Schema().Key(); attr != nil {
			if k, ok := b.params[attr.Name]; ok && !e.sensitive {
				name = t.in(fmt.Sprintf("%s : %v", t.Module.Name(), k))
			}
		}
	}
	if t.name != nil {
		v, diags := t.name.Value(in.ctx)
		if v, err := convert.Convert(v, cty.String); !diags.HasErrors() && err == nil && v.IsKnown() && !v.IsNull() && !v.IsMarked() {
			name = t.in(v.AsString())
		}
	}
	return name
}

// argumentFault tells what a module says about an argument, at the place where it is written.
func (r *HostRun) argumentFault(s *Step, err error) *hcl.Diagnostic {
	path, msg := "", err.Error()
	var ae *modules.ArgumentError
	if errors.As(err, &ae) {
		path, msg = ae.Path, ae.Msg
	}
	return s.Fault(path, msg)
}
