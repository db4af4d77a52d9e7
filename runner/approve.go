package runner

import (
	"labctl/modules"
	"labctl/playbooks"
)

// refusal is why a step may not be sent, or nil.
func (x *hostPlay) refusal(st playbooks.Step) *Error {
	if x.r.o.Approve == nil || st.Task == nil || st.Skip || st.Unknown || st.Faults != nil || st.Meeting {
		return nil
	}
	err := x.r.o.Approve(Event{Play: x.play.Display(), Host: x.host.Name, Peer: other(st), Task: x.task(st), Call: &st.Call})
	if err == nil {
		return nil
	}
	return &Error{Kind: KindNotPlanned, Message: err.Error()}
}

// expected is what a plan says that a step does, or nil.
func (x *hostPlay) expected(st playbooks.Step) *modules.Diff {
	if x.r.o.Expect == nil {
		return nil
	}
	return x.r.o.Expect(Event{Play: x.play.Display(), Host: x.host.Name, Peer: other(st), Task: x.task(st), Call: &st.Call})
}
