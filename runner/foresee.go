package runner

import (
	"fmt"

	"labctl/agent/wire"
	"labctl/modules"
	"labctl/playbooks"
)

// A plan runs on a model of the host. What a command does there, or a task of which even the condition is not known, the model
// does not see; a task behind it that fails may do so for want of that.

// partial reports whether a step is planned with what is known of it.
func (x *hostPlay) partial(st playbooks.Step) bool { return st.Partial && x.r.o.Mode.planning() }

// hide notes a task that may change the host without the model seeing it.
func (x *hostPlay) hide(st playbooks.Step) {
	if st.Unknown && x.r.o.Mode.planning() && st.Task.Module.Kind() != modules.Probe {
		if s := x.r.present(x.place(st)); s != nil {
			s.blind(x.task(st).Address)
		}
	}
}

// blind keeps the first task that the model does not know what has come of.
func (s *session) blind(task string) { s.unseen.CompareAndSwap(nil, &task) }

// blinds notes a command on its way to the model.
func (x *hostPlay) blinds(st playbooks.Step) {
	if x.r.o.Mode.planning() && !x.does(st) && st.Task.Module.Kind() == modules.Command && !st.Task.Harmless() {
		x.cur.blind(x.task(st).Address)
	}
}

// excused reports whether the failure of a task in a plan may come of what the model has not seen.
func (x *hostPlay) excused(rep *wire.Reply) bool {
	return x.r.o.Mode.planning() && x.cur.unseen.Load() != nil && rep.Error != nil && rep.Error.Kind == wire.KindHost
}

// excuse reports such a task as known after apply. What was sent behind it is sent again.
func (x *hostPlay) excuse(st playbooks.Step, rep *wire.Reply) {
	how := "it fails: " + rep.Error.Msg
	if st.Sensitive {
		how = "it fails; it is sensitive, so no more can be said here"
	}
	x.unforeseen(st, fmt.Sprintf("only a play can tell what %s has done before: planned without, %s", *x.cur.unseen.Load(), how))
	if !st.Tolerant {
		x.cur.epoch++
		for i := range x.sent {
			x.sent[i].again = true
		}
	}
}

// replays reports whether the agent is still dropping what will be sent again.
func (x *hostPlay) replays() bool { return len(x.sent) > 0 && x.sent[0].again }

// foreseen reports what a plan can tell of a partly known step.
func (x *hostPlay) foreseen(st playbooks.Step, rep *wire.Reply) {
	if rep.Dropped {
		x.report(st, NotRun, nil, nil)
		return
	}
	o := playbooks.Outcome{Failed: rep.Error != nil}
	if rep.Result == nil || o.Failed {
		x.eval.SetOutcome(st.ID, o)
		x.hide(st)
		x.report(st, UnknownYet, nil, nil)
		return
	}
	o.Result = *rep.Result
	x.eval.SetOutcome(st.ID, o)
	res := *rep.Result
	res.Diff, res.State, res.Unknown = st.Foreseen(res), nil, true
	x.report(st, UnknownYet, &wire.Reply{Result: &res, Duration: rep.Duration}, nil)
}

// unforeseen reports a step that a play may well carry out, though a plan cannot tell what comes of it.
func (x *hostPlay) unforeseen(st playbooks.Step, why string) {
	x.eval.SetOutcome(st.ID, playbooks.Outcome{Unknown: true})
	x.tell(st, Event{Kind: TaskDone, Status: UnknownYet, Message: "known after apply: " + why})
}
