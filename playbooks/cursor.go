package playbooks

import (
	"slices"

	"github.com/zclconf/go-cty/cty"
)

// frame is a place in a program. It is never changed: who moves on has another one, so that a place can be gone back to when
// what was handed out ahead comes to nothing.
type frame struct {
	prog       *program
	pc         int
	attendance attendance // at meetings about what is at pc
	scope      *scope     // where its tasks are evaluated
	turn       int        // of the call, from 0
	rest       []*scope   // turns of the call that are still to come
	sweep      bool       // pc counts handlers: those that were notified have their turn
	whose      int        // of a sweep: how many roles have had theirs
	own        *scope     // of a sweep: it is of this role alone
	swept      bool       // the handlers of the role that ends here have had their turn
	seen       []seen     // the failures that blocks here see to
	perhaps    bool       // of a plan: only a play knows whether it comes to this
	failed     bool       // a failure that nothing has seen to ends the run behind this
	up         *frame     // the place of what has led here: the sweep of a handler, the flush of a sweep
}

// seen is a failure that a block sees to.
type seen struct {
	by      *block
	failure cty.Value
	putOff  bool // by its always part, behind which it leads on
}

func (f *frame) moved(pc int) *frame {
	to := *f
	to.pc, to.attendance = pc, apart
	return &to
}

// enter goes into a program from f.
func (f *frame) enter(p *program, sc *scope) *frame {
	return &frame{prog: p, scope: sc, up: f, failed: f.failed, perhaps: f.perhaps}
}

// notice is what a task that changed something leaves for the handlers of its play, or of its turn of a role.
type notice struct {
	of      *scope
	handler *Handler
}

// sweeps returns the handlers that a sweep goes through at present, and whose they are.
func (r *HostRun) sweeps(f *frame) (*scope, []*Handler) {
	switch {
	case f.own != nil:
		return f.own, f.own.call.role.handlers
	case f.whose < len(r.called):
		sc := r.called[f.whose]
		return sc, sc.call.role.handlers
	}
	return r.root, r.play.handlers
}

// ended reports whether nothing is left at f.
func (r *HostRun) ended(f *frame) bool {
	if f.sweep {
		_, list := r.sweeps(f)
		return f.pc == len(list)
	}
	return f.pc == len(f.prog.items)
}

// item returns what has its turn. nil: the state says whether there may be more.
func (r *HostRun) item() (*item, State) {
	for r.at != nil {
		f := r.at
		switch {
		case r.ended(f):
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

// leaves goes on where f was entered from. Behind the tasks of the play the handlers have their turn: those of roles, and then
// its own. A role that a handler uses has its own handlers run at its end.
func (r *HostRun) leaves(f *frame) {
	if sc := f.scope; !f.sweep && sc.call != nil && sc.call.role != nil && f.prog == sc.prog {
		sc.after = pinned(sc.ctx, sc.call.role.outputExpressions()...)
	}
	switch {
	case f.own != nil:
		r.at = f.up
	case f.sweep && f.whose < len(r.called):
		to := f.moved(0)
		to.whose++
		r.at = to
	case !f.sweep && !f.swept && f.scope.sweepsItself(f):
		to := *f
		to.swept = true
		r.at = &frame{sweep: true, own: f.scope, up: &to, failed: f.failed}
	case len(f.rest) > 0:
		f.rest[0].seen = 0 // it may have been here ahead of a failure
		r.at = f.up.enter(f.rest[0].prog, f.rest[0])
		r.at.rest, r.at.turn, r.at.perhaps = f.rest[1:], f.turn+1, f.perhaps
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
	sc, list := r.sweeps(f)
	n := notice{sc, list[f.pc]}
	switch {
	case r.notified[n], r.offers(n):
		if !r.notified[n] {
			r.accept(n)
		}
		before := r.taken[n]
		r.change(func() { r.notified[n], r.taken[n] = true, before })
		delete(r.notified, n)
		r.taken[n] = r.id
		delete(r.perhaps, n)
		r.at = f.enter(&n.handler.program, sc)
	case len(r.mayNotify(n)) > 0:
		r.need = Need{Steps: r.mayNotify(n)}
		return true
	case r.env.Offers && r.heard < r.id:
		r.need = Need{Notices: true}
		return true
	case r.perhaps[n]:
		r.change(func() { r.perhaps[n] = true })
		delete(r.perhaps, n)
		r.at = f.enter(&n.handler.program, sc)
		r.at.perhaps = true
	default:
		r.at = f.moved(f.pc + 1)
	}
	return false
}

// mayNotify lists the steps under way that could still notify a handler.
func (r *HostRun) mayNotify(n notice) []int {
	var ids []int
	for id, s := range r.open {
		if !s.Meeting && slices.Contains(s.notices(), n) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// done moves on behind a task: those that it was run for are told first.
func (r *HostRun) done() {
	if r.at.attendance == leads {
		r.at = r.at.attended(led)
		return
	}
	r.advance()
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
		if i := slices.IndexFunc(f.seen, func(s seen) bool { return s.by == b && s.putOff }); i >= 0 {
			r.raise(f, b, f.seen[i].failure)
			return
		}
	}
	r.passOver(f.scope, f.prog.items[f.pc+1:next]) // a rescue that was not needed
	r.at = f.moved(next)
}

// raise goes to where a failure at f, outside of a block if one is given, is seen to, or else out of the play.
func (r *HostRun) raise(f *frame, outside *block, failure cty.Value) (rescued bool) {
	r.at, rescued = r.catcher(f, outside)
	r.failed = r.failed || r.at == nil
	if r.at != nil && !r.at.sweep {
		r.at.seen[len(r.at.seen)-1].failure = failure
	}
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
		at.seen = slices.DeleteFunc(slices.Clone(f.seen), func(o seen) bool { return b.all().within(o.by.all()) })
		at.seen = append(at.seen, seen{by: b, putOff: !rescued})
		return at, rescued
	}
	if r.play.forceHandlers && !forced {
		return &frame{sweep: true, failed: true}, false
	}
	return nil, false
}

// rescuedBehind reports whether a failure that has led to an always block leads to a rescue from there.
func (r *HostRun) rescuedBehind(at *frame) (rescued bool) {
	for at != nil && !at.sweep && !rescued {
		at, rescued = r.catcher(at, at.seen[len(at.seen)-1].by)
	}
	return rescued
}

// caught reports whether a failure at f would lead anywhere but out of the play.
func (r *HostRun) caught(f *frame) bool {
	at, _ := r.catcher(f, nil)
	return at != nil
}

// leaveAt leads out of the play from a place where something has failed, or would fail: it may never come to that.
func (r *HostRun) leaveAt(at *frame) {
	broken, failed := r.broken, r.failed
	r.change(func() { r.broken, r.failed = broken, failed })
	r.broken = append(r.broken, r.around(at)...)
	r.at, r.failed = nil, true
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
	for _, s := range r.open { // instances behind it will not come
		if reg := s.reg; reg != nil && reg.loop && len(reg.pending) > 0 {
			clear(reg.pending)
			r.settle(reg)
		}
	}
	clear(r.open)
	r.queue = nil
	r.publish(r.root)
}
