package playbooks

import (
	"sync"

	"labctl/inventory"
)

// Alike is the work of tasks that are the same on all hosts of a play: the first host evaluates and checks it, the others share
// it. It is for one play, and for hosts with the same Env.
type Alike struct{ works sync.Map } // *Work by instanceOf

// instanceOf names what hosts share: an instance of a task, for those that become another user in the same way.
type instanceOf struct {
	task *Task
	key  string // of its loop
	as   ownIdentity
}

// ownIdentity is what the inventory says of a host about becoming another user: that is not in the expressions of the task.
type ownIdentity struct {
	said, become bool
	Identity
}

func identityOf(h *inventory.Host) ownIdentity {
	return ownIdentity{
		said: h.Become != nil, become: h.Become != nil && *h.Become,
		Identity: Identity{User: h.BecomeUser, Method: h.BecomeMethod, Password: h.BecomePassword.Reveal(), Flags: packFlags(h.BecomeFlags)},
	}
}

// alike is the work that another host has evaluated for this one, too, or nil.
func (r *HostRun) alike(t *Task, in instance) *Work {
	if !r.sharing(t, in) {
		return nil
	}
	w, _ := r.env.Alike.works.Load(instanceOf{t, in.key, r.whom})
	found, _ := w.(*Work)
	return found
}

// share has other hosts take over the work of a step, and takes over theirs if it was done meanwhile. What is not known, or
// secret, or worth a warning on some hosts alone, is each host's own.
func (r *HostRun) share(s *Step, in instance) {
	if !r.sharing(s.Task, in) || s.Unknown || s.Sensitive || s.body != nil && holdsPrivateKey(s.body.params) {
		return
	}
	w, _ := r.env.Alike.works.LoadOrStore(instanceOf{s.Task, in.key, r.whom}, s.Work)
	s.Work = w.(*Work)
}

// sharing reports whether an instance is the same on all hosts. What is replaced, or depends on the name of the host without
// naming it, is not.
func (r *HostRun) sharing(t *Task, in instance) bool {
	return r.env.Alike != nil && t.uniform && in.scope == r.root && !r.at.perhaps && !r.play.later && r.env.Replace == nil &&
		t.on == nil && t.value == nil && t.homing() == nil
}
