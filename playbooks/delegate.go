package playbooks

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

// delegated refuses another host for a task that cannot run there.
func (c *compiler) delegated(t *Task) {
	c.play.delegates = true
	switch {
	case t.Module.Ends():
		c.fault(t.on.Range(), "Two hosts and a third", "%s runs on the two hosts that from and to name, and on no other.", inventory.Article(t.Module.Name()))
	case t.Module.Waits():
		c.fault(t.on.Range(), "Waiting elsewhere", "%s waits for the host that it is for. Write a play for the other host.", inventory.Article(t.Module.Name()))
	}
}

// target is the host that "on" names; nil: the one that the task is for, or it is not known.
func (r *HostRun) target(t *Task, in instance, e *evaluation) *inventory.Host {
	name := r.text(t.on, "on", in, e)
	if name == "" || name == r.host.Name {
		return nil
	}
	h := r.play.site.Inventory.Host(name)
	if h == nil && r.play.later && r.env.Plan && r.env.Added.Open() {
		e.unknown = append(e.unknown, "on")
		return nil
	}
	if h == nil {
		e.fault(t.on.Range(), "Unknown host", "There is no host %q to run on.%s", name, r.hostHint(name))
	}
	return h
}

func (r *HostRun) hostHint(name string) string {
	if r.play.site.Inventory.Group(name) != nil {
		return " It is a group: groups[\"" + name + "\"][0] is its first host."
	}
	known := []string{"localhost"}
	for _, h := range r.play.site.Inventory.Hosts {
		known = append(known, h.Name)
	}
	return inventory.DidYouMean(name, known)
}

// where is the host that a step runs on.
func (r *HostRun) where(s *Step) *inventory.Host {
	if s.On != nil {
		return s.On
	}
	return r.host
}

// mayRunOn reports whether the task may run on a host that it is not for, as far as that can be told without evaluating it for one.
func (t *Task) mayRunOn(h *inventory.Host) bool {
	if t.on == nil {
		return false
	}
	name, known := constantText(t.on)
	return !known || name == h.Name
}

// constantText is the value of an expression that is the same everywhere.
func constantText(x hcl.Expression) (text string, known bool) {
	if len(x.Variables()) > 0 {
		return "", false
	}
	v, diags := x.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

// lends reports whether a host may have to run a task of the play for another one.
func (p *Play) lends(h *inventory.Host) bool {
	for _, tasks := range p.lists() {
		for _, t := range tasks {
			if t.mayRunOn(h) {
				return true
			}
		}
	}
	return false
}

// Lenders are the hosts that may have to run tasks for others.
func (s *Site) Lenders() []*inventory.Host {
	var out []*inventory.Host
	seen := map[*inventory.Host]bool{}
	for _, p := range s.plays {
		for _, tasks := range p.lists() {
			for _, t := range tasks {
				for _, h := range t.lenders(s.Inventory) {
					if !seen[h] {
						seen[h] = true
						out = append(out, h)
					}
				}
			}
		}
	}
	return out
}

func (t *Task) lenders(inv *inventory.Inventory) []*inventory.Host {
	if t.on == nil {
		return nil
	}
	if name, known := constantText(t.on); known {
		if h := inv.Host(name); h != nil {
			return []*inventory.Host{h}
		}
		return nil
	}
	return append([]*inventory.Host{inv.Host("localhost")}, inv.Hosts...)
}
