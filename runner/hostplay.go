package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"labctl/agent/wire"
	"labctl/inventory"
	"labctl/modules"
	"labctl/playbooks"
	"labctl/transport"
)

// hostPlay takes one host through one play. Everything happens on the goroutine that calls run: it evaluates as far as is
// known, sends that in one flight, takes in what comes back, and goes on.
type hostPlay struct {
	r    *Runner
	play *playbooks.Play
	host *inventory.Host
	eval *playbooks.HostRun

	cur     *session         // where requests go; nil until the first is due
	become  string           // the user that the agent of cur runs as
	waiting []playbooks.Step // evaluated, not sent: they wait for another session, or for their turn to be reported
	sent    []flight         // sent, not answered, in order
	facts   bool             // have been handed to eval
	done    bool             // eval has no more
	failed  bool             // a task failed, or the host was lost: nothing more is sent, and later plays leave the host out
}

// flight is a request under way.
type flight struct {
	id   int
	step playbooks.Step
}

// run plays until nothing is left for this host. It reports whether the host may take part in later plays.
func (x *hostPlay) run(ctx context.Context) bool {
	for ctx.Err() == nil {
		x.evaluate(ctx)
		x.dispatch(ctx)
		if len(x.sent) == 0 && (x.failed || x.done && len(x.waiting) == 0) {
			break
		}
		if len(x.sent) > 0 || x.cur != nil && x.cur.hello == nil {
			x.await(ctx)
		}
	}
	if ctx.Err() != nil {
		x.interrupt()
	}
	x.r.sink.event(Event{Kind: HostDone, Play: x.play.Display(), Host: x.host.Name})
	return !x.failed
}

// evaluate asks for all steps that are known by now. What is missing are facts, which come with a session, or the outcome of
// steps that are under way.
func (x *hostPlay) evaluate(ctx context.Context) {
	if x.done || x.failed {
		return
	}
	steps, state, diags := x.eval.Next()
	x.waiting = append(x.waiting, steps...)
	x.done = state == playbooks.Done || state == playbooks.Failed
	for _, d := range diags {
		x.diagnostic(d)
	}
	if state != playbooks.Blocked || !x.eval.Need().Facts || x.facts {
		return
	}
	if x.cur == nil && len(x.waiting) == 0 {
		x.open(ctx, x.eval.Become())
	}
	if x.cur != nil && x.cur.hello != nil {
		x.learn()
	}
}

// learn hands the facts of the session to the evaluation, and goes on with it.
func (x *hostPlay) learn() {
	if !x.facts {
		x.facts = true
		x.eval.SetFacts(x.cur.hello.Facts)
	}
}

// dispatch sends waiting steps, in order, as far as they are for the current session, in one flight. A step for another
// session waits until this one is idle, so that the order of tasks on a host holds whatever users they become.
func (x *hostPlay) dispatch(ctx context.Context) {
	for len(x.waiting) > 0 && !x.failed {
		st := x.waiting[0]
		switch {
		case st.Skip || st.Unknown:
			if len(x.sent) > 0 {
				x.flush()
				return
			}
			x.report(st, statusOf(st), nil, nil)
		case x.cur == nil || st.Become != x.become:
			if len(x.sent) > 0 {
				x.flush()
				return
			}
			if !x.open(ctx, st.Become) {
				return
			}
			continue
		default:
			x.send(st, x.follows())
		}
		x.waiting = x.waiting[1:]
	}
	x.flush()
}

// follows reports whether the step behind the first is sent with it.
func (x *hostPlay) follows() bool {
	return len(x.waiting) > 1 && !x.waiting[1].Skip && !x.waiting[1].Unknown && x.waiting[1].Become == x.become
}

func statusOf(st playbooks.Step) Status {
	if st.Skip {
		return Skipped
	}
	return UnknownYet
}

func (x *hostPlay) send(st playbooks.Step, follows bool) {
	x.cur.requests++
	op := wire.Apply
	if x.r.o.Mode != Play {
		op = wire.Plan
	}
	call := st.Call
	req := &wire.Request{ID: x.cur.requests, Op: op, Call: &call, Follows: follows, Timeout: st.Timeout}
	if err := x.cur.send(&wire.Frame{Request: req}); err != nil {
		x.lost(err)
		return
	}
	x.sent = append(x.sent, flight{x.cur.requests, st})
	x.r.sink.event(Event{Kind: TaskSent, Play: x.play.Display(), Host: x.host.Name, Task: taskOf(st)})
}

func (x *hostPlay) flush() {
	if x.cur == nil || x.failed {
		return
	}
	if err := x.cur.flush(); err != nil {
		x.lost(err)
	}
}

// open makes the session of a user the current one. When there is none to be had, the host is unreachable.
func (x *hostPlay) open(ctx context.Context, become string) bool {
	s, err := x.r.session(ctx, x.host, become)
	if err != nil {
		if ctx.Err() == nil {
			x.unreachable(err)
		}
		return false
	}
	x.cur, x.become = s, become
	if s.hello != nil {
		x.learn()
	}
	return true
}

