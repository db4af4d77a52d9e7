package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"labctl/agent/wire"
	"labctl/inventory"
	"labctl/playbooks"
)

// hostPlay takes one host through one play. Everything happens on the goroutine that calls run: it evaluates as far as is
// known, sends that in one flight, takes in what comes back, and goes on.
type hostPlay struct {
	r    *Runner
	play *playbooks.Play
	host *inventory.Host
	rank int                // of the host in the play
	eval *playbooks.HostRun // nil: the host only lends a hand to others
	meet *meeting

	started func() // says that the next host may start; nil: it has been said

	cur     *session         // where requests go; nil until the first is due
	at      place            // of cur
	holds   *session         // cur, while it is this host's turn there
	waiting []playbooks.Step // evaluated, not sent: they wait for another session, or for their turn to be reported
	sent    []flight         // sent, not answered, in order
	faults  hcl.Diagnostics  // what ended the evaluation; reported when all that comes before it is done
	facts   bool             // have been handed to eval
	done    bool             // eval has no more
	parcel  *parcel          // the file that the request under way brings home
	failed  bool             // a task failed, or the host was lost: nothing more is sent, and later plays leave the host out

	ends      bool      // eval has no more because something failed before, whatever was done about it since
	notBefore time.Time // the next step is sent

	again []playbooks.Step // see flight

	borrowed int // of what all hosts may have evaluated ahead, see ahead

	shadows   []playbooks.Step // done in a plan, and not yet known to the model
	admission chan struct{}    // to the step under way, if not all hosts may be at it

	strikes  int   // of the play that this host has heard of
	turn     *turn // of the task that one host runs for all
	pending  pending
	diverted bool // it has taken another way, which is still to be said where it meets others
}

// run plays until nothing is left for this host. It reports whether the host may take part in later plays.
func (x *hostPlay) run(ctx context.Context) bool {
	for ctx.Err() == nil {
		x.evaluate(ctx)
		x.dispatch(ctx)
		if len(x.sent) == 0 && (x.failed || x.done && len(x.waiting) == 0) {
			x.conclude()
			break
		}
		if len(x.sent) > 0 || x.cur != nil && x.cur.hello.Load() == nil {
			x.await(ctx)
		}
	}
	if ctx.Err() != nil {
		x.interrupt()
	}
	_ = x.unpacked()
	x.admit()
	x.release()
	x.repay(0)
	x.unheard()
	x.r.sink.event(Event{Kind: HostDone, Play: x.play.Display(), Host: x.host.Name})
	return !x.failed
}

// evaluate asks for all steps that are known by now. What is missing are facts, which come with a session, or the outcome of
// steps that are under way.
func (x *hostPlay) evaluate(ctx context.Context) {
	if x.diverted {
		x.diverted = false
		x.meet.pass(x, x.eval.Place())
	}
	x.repay(x.beyond())
	if x.done || x.failed || !x.roomy() {
		return
	}
	idle := len(x.sent) == 0 && len(x.waiting) == 0
	steps, state, diags := x.next()
	for state == playbooks.Blocked && x.eval.Need().Notices && x.offer() {
		var more []playbooks.Step
		var faults hcl.Diagnostics
		more, state, faults = x.next()
		steps, diags = append(steps, more...), append(diags, faults...)
	}
	x.accepted()
	x.done, x.ends = state == playbooks.Done || state == playbooks.Failed, state == playbooks.Failed
	x.diagnose(diags)
	if state != playbooks.Blocked || x.eval.Need().Notices {
		return
	}
	if x.facts || !x.eval.Need().Facts {
		if idle && len(steps) == 0 {
			x.stuck()
		}
		return
	}
	if !x.atHome() && len(x.waiting)+len(x.sent) == 0 {
		x.open(ctx, x.r.placed(x.host, x.eval.Become()), false)
	}
	x.learn()
}

// next evaluates, when it is this host's turn, as far as there is room. The steps are among those that wait, too.
func (x *hostPlay) next() (steps []playbooks.Step, state playbooks.State, diags hcl.Diagnostics) {
	defer x.r.turns.take(x.rank)()
	state = playbooks.Paused
	for state == playbooks.Paused && x.borrow() {
		var more []playbooks.Step
		var faults hcl.Diagnostics
		more, state, faults = x.eval.NextFew(x.room())
		steps, diags = append(steps, more...), append(diags, faults...)
		x.waiting = append(x.waiting, more...)
	}
	x.repay(x.beyond())
	return steps, state, diags
}

// stuck ends the evaluation of a host that would otherwise wait for ever.
func (x *hostPlay) stuck() {
	x.done = true
	x.diagnose(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Evaluation stands still", Subject: &x.play.Range,
		Detail: "What the next task waits for will never come. This is a fault of labctl."}})
}

