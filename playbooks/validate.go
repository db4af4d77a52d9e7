package playbooks

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

// Fault makes a diagnostic of what a module, here or in the agent, says about the argument at path ("rule[2].log_prefix", or
// "" for the task as a whole). Its source is where the argument is written.
func (s *Step) Fault(path, msg string) *hcl.Diagnostic {
	rng := s.Range
	if s.body != nil {
		rng = s.body.locate(path)
	}
	if key := s.Task.Module.Schema().Key(); key != nil && path == key.Name && s.Task.key != nil {
		rng = s.Task.keyRange
	}
	if path == "ensure" && s.Task.ensure != nil {
		rng = s.Task.ensure.Range()
	}
	detail := fmt.Sprintf("%s: %s", s.Task.Module.Name(), closed(msg))
	if path != "" {
		detail = fmt.Sprintf("%s: %s: %s", s.Task.Module.Name(), path, closed(msg))
	}
	if s.Sensitive {
		detail = fmt.Sprintf("%s: %s: the value is refused; it is sensitive, so no more can be said here.", s.Task.Module.Name(), path)
	}
	return fault(rng, "Wrong argument", "%s", detail)
}

// locate finds the source of the argument at path, or of the block that lacks it.
func (b *body) locate(path string) hcl.Range {
	head, rest, _ := strings.Cut(path, ".")
	name, index, _ := strings.Cut(head, "[")
	if list := b.blocks[name]; len(list) > 0 {
		i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
		if err != nil || i >= len(list) || i < 0 {
			i = 0
		}
		if rest == "" {
			return list[i].node.rng
		}
		return list[i].locate(rest)
	}
	return b.node.argument(name)
}

// Validate evaluates every play for every one of its hosts, with facts and results not known, and reports all that is
// wrong. Nothing but files is touched. limit is a pattern, or "".
func (s *Site) Validate(limit string) hcl.Diagnostics {
	c := &collector{}
	matched := limit == ""
	for _, p := range s.plays {
		hosts, diags := p.Hosts(limit)
		c.add(diags...)
		matched = matched || len(hosts) > 0
		for _, h := range hosts {
			c.add(p.validate(h)...)
		}
	}
	if !matched && len(s.plays) > 0 && !c.diags().HasErrors() {
		c.add(fault(nowhere, "No hosts", "The limit %q leaves no host in any play.", limit))
	}
	return c.diags()
}

// validate evaluates all tasks, those of handlers too, without stopping at faults.
func (p *Play) validate(h *inventory.Host) hcl.Diagnostics {
	r := p.Start(h, Env{Plan: true})
	diags := r.diags
	for _, tasks := range p.lists() {
		for _, t := range tasks {
			instances, e := r.instances(t)
			diags = append(diags, e.diags...)
			if len(e.unknown) > 0 { // look into the body all the same
				instances = []instance{r.anyInstance()}
			}
			for _, in := range instances {
				_, faults := r.step(t, in)
				diags = append(diags, faults...)
			}
		}
	}
	return diags
}

// anyInstance stands for the instances of a loop that is not known.
func (r *HostRun) anyInstance() instance {
	ctx := r.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": cty.UnknownVal(cty.String), "value": cty.DynamicVal})}
	return instance{ctx: ctx}
}
