package playbooks

import (
	"path"
	"strings"

	"labctl/inventory"
	"labctl/modules/schema"
)

// Paths lists the files that the tasks of the play name for a host, as far as that is known without the host, sorted.
func (p *Play) Paths(h *inventory.Host) []string {
	r := p.Start(h, Env{Plan: true})
	seen := map[string]bool{}
	r.walk(func(t *Task, sc *scope) {
		instances, _ := r.instances(t, sc)
		for _, in := range instances {
			if s, _ := r.step(t, in); s.body != nil {
				s.body.paths(seen, t.homing())
			}
		}
	})
	return sortedKeys(seen)
}

// paths notes the absolute paths among the arguments. One that ends with a slash may stand for a file in that directory.
func (b *body) paths(seen map[string]bool, home *schema.Attribute) {
	for _, name := range []string{"path", "dest", "persist", "creates", "removes"} {
		file, _ := b.params[name].(string)
		if !strings.HasPrefix(file, "/") || home != nil && home.Name == name {
			continue
		}
		seen[path.Clean(file)] = true
		for _, from := range []string{"src", "url"} {
			if src, ok := b.params[from].(string); ok && strings.HasSuffix(file, "/") {
				src, _, _ = strings.Cut(src, "?")
				seen[path.Join(file, strings.TrimSuffix(path.Base(src), ".tpl"))] = true
			}
		}
	}
}
