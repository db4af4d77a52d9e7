package playbooks

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"labctl/inventory"
)

// target is a handler that a task notifies: of the play, or of a role around the task that is in so many others.
type target struct {
	handler *Handler
	depth   int
}

// tells names the handlers that the task notifies.
func (t *Task) tells() []string {
	if len(t.notify) == 0 {
		return nil
	}
	out := make([]string, len(t.notify))
	for i, n := range t.notify {
		out[i] = n.handler.Name
	}
	return out
}

// notices are what the step leaves for handlers if it changes something.
func (s *Step) notices() []notice {
	if len(s.Task.notify) == 0 {
		return nil
	}
	out := make([]notice, len(s.Task.notify))
	for i, n := range s.Task.notify {
		out[i] = notice{s.at.scope.owner(n.depth), n.handler}
	}
	return out
}

// notified reads the names of handlers, and what handlers listen to: those of the role, of roles around it, and of the play.
func (c *compiler) notified(a *hclsyntax.Attribute) (out []target) {
	for _, n := range c.site.constStrings(a) {
		found, past := c.listeners(n)
		if len(found) == 0 {
			c.unknownHandler(a, n)
		}
		for i, t := range found {
			if past[i] {
				c.fault(a.Expr.Range(), "Handler out of order", "Handlers run in the order of their declaration: %q has had its turn before %q runs.", t.handler.Name, c.handler)
			} else if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

// unknownHandler reports a name that no handler has, or one of a role that a task outside of it wants.
func (c *compiler) unknownHandler(a *hclsyntax.Attribute, name string) {
	short := name
	if _, after, ok := strings.Cut(name, " : "); ok { // ROLE : HANDLER, as with Ansible
		short = after
	}
	for _, h := range c.play.roleHandlers {
		if h.Name == short || slices.Contains(h.Listen, short) {
			c.fault(a.Expr.Range(), "Handler of a role", "%q is a handler of a role, which each use of the role has for its own tasks. Declare it in the play, or outside of plays: the tasks of roles may notify it there, too.", short)
			return
		}
	}
	c.fault(a.Expr.Range(), "Unknown handler", "No handler %q is declared.%s", name, inventory.DidYouMean(name, c.notifiable()))
}

// listeners are the handlers that a name of notify stands for, in the nearest role, or the play, that has any. past: they have
// their turn before the one whose tasks are being compiled, or are that one.
func (c *compiler) listeners(name string) (out []target, past []bool) {
	for ; c != nil && len(out) == 0; c = c.outer {
		for i, h := range c.own {
			if h.Name == name || slices.Contains(h.Listen, name) {
				out = append(out, target{h, c.depth})
				past = append(past, c.current != nil && i <= slices.Index(c.own, c.current))
			}
		}
	}
	return out, past
}

// notifiable are the names that notify may have.
func (c *compiler) notifiable() (out []string) {
	for ; c != nil; c = c.outer {
		for _, h := range c.own {
			out = append(out, h.Name)
			out = append(out, h.Listen...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
