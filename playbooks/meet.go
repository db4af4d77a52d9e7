package playbooks

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"labctl/modules"
)

// attendance is how far a host is with a task before which the hosts of the play meet.
type attendance int

const (
	apart    attendance = iota
	met                 // it has met the others
	leads               // it has the task of all
	follows             // another one has
	led                 // its outcome is under way
	gathered            // it has met the others behind the task
	declined            // it does not take part in the task
)

func (f *frame) attended(a attendance) *frame {
	to := *f
	to.attendance = a
	return &to
}

// appointment is the meeting that a host has to go to before it goes on with a task, or nil.
func (r *HostRun) appointment(t *Task) *Step {
	once := t.runOnce && !r.env.Alone
	asks := r.at.attendance == apart && r.env.Asks != nil && r.env.Asks()
	switch {
	case !r.env.selected(t), r.env.Verify && t.Module.Kind() != modules.Probe, t.Module.Ends() && !asks:
		return nil
	case r.at.attendance == apart && (once || asks || r.lockstep(t)):
		s := r.meet(Step{Work: t.unevaluated(), Chooses: once, Asks: asks})
		r.at = r.at.attended(met)
		if once || asks {
			r.hold = s.ID
		}
		return s
	case r.at.attendance == follows, r.at.attendance == led:
		s := r.meet(Step{Work: t.unevaluated(), Gathers: true})
		s.Sensitive = t.sensitive
		s.Place = append(s.Place, 1)
		r.at, r.hold = r.at.attended(gathered), s.ID
		return s
	}
	return nil
}

// lockstep reports whether hosts wait for each other before a task.
func (r *HostRun) lockstep(t *Task) bool {
	switch {
	case r.env.Alone:
		return false
	case !r.env.Verify && (t.fatal || r.last.fatal()): // its failure would be one of all
		return true
	}
	return r.play.linear && !r.apart()
}

// fate is what a failure of a task means for other hosts.
func (r *HostRun) fate(t *Task) (fatal, once bool) {
	return t.fatal && !r.env.Verify, r.at.attendance == leads
}

// fatal reports whether a failure of what has its turn at f is one of all hosts.
func (f *frame) fatal() bool {
	if f == nil || f.pc < 0 {
		return false
	}
	switch it := f.prog.items[f.pc]; {
	case it.task != nil:
		return it.task.fatal
	case it.call != nil:
		return len(it.call.tasks) > 0 && it.call.tasks[0].fatal
	}
	return false
}

// meet completes a step that stands for a meeting.
func (r *HostRun) meet(s Step) *Step {
	r.id++
	s.ID, s.Meeting, s.at, s.last = r.id, true, r.at, r.last
	s.Place = r.place(r.at)
	r.open[s.ID] = &s
	return &s
}

// Met says that a meeting is over.
func (r *HostRun) Met(id int) { delete(r.open, id) }

// Declines says, behind a meeting that asks, that the task is not performed.
func (r *HostRun) Declines(id int) {
	delete(r.open, id)
	r.at = r.at.attended(declined)
}

// Leads says, behind a meeting that chooses, whether this host runs the task for all.
func (r *HostRun) Leads(id int, leading bool) {
	delete(r.open, id)
	r.at, r.ledFact = r.at.attended(follows), cty.NilVal
	if leading {
		r.at = r.at.attended(leads)
	}
}

// Shared is what a host that has run a task for all knows of it: its result, what it has set, and what there is to see to if it
// has failed.
type Shared struct{ result, fact, failure cty.Value }

// Shares returns what the host knows of a task that it has run for all: of the task itself, or of the meeting about it.
func (r *HostRun) Shares(s *Step) (out Shared) {
	if s.Task.Register != "" {
		out.result = s.at.scope.home.results[s.Task.Register]
	}
	out.fact, out.failure = r.ledFact, r.at.failure()
	return out
}

// Follows takes over what another host knows.
func (r *HostRun) Follows(id int, of Shared) {
	s := r.open[id]
	delete(r.open, id)
	if s == nil {
		return
	}
	if of.result != cty.NilVal {
		r.setResult(s.at.scope.home, s.Task.Register, of.result)
	}
	if of.fact != cty.NilVal {
		r.setFact(s.Task.Label, of.fact)
	}
}

// Fails says that the host which had the task of all has failed in it, or was lost, and what it knew of it by then.
func (r *HostRun) Fails(id int, o Outcome, of Shared) Verdict {
	s := r.open[id]
	if s == nil || r.env.Verify {
		r.Met(id)
		return GoesOn
	}
	if o.Error == "" {
		o.Error = "the host that this task was run on for all was lost"
	}
	o.Failed = true
	if of.failure == cty.NilVal {
		of.failure = r.hidden(s, failureValue(s, r.own(s, o)))
	}
	v := r.failing(s.at, of.failure, s.ID)
	r.conclude(s, o, of.result)
	return v
}

// Strike is a failure that is one of all hosts of a play.
type Strike struct {
	Host  string
	Step  *Step // nil: it was lost, or could not be reached
	Error string
}

// Struck says at a meeting that another host has failed with what is fatal for all: so has this one, in the task that it did last.
func (r *HostRun) Struck(id int, by *Strike) Verdict {
	s := r.open[id]
	if s == nil {
		return GoesOn
	}
	last := s.last
	if last == nil { // before the first task, which no block is around of
		last = &frame{prog: &r.play.program, pc: -1, scope: r.root}
	}
	v := r.failing(r.onward(last, s.Place), by.value(), id)
	if v != Ends {
		r.passBy(last)
	}
	return v
}

// onward is where a failure at f is to be raised from, so that it does not lead back to before a place: into the rescue of a block
// that has ended.
func (r *HostRun) onward(f *frame, to Place) *frame {
	for {
		at, _ := r.catcher(f, nil)
		if at == nil || at.sweep || slices.Compare(r.place(at), to) >= 0 {
			return f
		}
		f = at
	}
}

// value is the name "failure" of the others.
func (b *Strike) value() cty.Value {
	v := map[string]cty.Value{
		"task": cty.StringVal(""), "module": cty.StringVal(""), "key": cty.StringVal(""), "result": cty.EmptyObjectVal,
		"error": cty.StringVal(fmt.Sprintf("%s has failed: %s", b.Host, b.Error)),
	}
	if s := b.Step; s != nil && s.Task != nil {
		v["task"], v["module"], v["key"] = cty.StringVal(s.Name), cty.StringVal(s.Task.Module.Name()), cty.StringVal(s.Key)
	}
	return cty.ObjectVal(v)
}

// Fatal reports whether it is fatal for all hosts when this one is lost where it is, or cannot be evaluated further.
func (r *HostRun) Fatal() bool {
	return !r.env.Verify && (r.play.fatal || r.last.fatal())
}

// apart reports whether hosts have nothing to wait for: in a plan, unless they plan on each other.
func (r *HostRun) apart() bool { return r.env.Plan && !r.play.delegates }

// sync has the hosts wait for each other. Plans have nothing to wait for, unless they are made on each other; probes do, such as a capture that has to begin before
// another host makes the traffic.
func (r *HostRun) sync(at hcl.Range) []Step {
	if r.apart() || r.env.Alone {
		return nil
	}
	return []Step{*r.meet(Step{Work: &Work{Name: "sync", Range: at}})}
}
