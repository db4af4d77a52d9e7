package playbooks

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// sync notes that the hosts of the play wait for each other before the task that comes next.
func (c *compiler) sync(b *hclsyntax.Block) {
	for _, rng := range b.LabelRanges {
		c.fault(rng, "Label not expected", "A sync has no label: sync {}.")
	}
	for _, a := range sortedAttributes(b.Body.Attributes) {
		c.fault(a.NameRange, "Unsupported argument", "A sync is empty: all hosts of the play wait for each other there.")
	}
	for _, k := range b.Body.Blocks {
		c.fault(k.TypeRange, "Unsupported block", "A sync is empty: tasks stand before and behind it.")
	}
	if c.play.syncs == nil {
		c.play.syncs = map[int]hcl.Range{}
	}
	c.play.syncs[len(c.play.tasks)] = b.DefRange()
}

// sync returns the step of a sync block that has its turn. Plans have nothing to wait for; probes do, such as a capture that has to
// begin before another host makes the traffic.
func (r *HostRun) sync() (Step, bool) {
	rng, ok := r.play.syncs[r.next]
	if !ok || r.synced > r.next {
		return Step{}, false
	}
	r.synced = r.next + 1
	return Step{Name: "sync", Range: rng, Meeting: true}, !r.env.Plan
}
