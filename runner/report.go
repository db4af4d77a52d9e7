package runner

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"labctl/agent/wire"
	"labctl/playbooks"
	"labctl/transport"
)

// taskError turns the agent's error into one that shows the source at fault where the arguments are.
func (x *hostPlay) taskError(st playbooks.Step, e *wire.Error) *Error {
	out := &Error{Kind: e.Kind, Path: e.Path, Message: e.Msg}
	if e.Kind == wire.KindArgument || e.Path != "" {
		out.Source = x.r.source(st.Fault(e.Path, e.Msg))
	}
	if st.Sensitive {
		out.Message = sensitiveFailure
	}
	return out
}

const sensitiveFailure = "the task failed; it is sensitive, so no more can be said here"

// report emits what became of a step.
func (x *hostPlay) report(st playbooks.Step, status Status, rep *wire.Reply, fault *Error) {
	x.emit(st, Event{Status: status, Error: fault}, rep)
}

// emit completes the event of a step that is done, and emits it with the warnings of the result.
func (x *hostPlay) emit(st playbooks.Step, e Event, rep *wire.Reply) {
	e.Kind = TaskDone
	if rep != nil {
		e.Duration = rep.Duration
		if rep.Result != nil {
			e.Diff, e.Result = &rep.Result.Diff, rep.Result
		}
	}
	switch {
	case e.Status == UnknownYet:
		e.Message = "known after apply: " + join(st.Unknowns)
	case st.Unknown: // verifying
		e.Message = fmt.Sprintf("not verified: %s depends on what only a play knows", join(st.Unknowns))
	}
	x.tell(st, e)
	if st.Unknown && e.Status == Skipped {
		x.tell(st, Event{Kind: Warning, Message: x.task(st).Address + ": " + e.Message})
	}
	if rep == nil || rep.Result == nil {
		return
	}
	for _, w := range rep.Result.Warnings {
		if st.Sensitive {
			w = "the task is sensitive, so its warning is not shown"
		}
		x.tell(st, Event{Kind: Warning, Message: w})
	}
}

// tell emits an event that is about a step.
func (x *hostPlay) tell(st playbooks.Step, e Event) {
	e.Play, e.Host, e.Peer, e.Task, e.Call = x.play.Display(), x.host.Name, other(st), x.task(st), &st.Call
	if st.Sensitive {
		withhold(&e)
	}
	x.r.sink.event(e)
}

// diagnose takes in what the evaluation has to say. Warnings are reported at once, errors when their turn has come.
func (x *hostPlay) diagnose(diags hcl.Diagnostics) {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			x.faults = append(x.faults, d)
			continue
		}
		x.r.sink.event(Event{Kind: Warning, Play: x.play.Display(), Host: x.host.Name, Message: d.Summary + ": " + d.Detail})
	}
}

// conclude reports what ended the evaluation, unless a task before it has failed: then it was never reached.
func (x *hostPlay) conclude() {
	if x.failed {
		return
	}
	for _, d := range x.faults {
		x.fault(d)
	}
	if len(x.faults) > 0 && x.eval.Fatal() {
		x.strike(nil, x.faults[0].Summary)
	}
	x.failed = x.ends || len(x.faults) > 0
}

func (x *hostPlay) fault(d *hcl.Diagnostic) {
	t := &Task{Name: "evaluate", Address: "evaluate"}
	if d.Subject != nil {
		t.File, t.Line = d.Subject.Filename, d.Subject.Start.Line
	}
	x.r.sink.event(Event{Kind: TaskDone, Play: x.play.Display(), Host: x.host.Name, Task: t, Status: Failed,
		Error: &Error{Kind: "evaluation", Message: d.Summary + ": " + d.Detail, Source: x.r.source(d)}})
}

// unreachable reports that no session could be had.
func (x *hostPlay) unreachable(err error) {
	if x.awaited(err) {
		return
	}
	x.failed = true
	if x.eval != nil && x.eval.Fatal() {
		x.strike(nil, err.Error())
	}
	fault := &Error{Kind: "unreachable", Message: err.Error()}
	var te *transport.Error
	if errors.As(err, &te) {
		fault.Hop = te.Hop
	}
	e := Event{Kind: Unreachable, Play: x.play.Display(), Host: x.host.Name, Error: fault}
	if h := x.at.host; h != nil && h != x.host {
		e.Peer = h.Name
	}
	x.r.sink.event(e)
	x.notRun()
}

// awaited reports, in a plan, of a host that a task of the run has added that it may not be there before a play has made it.
func (x *hostPlay) awaited(err error) bool {
	if !x.r.o.Mode.planning() || !x.host.Added || len(x.sent) > 0 || x.at.host != nil && x.at.host.Name != x.host.Name {
		return false
	}
	x.r.sink.event(Event{Kind: Warning, Play: x.play.Display(), Host: x.host.Name,
		Message: fmt.Sprintf("it was added during the run, and cannot be planned on before it is there: %v", err)})
	for _, st := range x.waiting {
		x.unforeseen(st, "the host is not there yet")
	}
	x.failed, x.waiting = true, nil
	return true
}

// lost reports that the session has ended under way. Whether the request it was at has been carried out is not known.
func (x *hostPlay) lost(err error) {
	if x.failed = x.failed || errors.Is(err, transport.ErrGivenUp); x.failed {
		x.notRun()
		return
	}
	if err == nil {
		err = errors.New("the session ended")
	}
	if len(x.sent) > 0 && x.cur.hello.Load() != nil {
		err = fmt.Errorf("%w; it was at [%s], which may or may not be done", err, x.task(x.sent[0].step).Address)
	}
	x.unreachable(err)
}

// notRun reports everything that was under way or waiting as not run.
func (x *hostPlay) notRun() {
	for _, f := range x.sent {
		if !f.here {
			x.report(f.step, NotRun, nil, nil)
		}
	}
	for _, st := range x.waiting {
		for _, s := range st.Between {
			if s.From == x.host && !s.Skip {
				x.report(s, NotRun, nil, nil)
			}
		}
		if !st.Meeting && !st.Skip && !st.Unknown {
			x.report(st, NotRun, nil, nil)
		}
	}
	x.sent, x.waiting = nil, nil
}
