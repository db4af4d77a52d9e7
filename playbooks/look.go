package playbooks

import (
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

// Check is what a task says of the difference between a play and a plan.
type Check int

const (
	// AsTheRun is a task that is planned in a plan, and done in a play.
	AsTheRun Check = iota
	// Looks is one that changes nothing in a play either.
	Looks
	// Does is one that is done in a plan, too.
	Does
)

// checked refuses "check" where it makes no sense.
func (c *compiler) checked(t *Task) {
	switch {
	case t.checks == nil:
	case t.Module.Ends():
		c.fault(t.checks.Range(), "Probe with check", "%s changes nothing, and needs both of its hosts: check is not for it.", inventory.Article(t.Module.Name()))
	case t.Module.Waits():
		c.fault(t.checks.Range(), "Waiting in a plan", "%s waits for the host, and a plan waits for nothing: check is not for it.", inventory.Article(t.Module.Name()))
	}
}

// looks evaluates "check".
func (r *HostRun) looks(t *Task, in instance, e *evaluation) Check {
	if t.checks == nil {
		return AsTheRun
	}
	v, ok := r.meta(t.checks, "check", cty.Bool, in, e)
	switch {
	case !ok:
		return AsTheRun
	case !v.IsKnown():
		e.unknown = append(e.unknown, "check")
		return AsTheRun
	case v.True():
		return Looks
	}
	return Does
}
