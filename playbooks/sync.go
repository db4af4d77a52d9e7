package playbooks

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"labctl/inventory"
)

// strategies are Ansible's names for how the hosts of a play go through its tasks: with linear they wait for each other before
// each of them.
var strategies = []string{"free", "linear"}

// sync notes that the hosts of the play wait for each other at a place.
func (c *compiler) sync(p *program, b *hclsyntax.Block) {
	c.empty(b, "All hosts of the play wait for each other there.")
	rng := b.DefRange()
	p.items = append(p.items, item{sync: &rng})
}

// strategy reads how the hosts of a play go through its tasks. What ends the play for all of them has them wait for each other.
func (s *Site) strategy(p *Play, strategy, fatal *hclsyntax.Attribute) {
	name := ""
	if strategy != nil {
		name = s.constString(strategy)
	}
	if name != "" && !slices.Contains(strategies, name) {
		s.diags.add(fault(strategy.Expr.Range(), "Wrong value", "The argument \"strategy\" is \"free\", which is the default, or \"linear\", not %q.%s", name, strategyHint(name)))
	}
	p.fatal = fatal != nil && s.constBool(fatal)
	p.linear = name == "linear" || p.fatal
	if p.fatal && name == "free" {
		s.diags.add(fault(strategy.Expr.Range(), "Free and fatal", "With any_errors_fatal hosts wait for each other before each task: strategy = \"linear\", which need not be said."))
	}
}

// strategyHint says what to do in place of another strategy.
func strategyHint(name string) string {
	switch name {
	case "host_pinned":
		return " Write \"free\": a host goes on as soon as it can; -f N has so many at it at the same time."
	case "debug":
		return " Leave it out: labctl plan and --check show what tasks would do, -v what each has returned."
	}
	return inventory.DidYouMean(name, strategies)
}

// togetherness reads what a task means for the other hosts of the play.
func (c *compiler) togetherness(t *Task, body *hclsyntax.Body) {
	in := c.inherited
	t.runOnce, t.fatal = in.runOnce, c.play.fatal
	if in.fatal != nil {
		t.fatal = *in.fatal
	}
	if a := c.metaArgument(t, body, "any_errors_fatal"); a != nil {
		t.fatal = c.site.constBool(a)
	}
	a := c.metaArgument(t, body, "run_once")
	if a != nil {
		t.runOnce = c.site.constBool(a)
	}
	if t.Module.Ends() {
		if a != nil && t.runOnce {
			c.fault(a.NameRange, "Run once as it is", "%s is run once for all hosts that ask for the same, without run_once.", inventory.Article(t.Module.Name()))
		}
		t.runOnce = false
	}
}
