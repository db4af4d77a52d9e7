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
	switch {
	case t.name != nil && p.varies(t.name, nil):
		rng := t.name.Range()
		if f := p.site.file(rng); f != nil {
			return strings.Trim(string(rng.SliceBytes(f.Bytes)), `"`)
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
