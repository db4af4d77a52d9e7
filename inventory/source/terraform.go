package source

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"

	"labctl/inventory"
)

// Terraform is an output of Terraform or OpenTofu: what "terraform output -json" printed, or a state (version 4).
type Terraform struct {
	Path   string // file
	Output string // name of the output
}

// Name returns the path.
func (t Terraform) Name() string { return t.Path }

// Load reads the output.
func (t Terraform) Load(_ context.Context, _ *Env) (*inventory.Found, hcl.Diagnostics) {
	f := &inventory.Found{}
	b, diags := read(t.Path, f)
	if diags.HasErrors() {
		return f, diags
	}
	d, err := parseDocument(t.Path, b)
	if err != nil {
		return f, hcl.Diagnostics{fault(hcl.Range{}, "Wrong inventory", "%s: %s.", t.Path, err)}
	}
	return f, terraformOutput(d, t.Output, f)
}

// field returns the value of a key.
func (d *document) field(n *yaml.Node, key string) *yaml.Node {
	for _, e := range d.entries(n) {
		if e.key == key {
			return d.target(e.value)
		}
	}
	return nil
}

// terraformOutput reads the hosts of one output: a list of objects.
func terraformOutput(d *document, name string, f *inventory.Found) hcl.Diagnostics {
	outputs := d.target(d.root)
	if v := d.field(outputs, "version"); v != nil && v.Kind == yaml.ScalarNode {
		if v.Value != "4" {
			return hcl.Diagnostics{fault(d.rangeOf(v), "Wrong inventory", "The state has version %s, labctl reads version 4. Save the output in its place: terraform output -json > hosts.json", v.Value)}
		}
		outputs = d.field(outputs, "outputs")
	}
	var names []string
	for _, e := range d.entries(outputs) {
		names = append(names, e.key)
	}
	out := d.field(outputs, name)
	list := d.field(out, "value")
	switch {
	case list == nil:
		return hcl.Diagnostics{fault(hcl.Range{Filename: d.name}, "Unknown output", "%s has no output %q.%s", d.name, name, inventory.DidYouMean(name, names))}
	case list.Kind != yaml.SequenceNode:
		return hcl.Diagnostics{fault(d.rangeOf(list), "Wrong inventory", "The output %q is a list of objects, each a host.", name)}
	}
	secret := d.field(out, "sensitive")
	var diags hcl.Diagnostics
	for _, n := range list.Content {
		diags = append(diags, terraformHost(d, n, secret != nil && secret.Value == "true", f)...)
	}
	return diags
}

// terraformNames are attributes of the output's objects that say how to connect, under the names of Ansible's variables.
var terraformNames = map[string]string{"ip": "ansible_host", "private_key_file": "ansible_ssh_private_key_file", "ssh_args": "ansible_ssh_common_args"}

func terraformHost(d *document, n *yaml.Node, secret bool, f *inventory.Found) hcl.Diagnostics {
	h := inventory.FoundHost{Layer: inventory.Layer{Vars: map[string]inventory.Var{}, Range: d.rangeOf(n)}}
	for _, e := range d.entries(n) {
		v, _ := d.value(e.value).UnmarkDeep() // no templates of Jinja here
		rng := d.rangeOf(e.node)
		switch {
		case v.IsNull():
			continue
		case e.key == "name" && v.Type() == cty.String:
			h.Name = v.AsString()
			continue
		case e.key == "groups":
			groups, ok := groupList(v)
			if !ok {
				return hcl.Diagnostics{fault(rng, "Wrong groups", "The groups of a host are a list of names, or a text that holds one.")}
			}
			h.Groups = groups
			continue
		case e.key == "jump" && v.Type() == cty.String:
			h.SSH.Jump = []inventory.Jump{{Text: v.AsString(), Range: rng}}
			continue
		}
		if secret {
			v = v.Mark(inventory.Sensitive)
		}
		key := e.key
		if to, ok := terraformNames[key]; ok {
			key = to
		}
		h.Vars[key] = inventory.Var{Value: v, Range: rng}
	}
	if h.Name == "" {
		return hcl.Diagnostics{fault(d.rangeOf(n), "Wrong inventory", "Each host of the output is an object with a name.")}
	}
	f.Hosts = append(f.Hosts, h)
	return nil
}

// groupList reads groups: a list, or a text that holds one as Python or JSON write it, or names with commas between.
func groupList(v cty.Value) ([]string, bool) {
	if v.Type() == cty.String {
		s := v.AsString()
		if v, _ = literal(s).UnmarkDeep(); v.Type() == cty.String {
			return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }), true
		}
	}
	if !v.CanIterateElements() || v.Type().IsObjectType() {
		return nil, false
	}
	var out []string
	for _, e := range v.AsValueSlice() {
		if e.Type() != cty.String || e.IsNull() {
			return nil, false
		}
		out = append(out, e.AsString())
	}
	return out, true
}

// isTerraform says that a file is what Terraform writes.
func isTerraform(path string) bool {
	if filepath.Ext(path) == ".tfstate" {
		return true
	}
	if filepath.Ext(path) != ".json" {
		return false
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	d, err := parseDocument(path, b)
	if err != nil {
		return false
	}
	entries := d.entries(d.root)
	return len(entries) > 0 && !slices.ContainsFunc(entries, func(e entry) bool {
		return d.field(e.value, "value") == nil || d.field(e.value, "sensitive") == nil || d.field(e.value, "type") == nil
	})
}
