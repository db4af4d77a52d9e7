package runner

import (
	"context"

	"labctl/agent/wire"
	"labctl/modules"
	"labctl/playbooks"
)

// flight is a request under way.
type flight struct {
	id    int
	step  playbooks.Step
	again bool // it was behind what a plan could not tell: it is dropped, and sent once more
	void  bool // a failure before it is seen to elsewhere: it is dropped, and that is no loss
	here  bool // nothing is sent of it: it is reported when those before it have ended
}

// dispatch sends waiting steps, in order, as far as they are for the current session, in one flight. A step for another
// session waits until this one is idle, so that the order of tasks on a host holds whatever users they become.
func (x *hostPlay) dispatch(ctx context.Context) {
	for len(x.waiting) > 0 && !x.failed && !x.replays() {
		x.release()
		x.renew()
		x.rest(ctx)
		if ctx.Err() != nil { // what was waited for ends with the run
			return
		}
		x.reflect(ctx)
		if x.failed {
			return
		}
		st := x.waiting[0]
		if len(x.sent) > 0 && x.alone(st) {
			x.flush()
			return
		}
		switch {
		case st.Faults != nil:
			x.waiting = x.waiting[1:]
			x.unevaluated(st)
			continue
		case st.Meeting:
			x.waiting = x.waiting[1:]
			if !x.meet.attend(ctx, x, st) {
				x.waiting = append([]playbooks.Step{st}, x.waiting...)
				return
			}
			continue
		case x.stays(st):
			x.sent = append(x.sent, flight{step: st, here: true})
			x.passBy()
		case x.refusal(st) != nil:
			x.waiting = x.waiting[1:]
			x.settle(st, nil, x.refusal(st))
			continue
		case x.patience(st) != nil:
			x.waiting = x.waiting[1:]
			x.wait(ctx, st, x.patience(st))
			continue
		case st.Home != "" && x.r.claim(st, x.host.Name) != nil:
			x.waiting = x.waiting[1:]
			x.homeless(st, x.r.claim(st, x.host.Name))
			continue
		case x.detached(st):
			if !x.admitted(ctx, st) {
				return
			}
			x.waiting = x.waiting[1:]
			x.detach(ctx, st)
			continue
		case !x.there(st):
			if !x.open(ctx, x.place(st), true) {
				return
			}
			continue
		case !x.admitted(ctx, st), !x.take(ctx):
			return
		case len(x.sent) == 0 && x.ended(): // while others had their turn
			continue
		case !x.send(st, x.follows()):
			return
		}
		x.waiting = x.waiting[1:]
	}
	x.flush()
}

// alone reports whether all that is under way must have ended before a step has its turn.
func (x *hostPlay) alone(st playbooks.Step) bool {
	switch {
	case st.Faults != nil, st.Meeting:
		return true
	case x.stays(st):
		return false
	case x.patience(st) != nil, !x.there(st), x.refusal(st) != nil:
		return true
	case x.sent[len(x.sent)-1].step.Home != "": // it fails, too, when this machine cannot keep the file
		return true
	case st.Throttle > 0, x.admission != nil, x.does(st), x.does(x.sent[0].step), x.detached(st):
		return true
	}
	return st.Home != "" && x.r.claim(st, x.host.Name) != nil
}

// follows reports whether the step behind the first is sent with it.
func (x *hostPlay) follows() bool {
	rest := x.waiting[1:]
	for len(rest) > 0 && x.stays(rest[0]) && !rest[0].Meeting {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return false
	}
	next := rest[0]
	return x.waiting[0].Home == "" && x.waiting[0].Throttle+next.Throttle == 0 && !next.Meeting && !x.does(next) && !x.detached(next) && x.there(next) && x.patience(next) == nil
}

// send queues the request of a step. It reports whether the session still takes one.
func (x *hostPlay) send(st playbooks.Step, follows bool) bool {
	x.cur.requests++
	op := wire.Apply
	if x.r.o.Mode.planning() && !x.does(st) {
		op = wire.Plan
	}
	call := st.Call
	req := &wire.Request{ID: x.cur.requests, Epoch: x.cur.epoch, Op: op, Call: &call, Follows: follows, Timeout: st.Timeout}
	req.Look = st.Check == playbooks.Looks && st.Task.Module.Kind() == modules.Resource
	req.Expect = x.expected(st)
	req.Notify = x.notify(st)
	req.Tolerant = st.Tolerant || x.partial(st) || x.r.o.Mode == Verify // what one probe sees is no reason to drop the next
	if err := x.cur.send(&wire.Frame{Request: req}); err != nil {
		x.lost(err)
		return false
	}
	x.sent = append(x.sent, flight{id: x.cur.requests, step: st})
	x.tell(st, Event{Kind: TaskSent})
	x.blinds(st)
	return true
}

// flush sends what was queued. Without a turn at the session nothing was: what there is, is another host's.
func (x *hostPlay) flush() {
	if x.holds == nil || x.failed {
		return
	}
	if err := x.cur.flush(); err != nil {
		x.lost(err)
	}
}

// stays reports whether there is nothing to send of a step.
func (x *hostPlay) stays(st playbooks.Step) bool { return st.Skip || st.Unknown && !x.partial(st) }

// passBy reports steps of which nothing was sent, once their turn has come.
func (x *hostPlay) passBy() {
	for len(x.sent) > 0 && x.sent[0].here {
		f := x.sent[0]
		x.sent = x.sent[1:]
		switch {
		case f.void, x.failed:
		case f.again:
			x.again = append(x.again, f.step)
		default:
			x.hide(f.step)
			x.report(f.step, x.statusOf(f.step), nil, nil)
		}
	}
}

func (x *hostPlay) statusOf(st playbooks.Step) Status {
	if st.Skip || x.r.o.Mode == Verify {
		return Skipped
	}
	return UnknownYet
}
