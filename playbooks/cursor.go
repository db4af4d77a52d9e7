package playbooks

import (
	"slices"
)

// frame is a place in a program. It is never changed: who moves on has another one, so that a place can be gone back to when
// what was handed out ahead comes to nothing.
type frame struct {
	prog    *program
	pc      int
	sweep   bool     // pc counts handlers: those that were notified have their turn
	raised  []*block // the failures that their always parts have put off
	perhaps bool     // of a plan: only a play knows whether it comes to this
	failed  bool     // a failure that nothing has seen to ends the run behind this
	up      *frame   // the place of what has led here: the sweep of a handler, the flush of a sweep
}

func (f *frame) moved(pc int) *frame {
	to := *f
	to.pc = pc
	return &to
}

// enter goes into a program from f.
func (f *frame) enter(p *program) *frame {
	return &frame{prog: p, up: f, failed: f.failed, perhaps: f.perhaps}
}

// item returns what has its turn. nil: the state says whether there may be more.
func (r *HostRun) item() (*item, State) {
	for r.at != nil {
		f := r.at
		switch {
		case f.sweep && f.pc == len(r.play.handlers), !f.sweep && f.pc == len(f.prog.items):
			r.leaves(f)
		case !f.sweep:
			return &f.prog.items[f.pc], Blocked
		default:
			if blocked := r.handle(f); blocked {
				return nil, Blocked
			}
		}
	}
	if r.failed {
		return nil, Failed
	}
	return nil, Done
}

// leaves goes on where f was entered from. Behind the tasks of the play the handlers have their turn.
func (r *HostRun) leaves(f *frame) {
	switch {
	case f.up != nil:
		r.at = f.up
		r.advance()
	case f.sweep:
		r.at, r.failed = nil, r.failed || f.failed
	default:
		r.at = &frame{sweep: true}
	}
}

// handle gives a handler its turn if it was notified. blocked: a task under way may still notify it.
func (r *HostRun) handle(f *frame) (blocked bool) {
	h := r.play.handlers[f.pc]
	switch {
	case r.notified[h.Name]:
		before := r.turns[h.Name]
		r.change(func() { r.notified[h.Name], r.turns[h.Name] = true, before })
		delete(r.notified, h.Name)
		r.turns[h.Name] = r.id
		delete(r.perhaps, h.Name)
		r.at = f.enter(&h.program)
	case len(r.mayNotify(h.Name)) > 0:
		r.need = Need{Steps: r.mayNotify(h.Name)}
		return true
	case r.perhaps[h.Name]:
		r.change(func() { r.perhaps[h.Name] = true })
		delete(r.perhaps, h.Name)
		r.at = f.enter(&h.program)
		r.at.perhaps = true
	default:
		r.at = f.moved(f.pc + 1)
	}
	return false
}

// mayNotify lists the steps under way that could still notify a handler.
func (r *HostRun) mayNotify(name string) []int {
	var ids []int
	for id, s := range r.open {
		if slices.Contains(s.Notify, name) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// advance moves on behind what has had its turn.
func (r *HostRun) advance() {
	f := r.at
	if f.sweep {
		r.at = f.moved(f.pc + 1)
		return
	}
	next, ended := f.prog.behind(f.pc)
	for _, b := range ended {
		if slices.Contains(f.raised, b) {
			r.raise(f, b)
			return
		}
	}
	r.passOver(f.prog.items[f.pc+1 : next]) // a rescue that was not needed
	r.at = f.moved(next)
}

// raise goes to where a failure at f, outside of a block if one is given, is seen to, or else out of the play.
func (r *HostRun) raise(f *frame, outside *block) (rescued bool) {
	r.at, rescued = r.catcher(f, outside)
	r.failed = r.failed || r.at == nil
	return rescued
}

// catcher is the place where a failure at f, outside of a block if one is given, is seen to; nil: it leads out of the play.
// rescued: it counts no more.
func (r *HostRun) catcher(f *frame, outside *block) (at *frame, rescued bool) {
	forced := f.failed
	for ; f != nil; f, outside = f.up, nil {
		if f.sweep {
			continue
		}
		to, b, rescued := f.prog.catch(f.pc, outside)
		if b == nil {
			continue
		}
		at := f.moved(to)
		at.raised = slices.DeleteFunc(slices.Clone(f.raised), func(o *block) bool { return b.all().within(o.all()) })
		if !rescued {
			at.raised = append(at.raised, b)
		}
		return at, rescued
	}
	if r.play.forceHandlers && !forced {
		return &frame{sweep: true, failed: true}, false
	}
	return nil, false
}

// caught reports whether a failure at f would lead anywhere but out of the play.
func (r *HostRun) caught(f *frame) bool {
	at, _ := r.catcher(f, nil)
	return at != nil
}

// change is noted of what is done ahead of the outcomes under way, so that it can be taken back.
type change struct {
	after int // the step last handed out before
	undo  func()
}

func (r *HostRun) change(undo func()) {
	if len(r.open) == 0 {
		r.changes = nil // what was done up to now, stays
	}
	r.changes = append(r.changes, change{r.id, undo})
}

// takeBack undoes what was done after the step was handed out.
func (r *HostRun) takeBack(id int) {
	for _, c := range slices.Backward(r.changes) {
		if c.after >= id {
			c.undo()
		}
	}
	r.changes = nil
	clear(r.open)
	r.queue = nil
	for _, reg := range r.register { // instances behind it will not come
		if reg.loop && len(reg.pending) > 0 {
			clear(reg.pending)
			r.settle(reg)
		}
	}
	r.publish()
}