// learn hands the facts of the session to the evaluation, if they are there and the host's own, and goes on with it.
func (x *hostPlay) learn() {
	x.hear()
	if x.facts || x.eval == nil || !x.atHome() {
		return
	}
	if hello := x.cur.hello.Load(); hello != nil {
		x.facts = true
		x.eval.SetFacts(hello.Facts)
	}
}

// open makes the session at a place the current one; with ahead, a request follows at once. When there is none to be had, the host is
// unreachable, whichever host it was that did not answer.
func (x *hostPlay) open(ctx context.Context, at place, ahead bool) bool {
	x.release()
	s, err := x.r.session(ctx, at, ahead && !x.heavy())
	if err != nil {
		if ctx.Err() == nil {
			x.cur, x.at = nil, at
			x.unreachable(err)
		}
		return false
	}
	x.cur, x.at = s, at
	x.learn()
	return true
}

// renew lets go of a session that was lost while nothing was under way on it, so that another is opened.
func (x *hostPlay) renew() {
	if x.cur != nil && len(x.sent) == 0 && x.ended() {
		x.release()
		x.cur = nil
	}
}

// ended reports whether the current session is lost.
func (x *hostPlay) ended() bool { return x.cur.hello.Load() != nil && x.cur.lost() != nil }

// await takes in what the agent says next.
func (x *hostPlay) await(ctx context.Context) {
	if !x.take(ctx) {
		return
	}
	if len(x.sent) == 0 && x.cur.hello.Load() != nil { // others have heard it
		x.learn()
		return
	}
	select {
	case f, ok := <-x.cur.frames:
		if !ok {
			x.lost(x.cur.lost())
			return
		}
		x.frame(ctx, f)
	case <-ctx.Done():
	}
}

func (x *hostPlay) frame(ctx context.Context, f *wire.Frame) {
	switch {
	case f.Hello != nil:
		x.begun()
		x.cur.hello.Store(f.Hello)
		x.learn()
		x.r.sink.event(Event{Kind: Connected, Host: x.at.host.Name, Duration: time.Since(x.cur.start)})
	case f.Reply != nil:
		x.reply(f.Reply)
	case f.Part != nil:
		x.part(f.Part)
	case f.Need != nil:
		x.provide(ctx, f.Need)
	}
}

// reply takes in the answer to the oldest request under way: the agent answers in order.
func (x *hostPlay) reply(rep *wire.Reply) {
	if len(x.sent) == 0 || x.sent[0].id != rep.ID {
		x.lost(fmt.Errorf("the agent answered request %d out of turn", rep.ID))
		return
	}
	f := x.sent[0]
	x.sent = x.sent[1:]
	if err := x.unpacked(); err != nil && rep.Error == nil {
		rep.Error = &wire.Error{Kind: KindController, Msg: fmt.Sprintf("keep %s: %v", f.step.Home, err)}
	}
	x.noted(f.step, rep)
	switch {
	case f.void:
		x.tell(f.step, Event{Kind: TaskVoid})
	case f.again:
		x.again = append(x.again, f.step)
	case x.partial(f.step):
		x.foreseen(f.step, rep)
	case rep.Dropped:
		x.report(f.step, NotRun, nil, nil)
	case x.excused(rep):
		x.excuse(f.step, rep)
	case rep.Error != nil:
		x.settle(f.step, rep, x.taskError(f.step, rep.Error))
	default:
		x.settle(f.step, rep, nil)
		x.shadow(f.step)
	}
	x.passBy()
	if len(x.sent) == 0 {
		x.waiting, x.again = append(x.again, x.waiting...), nil
		x.admit()
		if x.failed {
			x.notRun()
		}
	}
}

// interrupt asks the agent to stop and waits, for the grace time, to learn what has been done.
func (x *hostPlay) interrupt() {
	if x.cur != nil && len(x.sent) > 0 && !x.failed {
		grace, cancel := context.WithTimeout(context.Background(), x.r.o.Grace)
		defer cancel()
		x.cur.stop()
		for len(x.sent) > 0 && grace.Err() == nil {
			x.await(grace)
		}
	}
	if len(x.sent) > 0 && !x.failed { // nobody knows what became of the oldest
		st := x.sent[0].step
		x.sent = x.sent[1:]
		x.report(st, Failed, nil, &Error{Kind: KindInterrupted,
			Message: fmt.Sprintf("interrupted; it had not ended %s later, and may or may not be done", x.r.o.Grace)})
	}
	x.failed = true
	x.notRun()
}