// await takes in what the agent says next.
func (x *hostPlay) await(ctx context.Context) {
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
		x.cur.hello = f.Hello
		x.learn()
		x.r.sink.event(Event{Kind: Connected, Host: x.host.Name, Duration: time.Since(x.cur.start)})
	case f.Reply != nil:
		x.reply(f.Reply)
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
	st := x.sent[0].step
	x.sent = x.sent[1:]
	switch {
	case rep.Dropped:
		x.report(st, NotRun, nil, nil)
	case rep.Error != nil:
		x.report(st, Failed, rep, x.taskError(st, rep.Error))
		x.failed = true
		x.eval.SetOutcome(st.ID, playbooks.Outcome{Failed: true, Error: rep.Error.Msg})
	default:
		x.report(st, resultStatus(rep.Result), rep, nil)
		x.eval.SetOutcome(st.ID, playbooks.Outcome{Result: *rep.Result})
	}
	if len(x.sent) == 0 && x.failed {
		x.notRun()
	}
}

func resultStatus(r *modules.Result) Status {
	if r.Diff.Action.Changes() {
		return Changed
	}
	return OK
}

// taskError turns the agent's error into one that shows the source at fault where the arguments are.
func (x *hostPlay) taskError(st playbooks.Step, e *wire.Error) *Error {
	out := &Error{Kind: e.Kind, Path: e.Path, Message: e.Msg}
	if e.Kind == wire.KindArgument {
		out.Source = x.r.source(st.Fault(e.Path, e.Msg))
	}
	if st.Sensitive {
		out.Message = "the task failed; it is sensitive, so no more can be said here"
	}
	return out
}

// report emits what became of a step.
func (x *hostPlay) report(st playbooks.Step, status Status, rep *wire.Reply, fault *Error) {
	e := Event{Kind: TaskDone, Play: x.play.Display(), Host: x.host.Name, Task: taskOf(st), Status: status, Error: fault}
	if rep != nil {
		e.Duration = rep.Duration
		if rep.Result != nil {
			e.Diff, e.Result = &rep.Result.Diff, rep.Result
		}
	}
	if status == UnknownYet {
		e.Message = "known after apply: " + join(st.Unknowns)
	}
	if st.Sensitive {
		withhold(&e)
	}
	x.r.sink.event(e)
	if rep == nil || rep.Result == nil {
		return
	}
	for _, w := range rep.Result.Warnings {
		x.r.sink.event(Event{Kind: Warning, Play: e.Play, Host: e.Host, Task: e.Task, Message: w})
	}
}

// diagnostic reports what the evaluation has to say; an error ends the host.
func (x *hostPlay) diagnostic(d *hcl.Diagnostic) {
	if d.Severity != hcl.DiagError {
		x.r.sink.event(Event{Kind: Warning, Play: x.play.Display(), Host: x.host.Name, Message: d.Summary + ": " + d.Detail})
		return
	}
	x.failed = true
	t := &Task{Name: "evaluate", Address: "evaluate"}
	if d.Subject != nil {
		t.File, t.Line = d.Subject.Filename, d.Subject.Start.Line
	}
	x.r.sink.event(Event{Kind: TaskDone, Play: x.play.Display(), Host: x.host.Name, Task: t, Status: Failed,
		Error: &Error{Kind: "evaluation", Message: d.Summary + ": " + d.Detail, Source: x.r.source(d)}})
}

// unreachable reports that no session could be had.
func (x *hostPlay) unreachable(err error) {
	x.failed = true
	fault := &Error{Kind: "unreachable", Message: err.Error()}
	var te *transport.Error
	if errors.As(err, &te) {
		fault.Hop = te.Hop
	}
	x.r.sink.event(Event{Kind: Unreachable, Play: x.play.Display(), Host: x.host.Name, Error: fault})
	x.notRun()
}

// lost reports that the session has ended under way. Whether the request it was at has been carried out is not known.
func (x *hostPlay) lost(err error) {
	if x.failed {
		x.sent = nil
		return
	}
	if err == nil {
		err = errors.New("the session ended")
	}
	x.unreachable(err)
}

// notRun reports everything that was under way or waiting as not run.
func (x *hostPlay) notRun() {
	for _, f := range x.sent {
		x.report(f.step, NotRun, nil, nil)
	}
	for _, st := range x.waiting {
		if !st.Skip && !st.Unknown {
			x.report(st, NotRun, nil, nil)
		}
	}
	x.sent, x.waiting = nil, nil
}

// interrupt asks the agent to stop and waits, for the grace time, to learn what has been done.
func (x *hostPlay) interrupt() {
	if x.cur != nil && len(x.sent) > 0 && !x.failed {
		grace, cancel := context.WithTimeout(context.Background(), x.r.o.Grace)
		defer cancel()
		_ = x.cur.send(&wire.Frame{Cancel: &wire.Cancel{}})
		_ = x.cur.flush()
		for len(x.sent) > 0 && grace.Err() == nil && !x.failed {
			x.await(grace)
		}
	}
	x.failed = true
	x.notRun()
}
