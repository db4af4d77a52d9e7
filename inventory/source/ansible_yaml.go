package source

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"

	"labctl/inventory"
)

// yamlReader reads an inventory in Ansible's YAML form, groups within groups.
type yamlReader struct {
	*document
	out   *inventory.Found
	diags hcl.Diagnostics
}

// parseInventoryYAML reads an inventory that was read from the file called name.
func parseInventoryYAML(d *document, out *inventory.Found) hcl.Diagnostics {
	r := &yamlReader{document: d, out: out}
	root := d.target(d.root)
	switch {
	case isNull(root):
		r.fault(root, "The file is empty.")
	case root.Kind != yaml.MappingNode:
		r.fault(root, "An inventory in YAML is a mapping from the names of groups to what they hold.")
	default:
		for _, e := range d.entries(root) {
			if e.key == "plugin" && d.target(e.value).Kind == yaml.ScalarNode {
				r.fault(e.node, "The file configures a plugin of Ansible, which labctl does not have. Save what it finds: ansible-inventory -i %s --list > hosts.json", d.name)
				return r.diags
			}
			r.group(e, 0)
		}
	}
	return r.diags
}

func (r *yamlReader) fault(n *yaml.Node, format string, args ...any) {
	r.diags = append(r.diags, fault(r.rangeOf(n), "Wrong inventory", format, args...))
}

func (r *yamlReader) warn(n *yaml.Node, format string, args ...any) {
	r.fault(n, format, args...)
	r.diags[len(r.diags)-1].Severity = hcl.DiagWarning
}

// group reads one group and those in it.
func (r *yamlReader) group(e entry, depth int) {
	body := r.target(e.value)
	if depth > 100 {
		r.fault(e.node, "Groups are nested more than 100 deep.")
		return
	}
	if r.key(e.node) == "" || e.node.Kind != yaml.ScalarNode {
		r.fault(e.node, "The name of a group is a text.")
		return
	}
	if !isNull(body) && body.Kind != yaml.MappingNode {
		r.fault(e.node, "The group %q is a mapping with hosts, vars and children.", e.key)
		return
	}
	r.out.Groups = append(r.out.Groups, inventory.FoundGroup{Name: e.key, Layer: inventory.Layer{Range: r.rangeOf(e.node)}})
	at := len(r.out.Groups) - 1
	for _, part := range r.entries(body) {
		if isNull(r.target(part.value)) {
			continue
		}
		switch part.key {
		case "vars":
			g := &r.out.Groups[at]
			g.Vars = r.groupVars(part, g)
		case "hosts":
			names := r.hosts(part)
			if e.key != "ungrouped" && e.key != "all" {
				r.out.Groups[at].Hosts = append(r.out.Groups[at].Hosts, names...)
			}
		case "children":
			for _, c := range r.section(part) {
				if c.key != "ungrouped" {
					r.out.Groups[at].Children = append(r.out.Groups[at].Children, c.key)
				}
				r.group(c, depth+1)
			}
		default:
			r.warn(part.node, "A group has hosts, vars and children; %q is passed over.", part.key)
		}
	}
}

func (r *yamlReader) groupVars(part entry, g *inventory.FoundGroup) map[string]inventory.Var {
	if n := r.target(part.value); n == nil || n.Kind != yaml.MappingNode {
		r.fault(part.node, "The variables of a group are a mapping.")
		return nil
	}
	vars := r.vars(part.value)
	if p, ok := vars["ansible_group_priority"]; ok && p.Value.Type() == cty.Number && p.Value.IsKnown() && !p.Value.IsNull() {
		n, _ := p.Value.AsBigFloat().Int64()
		g.Priority = int(n)
		delete(vars, "ansible_group_priority")
	}
	return vars
}

// section lists hosts or children. One of them may be given as its name alone.
func (r *yamlReader) section(part entry) []entry {
	n := r.target(part.value)
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.ScalarNode:
		return []entry{{r.key(n), n, nil}}
	case n.Kind != yaml.MappingNode:
		r.fault(part.node, "The %s of a group are a mapping: a colon follows each name.", part.key)
		return nil
	}
	return r.entries(n)
}

func (r *yamlReader) hosts(part entry) (all []string) {
	for _, e := range r.section(part) {
		if k := r.target(e.node); k.Kind != yaml.ScalarNode || scalar(k).IsNull() || !isText(k) {
			r.fault(e.node, "The name of a host is a text: write a number in quotes.")
			continue
		}
		names, port, err := expandHost(e.key)
		if err != nil {
			r.fault(e.node, "%q: %s.", e.key, err)
			continue
		}
		v := r.target(e.value)
		if !isNull(v) && v.Kind != yaml.MappingNode {
			r.fault(e.node, "The variables of host %q are a mapping.", e.key)
			continue
		}
		vars := r.vars(v)
		if _, said := vars["ansible_port"]; port != 0 && !said {
			vars["ansible_port"] = inventory.Var{Value: cty.NumberIntVal(int64(port)), Range: r.rangeOf(e.node)}
		}
		for _, name := range names {
			r.out.Hosts = append(r.out.Hosts, inventory.FoundHost{Name: name, Layer: inventory.Layer{Vars: vars, Range: r.rangeOf(e.node)}})
			all = append(all, name)
		}
	}
	return all
}

func isText(n *yaml.Node) bool {
	v, _ := scalar(n).Unmark()
	return v.Type() == cty.String
}
