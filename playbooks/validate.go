package playbooks

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"

	"labctl/inventory"
	"labctl/modules"
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
		if key.Name == "name" && s.Task.name != nil {
			msg = closed(msg) + ` The label says it; name = "..." is only what the task is called.`
		}
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
	if s.lacking {
		return nil
	}
	c := &collector{}
	add := s.untold(c)
	matched := limit == ""
	for _, p := range s.plays {
		if p.pattern == "" && p.hostsRange.Filename == "" {
			continue // told by Load
		}
		add(s.ignored(p, limit))
		hosts, diags := p.Hosts(limit)
		add(diags)
		matched = matched || len(hosts) > 0
		for _, faults := range p.validateAll(hosts) {
			add(faults)
		}
	}
	if !matched && !s.lenient && len(s.plays) > 0 && !s.diags.diags().HasErrors() && !c.diags().HasErrors() {
		c.add(fault(nowhere, "No hosts", "The limit %q leaves no host in any play.%s", limit, s.limitHint(limit)))
	}
	return mergeLacks(c.diags())
}

// limitHint is what may have been meant by a name in a limit that nothing has yet, where plays may add what has it.
func (s *Site) limitHint(limit string) string {
	_, unknown, _ := s.Inventory.MatchKnown(limit)
	if len(unknown) == 0 {
		return ""
	}
	var known []string
	for _, h := range s.Inventory.Hosts {
		known = append(known, h.Name)
	}
	for _, g := range s.Inventory.Groups {
		known = append(known, g.Name)
	}
	return fmt.Sprintf(" Neither a host nor a group is called %q before it is added.%s", unknown[0], inventory.DidYouMean(unknown[0], known))
}

// untold adds to c the diagnostics that Load has not told already, about the same source: what is wrong in itself is wrong
// when it is evaluated, too.
func (s *Site) untold(c *collector) func(hcl.Diagnostics) {
	var told []hcl.Range
	for _, d := range s.diags.diags() {
		if d.Severity == hcl.DiagError && d.Subject != nil {
			told = append(told, *d.Subject)
		}
	}
	return func(diags hcl.Diagnostics) {
		for _, d := range diags {
			if d.Subject == nil || !slices.ContainsFunc(told, d.Subject.Overlaps) {
				c.add(d)
			}
		}
	}
}

// seeming takes out of faults that an argument is missing where one is misspelt.
func (n *node) seeming(faults hcl.Diagnostics) hcl.Diagnostics {
	if n.incomplete {
		faults = slices.DeleteFunc(faults, func(d *hcl.Diagnostic) bool { return d.Subject != nil && *d.Subject == n.rng })
	}
	for _, b := range n.blocks {
		faults = b.node.seeming(faults)
	}
	return faults
}

// CheckRun reports what is wrong with playing the site with these tags: no play at all, a tag that no task has.
func (s *Site) CheckRun(tags, skip []string) hcl.Diagnostics {
	if len(s.plays) == 0 {
		return hcl.Diagnostics{fault(nowhere, "No play", "The site has no play: play \"name\" { hosts = \"all\"  ... }.")}
	}
	known := s.tags()
	var diags hcl.Diagnostics
	for i, tag := range slices.Concat(tags, skip) {
		if known[tag] || slices.Contains([]string{"all", "always", "never", "tagged", "untagged"}, tag) {
			continue
		}
		hint := inventory.DidYouMean(tag, sortedKeys(known))
		if len(known) == 0 {
			hint = " No task has any."
		}
		d := fault(nowhere, "Unknown tag", "No task has the tag %q.%s", tag, hint)
		if i >= len(tags) { // to leave out what is not there does no harm
			d.Severity = hcl.DiagWarning
		}
		diags = append(diags, d)
	}
	return diags
}

// CheckVerify reports a site that has nothing to verify.
func (s *Site) CheckVerify() hcl.Diagnostics {
	for _, p := range s.plays {
		for _, t := range p.tasks {
			if t.Module.Kind() == modules.Probe {
				return nil
			}
		}
	}
	return hcl.Diagnostics{fault(nowhere, "No probe", "No task of the site is a probe, such as ping or tcp: there is nothing to verify.")}
}

// CheckPlays warns of a site that is an inventory alone.
func (s *Site) CheckPlays() hcl.Diagnostics {
	if len(s.plays) > 0 {
		return nil
	}
	return hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "No play", Detail: "The site has no play: there is nothing to do on its hosts."}}
}

func (s *Site) tags() map[string]bool {
	known := map[string]bool{}
	for _, p := range s.plays {
		for _, t := range p.tasks {
			for _, tag := range t.tags {
				known[tag] = true
			}
		}
	}
	return known
}

// validateAll validates the play for every host, on all processors, and returns what is wrong in the order of hosts. A task that
// is the same for all is evaluated for one of them.
func (p *Play) validateAll(hosts []*inventory.Host) []hcl.Diagnostics {
	out := make([]hcl.Diagnostics, len(hosts))
	var uniform sync.Map
	jumps := map[*inventory.Host]bool{} // what a task must not put there is no fault elsewhere, see warnOfKey
	for _, h := range p.site.Inventory.Hosts {
		hops, _ := p.site.Inventory.Chain(h) // its faults are told by Load
		for _, hop := range hops {
			jumps[hop.Host] = true
		}
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(hosts)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(hosts)); i = next.Add(1) - 1 {
				out[i] = p.validate(hosts[i], func(t *Task) bool {
					_, seen := uniform.LoadOrStore(t, true)
					return !seen || jumps[hosts[i]]
				})
			}
		})
	}
	wg.Wait()
	return out
}

// validate evaluates all tasks, those of handlers too, without stopping at faults. Of tasks that are the same for all hosts it
// evaluates those that are met for the first time.
func (p *Play) validate(h *inventory.Host, first func(*Task) bool) hcl.Diagnostics {
	r := p.Start(h, Env{Plan: true})
	var diags hcl.Diagnostics
	around := r.walk(func(t *Task, sc *scope) {
		if t.uniform && !first(t) {
			return
		}
		instances, e := r.instances(t, sc)
		diags = append(diags, e.diags...)
		if len(e.unknown) > 0 { // look into the body all the same
			instances = []instance{r.anyInstance(sc)}
		}
		for _, in := range instances {
			_, faults := r.step(t, in)
			diags = append(diags, t.node.seeming(faults)...)
		}
	})
	return slices.Concat(r.diags, around, diags)
}
