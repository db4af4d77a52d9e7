package playbooks

import (
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

// defaultPoll is how often a job is asked for that does not say so itself.
const defaultPoll = 5 * time.Second

// jobs refuses "async" for what cannot go on by itself.
func (c *compiler) jobs(t *Task, timeout hcl.Expression) {
	switch {
	case t.async == nil && t.poll != nil:
		c.fault(t.poll.Range(), "Poll of nothing", "poll says how often a task with async is asked for: async = \"10m\".")
	case t.async != nil && timeout != nil:
		c.fault(timeout.Range(), "Two times", "How long a task with async may take is what async says.")
	case t.async != nil && !t.Module.Slow():
		c.fault(t.async.Range(), "Not for async", "%s is done at once, or needs this machine meanwhile, so that it cannot go on by itself. Those that can: %s.",
			inventory.Article(t.Module.Name()), strings.Join(c.slow(), ", "))
	}
}

func (c *compiler) slow() []string {
	var out []string
	for _, name := range c.site.registry.Names() {
		if m, err := c.site.registry.Lookup(name); err == nil && m.Slow() {
			out = append(out, name)
		}
	}
	return out
}

// job evaluates "async" and "poll".
func (r *HostRun) job(t *Task, in instance, s *Step, e *evaluation) {
	if t.async == nil {
		return
	}
	s.Async = r.duration(t.async, "async", 0, in, e)
	s.Poll = r.pause(t.poll, "poll", defaultPoll, in, e)
	if s.Async > 0 && (len(s.Files) > 0 || s.Home != "") {
		e.fault(t.async.Range(), "Not for async", "It takes a file of this machine, which a task that goes on by itself cannot ask for. Bring it there before: copy, or get_url without through.")
	}
}

// jobValues completes the result of a task that may go on by itself.
func (o Outcome) jobValues(m map[string]cty.Value) {
	m["job"], m["finished"] = optional(o.Job), cty.BoolVal(!o.Running)
	if o.Result.Unknown && !o.Skipped {
		m["job"], m["finished"] = cty.UnknownVal(cty.String), cty.UnknownVal(cty.Bool)
	}
}

// pause evaluates a meta-argument that is a time and may be none: "poll", "delay".
func (r *HostRun) pause(x hcl.Expression, name string, without time.Duration, in instance, e *evaluation) time.Duration {
	unknown, diags := e.unknown, e.diags
	s := r.text(x, name, in, e)
	e.unknown, e.diags = unknown, diags // duration says so again
	if d, err := time.ParseDuration(s); err == nil && d == 0 {
		return 0
	}
	return r.duration(x, name, without, in, e)
}
