package playbooks

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"labctl/inventory"
)

// Label is what the step is about: the key of its object once evaluated, the label as written otherwise.
func (s *Step) Label() string {
	if attr := s.Task.Module.Schema().Key(); attr != nil && s.body != nil && !s.Sensitive {
		if k, ok := s.body.params[attr.Name]; ok {
			return fmt.Sprint(k)
		}
	}
	return s.Task.Label
}

// Become is the user that the play becomes on this host when its tasks do not say otherwise, "" for the login user. It is
// the user whose session brings the facts.
func (r *HostRun) Become() string {
	if !r.play.become {
		return ""
	}
	e := &evaluation{site: r.play.site, host: r.host}
	if u := r.text(r.play.becomeUser, "become_user", instance{ctx: r.ctx}, e); u != "" {
		return u
	}
	return "root"
}

// Becomes reports whether a task of the play, a handler's included, becomes another user.
func (p *Play) Becomes() bool {
	if p.become {
		return true
	}
	for _, tasks := range p.lists() {
		for _, t := range tasks {
			if t.become != nil && *t.become || t.becomeUser != nil && (t.become == nil || *t.become) {
				return true
			}
		}
	}
	return false
}

// Waiting lists the handlers that were notified and have not had their turn, in the order of their declaration. Of a handler
// whose steps have been returned, only their outcomes tell whether it ran.
func (r *HostRun) Waiting() []string {
	var out []string
	for i, h := range r.play.handlers {
		if r.notified[h.Name] && i >= r.handler {
			out = append(out, h.Name)
		}
	}
	return out
}

// Heading is the name of a task as it is written, if it may differ from host to host or from item to item; otherwise "".
func (p *Play) Heading(t *Task) string {
	switch {
	case t.name != nil && p.varies(t.name, nil):
		if f := p.site.Files()[t.name.Range().Filename]; f != nil {
			return strings.Trim(string(t.name.Range().SliceBytes(f.Bytes)), `"`)
		}
	case t.name == nil && t.key != nil && p.varies(t.key, nil):
		return t.title()
	}
	return ""
}

// varies reports whether an expression may have another value on another host or for another item. seen are the variables of
// the play that are being looked into.
func (p *Play) varies(x hcl.Expression, seen []string) bool {
	for _, t := range x.Variables() {
		root := t.RootName()
		if _, given := p.site.extra[root]; given || slices.Contains(seen, root) {
			continue
		}
		switch root {
		case "var", "local", "groups":
			continue
		}
		i := slices.IndexFunc(p.vars, func(d definition) bool { return d.name == root })
		if i < 0 || p.varies(p.vars[i].expr, append(seen, root)) {
			return true
		}
	}
	return false
}

// Paths lists the files that the tasks of the play name for a host, as far as that is known without the host, sorted.
func (p *Play) Paths(h *inventory.Host) []string {
	r := p.Start(h, Env{Plan: true})
	seen := map[string]bool{}
	for _, tasks := range p.lists() {
		for _, t := range tasks {
			instances, _ := r.instances(t)
			for _, in := range instances {
				if s, _ := r.step(t, in); s.body != nil {
					s.body.paths(seen)
				}
			}
		}
	}
	return sortedKeys(seen)
}

// paths notes the absolute paths among the arguments. One that ends with a slash may stand for a file in that directory.
func (b *body) paths(seen map[string]bool) {
	for _, name := range []string{"path", "dest", "persist", "creates", "removes"} {
		file, _ := b.params[name].(string)
		if !strings.HasPrefix(file, "/") {
			continue
		}
		seen[path.Clean(file)] = true
		if src, ok := b.params["src"].(string); ok && strings.HasSuffix(file, "/") {
			seen[path.Join(file, strings.TrimSuffix(path.Base(src), ".tpl"))] = true
		}
	}
}
