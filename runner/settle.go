package runner

import (
	"context"
	"time"

	"github.com/hashicorp/hcl/v2"

	"labctl/agent/wire"
	"labctl/playbooks"
)

// KindCondition is the kind of the error of a task that its own conditions, failed_when or until, say has failed.
const KindCondition = "condition"

// settle takes in what became of a step, reports it, and does what follows from it. fault is why it has failed, as far as
// the agent, or who else has carried it out, can tell.
func (x *hostPlay) settle(st playbooks.Step, rep *wire.Reply, fault *Error) playbooks.Judgement {
	o := playbooks.Outcome{Final: fault != nil && (fault.Kind == wire.KindCancelled || fault.Kind == KindInterrupted || fault.Kind == KindNotPlanned || fault.Kind == wire.KindMoved)}
	if rep != nil && rep.Result != nil {
		o.Result = *rep.Result
	}
	if rep != nil {
		o.Job, o.Running = rep.Job, rep.Running
	}
	if fault != nil {
		o.Failed, o.Error = true, fault.Message
	}
	j := playbooks.Judgement{Outcome: o}
	if x.eval != nil {
		j = x.eval.SetOutcome(st.ID, o)
	} else if o.Failed && x.r.o.Mode != Verify {
		j.Verdict = playbooks.Ends
	}
	for _, d := range j.Diags {
		if d.Severity != hcl.DiagError {
			x.tell(st, Event{Kind: Warning, Message: d.Summary + ": " + d.Detail})
		}
	}
	x.settled(st, rep, x.conditions(st, j, fault), j)
	x.follow(st, j)
	return j
}

// conditions is why a step has failed, with what its conditions say.
func (x *hostPlay) conditions(st playbooks.Step, j playbooks.Judgement, fault *Error) *Error {
	switch {
	case j.Diags.HasErrors():
		return &Error{Kind: "evaluation", Message: j.Outcome.Error, Source: x.r.source(j.Diags[0])}
	case !j.Outcome.Failed:
		return nil
	case fault == nil && st.Sensitive:
		return &Error{Kind: KindCondition, Message: sensitiveFailure}
	case fault == nil:
		return &Error{Kind: KindCondition, Message: j.Outcome.Error}
	}
	return fault
}

// settled reports a step that has ended, or will be tried again.
func (x *hostPlay) settled(st playbooks.Step, rep *wire.Reply, fault *Error, j playbooks.Judgement) {
	e := Event{Error: fault, Ignored: j.Verdict == playbooks.Ignored, Rescued: j.Verdict == playbooks.Rescued}
	switch {
	case j.Verdict == playbooks.Again:
		x.tell(st, Event{Kind: TaskRetry, Retries: j.Left, Error: fault})
		return
	case j.Outcome.Failed:
		e.Status = Failed
	case j.Outcome.Changes():
		e.Status = Changed
	default:
		e.Status = OK
	}
	x.emit(st, e, rep)
}

// follow does what the verdict on a step says.
func (x *hostPlay) follow(st playbooks.Step, j playbooks.Judgement) {
	lost := j.Verdict == playbooks.Rescued || j.Verdict == playbooks.Diverted || j.Verdict == playbooks.Ends
	if st.Once && lost {
		x.turn.ended, x.turn.known = j.Outcome, x.eval.Shares(&st)
	}
	if st.Fatal && lost && j.Verdict != playbooks.Rescued {
		x.strike(&st, j.Outcome.Error)
	}
	switch j.Verdict {
	case playbooks.Ends:
		x.blame(st)
		x.failed = true
		if len(x.sent) == 0 {
			x.notRun()
		}
	case playbooks.Rescued, playbooks.Diverted:
		if j.Verdict == playbooks.Diverted {
			x.blame(st)
		}
		x.divert()
	case playbooks.Again:
		x.notBefore = time.Now().Add(j.Delay)
		x.waiting = append([]playbooks.Step{st}, x.waiting...)
	}
}

// divert forgets what was handed out behind a failure that is seen to: the agent drops what it has of that, and goes on with
// the next epoch.
func (x *hostPlay) divert() {
	x.diverted = x.meet != nil
	if x.holds != nil {
		x.cur.epoch++
	}
	for i := range x.sent {
		x.sent[i].void = true
	}
	x.waiting, x.faults, x.done = nil, nil, false
}

// rest waits until a step may be tried again.
func (x *hostPlay) rest(ctx context.Context) {
	d := time.Until(x.notBefore)
	x.notBefore = time.Time{}
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// unevaluated reports a step that there was nothing to send of, since its arguments are at fault.
func (x *hostPlay) unevaluated(st playbooks.Step) {
	for _, d := range st.Faults {
		if d.Severity == hcl.DiagError {
			x.settle(st, nil, &Error{Kind: "evaluation", Message: d.Summary + ": " + d.Detail, Source: x.r.source(d)})
			return
		}
	}
}
