package runner

import (
	"context"

	"labctl/agent/wire"
	"labctl/modules"
	"labctl/playbooks"
)

// does reports whether a step is done though this is a plan, by an agent of the user that a play would run it as. A snapshot is no
// host that anything could be done on, and what a model knows is planned.
func (x *hostPlay) does(st playbooks.Step) bool {
	if st.Check != playbooks.Does || st.Unknown || !x.r.o.Mode.planning() || st.Task.Module.Modelled() {
		return false
	}
	_, against := x.r.o.Opener.(*Against)
	return !against
}

// shadow notes what was done in a plan for the model of the host, on which the tasks behind it are planned.
func (x *hostPlay) shadow(st playbooks.Step) {
	if !x.does(st) || x.failed {
		return
	}
	switch st.Task.Module.Kind() {
	case modules.Resource:
		x.shadows = append(x.shadows, st)
	case modules.Command:
		if s := x.r.present(x.r.placed(x.where(st), st.Become)); s != nil && !st.Task.Harmless() {
			s.blind(x.task(st).Address)
		}
	}
}

// reflect has the model see what was done. One that has not been made yet will be made of the host as it is then.
func (x *hostPlay) reflect(ctx context.Context) {
	for len(x.shadows) > 0 && len(x.sent) == 0 && !x.failed {
		st := x.shadows[0]
		x.shadows = x.shadows[1:]
		at := x.r.placed(x.where(st), st.Become)
		if x.r.present(at) == nil {
			continue
		}
		if x.at == at && x.cur != nil || x.open(ctx, at, true) {
			if _, err := x.request(ctx, st, wire.Plan); err != nil && ctx.Err() == nil {
				x.lost(err)
			}
		}
	}
}
