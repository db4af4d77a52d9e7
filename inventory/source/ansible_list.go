package source

import (
	"github.com/hashicorp/hcl/v2"
	"go.yaml.in/yaml/v3"

	"labctl/inventory"
)

// isList says that a document has the form of "ansible-inventory --list" and of inventory programs: lists of hosts, and the
// variables of all of them under _meta. A static inventory has mappings there.
func isList(d *document) bool {
	for _, e := range d.entries(d.root) {
		v := d.target(e.value)
		if e.key == "_meta" || v != nil && v.Kind == yaml.SequenceNode {
			return true
		}
		for _, part := range d.entries(v) {
			if (part.key == "hosts" || part.key == "children") && d.target(part.value).Kind == yaml.SequenceNode {
				return true
			}
		}
	}
	return false
}

// listReader reads that form.
type listReader struct {
	*document
	out   *inventory.Found
	diags hcl.Diagnostics
	hosts map[string]bool
	order []string
}

// parseList reads what a program printed. more gives the variables of a host where the document does not tell of any; nil for none.
func parseList(d *document, out *inventory.Found, more func(hosts []string) hcl.Diagnostics) hcl.Diagnostics {
	r := &listReader{document: d, out: out, hosts: map[string]bool{}}
	root := d.target(d.root)
	if root == nil || root.Kind != yaml.MappingNode {
		r.fault(d.root, "The inventory is an object: the names of groups, and what is in them.")
		return r.diags
	}
	var meta *yaml.Node
	for _, e := range d.entries(root) {
		if e.key == "_meta" {
			for _, m := range d.entries(e.value) {
				if m.key == "hostvars" {
					meta = m.value
				}
			}
			continue
		}
		r.group(e)
	}
	if meta == nil && more != nil {
		return append(r.diags, more(r.order)...)
	}
	r.hostVars(meta)
	return r.diags
}

func (r *listReader) fault(n *yaml.Node, format string, args ...any) {
	r.diags = append(r.diags, fault(r.rangeOf(n), "Wrong inventory", format, args...))
}

// group reads a group: its hosts alone, an object of hosts, vars and children, or, with none of these, the variables of a host
// that is called like the group.
func (r *listReader) group(e entry) {
	g := inventory.FoundGroup{Name: e.key}
	g.Range = r.rangeOf(e.node)
	body := r.target(e.value)
	parts := map[string]*yaml.Node{}
	for _, p := range r.entries(body) {
		parts[p.key] = r.target(p.value)
	}
	switch {
	case isNull(body):
	case body.Kind == yaml.SequenceNode:
		parts["hosts"] = body
	case body.Kind != yaml.MappingNode:
		r.fault(e.node, "The group %q is a list of hosts, or an object with hosts, vars and children.", e.key)
		return
	case parts["hosts"] == nil && parts["vars"] == nil && parts["children"] == nil && len(parts) > 0:
		r.add(e.key, g.Range)
		g.Hosts, g.Vars = []string{e.key}, r.vars(body)
		r.out.Groups = append(r.out.Groups, g)
		return
	}
	for _, name := range r.strings(e, "hosts", parts["hosts"]) {
		r.add(name, g.Range)
		if e.key != "all" && e.key != "ungrouped" {
			g.Hosts = append(g.Hosts, name)
		}
	}
	for _, name := range r.strings(e, "children", parts["children"]) {
		if name != "ungrouped" {
			g.Children = append(g.Children, name)
			r.out.Groups = append(r.out.Groups, inventory.FoundGroup{Name: name, Layer: inventory.Layer{Range: g.Range}})
		}
	}
	if v := parts["vars"]; !isNull(v) {
		if v.Kind != yaml.MappingNode {
			r.fault(v, "The variables of group %q are an object.", e.key)
		}
		g.Vars = r.vars(v)
	}
	if e.key != "ungrouped" || len(g.Vars) > 0 {
		r.out.Groups = append(r.out.Groups, g)
	}
}

func (r *listReader) strings(e entry, what string, n *yaml.Node) []string {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.fault(n, "The %s of group %q are a list.", what, e.key)
		return nil
	}
	var out []string
	for _, c := range n.Content {
		if c = r.target(c); c == nil || c.Kind != yaml.ScalarNode || !isText(c) {
			r.fault(n, "The %s of group %q are a list of texts.", what, e.key)
			return nil
		}
		out = append(out, c.Value)
	}
	return out
}

func (r *listReader) add(name string, rng hcl.Range) {
	if !r.hosts[name] {
		r.hosts[name] = true
		r.order = append(r.order, name)
		r.out.Hosts = append(r.out.Hosts, inventory.FoundHost{Name: name, Layer: inventory.Layer{Range: rng}})
	}
}

// hostVars reads _meta.hostvars. Hosts that are in no group are passed over, as Ansible does.
func (r *listReader) hostVars(meta *yaml.Node) {
	for _, e := range r.entries(meta) {
		if !r.hosts[e.key] {
			continue
		}
		r.out.Hosts = append(r.out.Hosts, inventory.FoundHost{Name: e.key, Layer: inventory.Layer{Vars: r.vars(e.value), Range: r.rangeOf(e.node)}})
	}
}
