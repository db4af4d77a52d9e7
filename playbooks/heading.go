package playbooks

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Heading is the name of a task as it is written, if it may differ from host to host or from item to item; otherwise "".
func (p *Play) Heading(t *Task) string {
	t.headed.Do(func() { t.heading = p.heading(t) }) // asked for with every step of every host
	return t.heading
}

func (p *Play) heading(t *Task) string {
	v := varying{play: p, role: t.role != ""}
	switch {
	case t.name != nil && v.varies(t.name):
		rng := t.name.Range()
		if f := p.site.file(rng); f != nil {
			return t.in(strings.Trim(string(rng.SliceBytes(f.Bytes)), `"`))
		}
	case t.name == nil && t.key != nil && v.varies(t.key):
		return t.title()
	}
	return ""
}

// in puts the name of its role before that of the task, as Ansible does.
func (t *Task) in(name string) string {
	if t.role == "" {
		return name
	}
	return t.role + " : " + name
}

// varying looks for what may have another value on another host or for another item. seen are the names that have been looked
// into.
type varying struct {
	play *Play
	role bool // it is in a role, where variables and locals are its own
	seen []string
}

func (v varying) varies(x hcl.Expression) bool {
	for _, t := range x.Variables() {
		if v.name(t) {
			return true
		}
	}
	return false
}

func (v varying) name(t hcl.Traversal) bool {
	root, p := t.RootName(), v.play
	if _, given := p.site.extra[root]; given || slices.Contains(v.seen, root) {
		return false
	}
	switch root {
	case "var", "local":
		return v.role
	case "groups":
		return false
	}
	i := slices.IndexFunc(p.vars, func(d definition) bool { return d.name == root })
	return i < 0 || varying{play: p, seen: append(v.seen, root)}.varies(p.vars[i].expr)
}
