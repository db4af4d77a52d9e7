package playbooks

import (
	"bytes"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"labctl/inventory"
)

// needed tells which variables must have a value. For who wants the hosts alone it is those that say something of them: that the
// inventory refers to, or a play of whom it is for and whom to become there.
func (s *Site) needed(byType map[string]hcl.Blocks, locals map[string]definition, o Options) func(variable string) bool {
	adHoc := o.AdHoc != nil && !bytes.Contains(o.AdHoc.Text, []byte("var.")) && !bytes.Contains(o.AdHoc.Text, []byte("local."))
	if !o.HostsOnly && !adHoc {
		return func(string) bool { return true }
	}
	w := &wanting{vars: map[string]bool{}, locals: locals, seen: map[string]bool{}}
	for kind, blocks := range byType {
		for _, b := range blocks {
			if slices.ContainsFunc(inventory.BlockTypes, func(t hcl.BlockHeaderSchema) bool { return t.Type == kind }) {
				w.see(s.expressions(b.Body)...)
			} else if body, ok := b.Body.(*hclsyntax.Body); ok {
				w.ofHosts(body)
			}
		}
	}
	return func(variable string) bool { return w.all || w.vars[variable] }
}

// wanting gathers the variables that expressions refer to, themselves and by locals.
type wanting struct {
	vars   map[string]bool
	locals map[string]definition
	seen   map[string]bool // of locals
	all    bool
}

func (w *wanting) see(exprs ...hcl.Expression) {
	for _, e := range exprs {
		for _, t := range e.Variables() {
			root := t.RootName()
			name := attributeOf(t, root)
			switch {
			case root != "var" && root != "local":
			case name == "": // whichever
				w.all = true
			case root == "var":
				w.vars[name] = true
			case !w.seen[name] && w.locals[name].expr != nil:
				w.seen[name] = true
				w.see(w.locals[name].expr)
			}
		}
	}
}

// ofHosts is what plays and tasks say of hosts.
func (w *wanting) ofHosts(b *hclsyntax.Body) {
	for name, a := range b.Attributes {
		if name == "hosts" || strings.HasPrefix(name, "become") {
			w.see(a.Expr)
		}
	}
	for _, sub := range b.Blocks {
		w.ofHosts(sub.Body)
	}
}
