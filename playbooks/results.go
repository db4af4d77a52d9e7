package playbooks

import (
	"github.com/zclconf/go-cty/cty"
)

// issue numbers the steps and keeps account of what is to come of them.
func (r *HostRun) issue(t *Task, sc *scope, steps []Step) {
	var reg *registration
	if t.Register != "" {
		r.changeResult(sc.home, t.Register)
		reg = &registration{name: t.Register, home: sc.home, pending: map[int]bool{}, loop: t.forEach != nil, values: map[string]cty.Value{}}
		sc.home.register[t.Register] = reg
		if _, again := sc.home.results[t.Register]; again { // that of an earlier turn counts no more
			delete(sc.home.results, t.Register)
			r.publish(sc.home)
		}
	}
	for i := range steps {
		s := &steps[i]
		r.id++
		s.ID, s.at, s.reg = r.id, r.at, reg
		if s.Unknown && !s.Partial {
			r.mayBe(s)
			r.added(s, Outcome{Unknown: true})
		}
		if t.value != nil && !s.Skip && !t.isAdder() {
			v := s.sets()
			r.setFact(t.Label, v)
			if s.Once {
				r.ledFact = v
			}
		}
		switch {
		case s.Partial:
			r.open[s.ID] = s
			r.record(s, cty.DynamicVal)
		case s.Unknown && reg != nil && t.forEach != nil && len(s.Unknowns) > 0 && s.Unknowns[0] == "for_each":
			sc.home.results[t.Register] = cty.DynamicVal
			r.publish(sc.home)
			return
		case s.Unknown:
			r.record(s, cty.DynamicVal)
		case s.Skip:
			r.record(s, Outcome{Skipped: true}.value(t.Module))
		default:
			r.open[s.ID] = s
			if reg != nil {
				reg.pending[s.ID] = true
			}
		}
	}
	if reg != nil {
		r.settle(reg)
	}
	if sc.call != nil { // what the role tells of itself may wait for these
		r.version++
	}
}

// skipped gives a result to a task that is not taken part in.
func (r *HostRun) skipped(t *Task, sc *scope) {
	if t.Register == "" {
		return
	}
	v := Outcome{Skipped: true}.value(t.Module)
	if t.forEach != nil {
		v = cty.EmptyObjectVal
	}
	r.setResult(sc.home, t.Register, v)
}

// untaken leaves the result of a task open that only a play takes part in.
func (r *HostRun) untaken(t *Task, sc *scope) {
	if t.Register != "" {
		r.setResult(sc.home, t.Register, cty.DynamicVal)
	}
}

func (r *HostRun) setResult(home *scope, name string, v cty.Value) {
	r.changeResult(home, name)
	home.results[name] = v
	r.publish(home)
}

// changeResult notes what is known of a result before that changes.
func (r *HostRun) changeResult(home *scope, name string) {
	v, known := home.results[name]
	reg := home.register[name]
	r.change(func() {
		delete(home.results, name)
		if known {
			home.results[name] = v
		}
		delete(home.register, name)
		if reg != nil {
			home.register[name] = reg
		}
		home.show()
	})
}
