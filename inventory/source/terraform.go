package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"

	"labctl/inventory"
)

// Terraform is an output of Terraform or OpenTofu: what "terraform output -json" printed, a state (version 4), or a directory in
// which that is run.
type Terraform struct {
	Path      string // file or directory
	Output    string // name of the output; "" is "inventory"
	Program   string // "": terraform or tofu, as the directory has it
	Workspace string // "": the one that is selected
}

// Name returns the path.
func (t Terraform) Name() string { return t.Path }

// Load reads the output.
func (t Terraform) Load(ctx context.Context, env *Env) (*inventory.Found, hcl.Diagnostics) {
	f := &inventory.Found{}
	if t.Output == "" {
		t.Output = "inventory"
	}
	name, b, diags := t.Path, []byte(nil), hcl.Diagnostics(nil)
	if info, err := os.Stat(t.Path); err == nil && info.IsDir() {
		name, b, diags = t.ask(ctx, env, f)
	} else {
		b, diags = read(t.Path, f)
	}
	if diags.HasErrors() {
		return f, diags
	}
	d, err := parseDocument(name, b)
	if err != nil {
		return f, hcl.Diagnostics{fault(hcl.Range{}, "Wrong inventory", "%s: %s.", name, err)}
	}
	return f, terraformOutput(d, t.Output, f)
}

// ask runs "terraform output -json" in the directory.
func (t Terraform) ask(ctx context.Context, env *Env, f *inventory.Found) (name string, b []byte, diags hcl.Diagnostics) {
	c := Command{Dir: t.Path, Env: []string{"TF_IN_AUTOMATION=1", "TF_INPUT=0"}}
	if t.Workspace != "" {
		c.Env = append(c.Env, "TF_WORKSPACE="+t.Workspace)
	}
	var err error
	for _, program := range t.programs() {
		c.Args = []string{program, "output", "-json", "-no-color"}
		name = fmt.Sprintf("%s: %s output -json", t.Path, program)
		if b, err = env.run(ctx, c); err == nil {
			keep(f, name, b)
			return name, b, nil
		}
		if !errors.Is(err, ErrNoProgram) {
			return name, nil, hcl.Diagnostics{fault(hcl.Range{}, "Terraform failed", "In %s: %s", t.Path, closed(err))}
		}
	}
	return name, nil, hcl.Diagnostics{fault(hcl.Range{}, "No Terraform",
		"%s. Where there is one, save what it says: terraform output -json > hosts.json, and name that file.", err)}
}

// programs are those to try. The lock file of OpenTofu names its own registry.
func (t Terraform) programs() []string {
	if t.Program != "" {
		return []string{t.Program}
	}
	lock, _ := os.ReadFile(filepath.Join(t.Path, ".terraform.lock.hcl"))
	if bytes.Contains(lock, []byte("registry.opentofu.org/")) {
		return []string{"tofu", "terraform"}
	}
	return []string{"terraform", "tofu"}
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
	case list == nil && len(names) == 0:
		return hcl.Diagnostics{fault(hcl.Range{}, "No outputs", "%s has no outputs. They are there after terraform apply.", d.name)}
	case list == nil:
		return hcl.Diagnostics{fault(hcl.Range{Filename: d.name}, "Unknown output", "%s has no output %q.%s", d.name, name, inventory.DidYouMean(name, names))}
	case list.Kind == yaml.ScalarNode:
		return hcl.Diagnostics{fault(d.rangeOf(list), "Wrong inventory", "The output %q is a list of objects, each a host, or an object of them by name.", name)}
	}
	secret := d.field(out, "sensitive")
	return hostList(d, list, secret != nil && secret.Value == "true", f)
}

// hostList reads hosts: a list of objects or of names, or an object whose keys are the names.
func hostList(d *document, list *yaml.Node, secret bool, f *inventory.Found) hcl.Diagnostics {
	var diags hcl.Diagnostics
	if list.Kind == yaml.MappingNode {
		for _, e := range d.entries(list) {
			diags = append(diags, terraformHost(d, e.key, e.node, e.value, secret, f)...)
		}
		return diags
	}
	for _, n := range list.Content {
		if n = d.target(n); n != nil && n.Kind == yaml.ScalarNode && isText(n) {
			f.Hosts = append(f.Hosts, inventory.FoundHost{Name: n.Value, Layer: inventory.Layer{Range: d.rangeOf(n)}})
			continue
		}
		diags = append(diags, terraformHost(d, "", n, n, secret, f)...)
	}
	return diags
}

// terraformNames are attributes of the output's objects that say how to connect, under the names of Ansible's variables.
var terraformNames = map[string]string{"ip": "ansible_host", "private_key_file": "ansible_ssh_private_key_file", "ssh_args": "ansible_ssh_common_args"}

// terraformHost reads one host, which is called name unless it says itself what it is called.
func terraformHost(d *document, name string, at, n *yaml.Node, secret bool, f *inventory.Found) hcl.Diagnostics {
	if n == nil || at == nil {
		return hcl.Diagnostics{fault(hcl.Range{Filename: d.name}, "Wrong inventory", "It refers to itself too often.")}
	}
	h := inventory.FoundHost{Name: name, Layer: inventory.Layer{Vars: map[string]inventory.Var{}, Range: d.rangeOf(at)}}
	for _, e := range d.entries(n) {
		v, _ := d.value(e.value).UnmarkDeep() // no templates of Jinja here
		rng := d.rangeOf(e.node)
		if v.IsNull() {
			continue
		}
		known, err := terraformSetting(&h, e.key, v, rng)
		switch {
		case err != "":
			return hcl.Diagnostics{fault(rng, "Wrong inventory", "%s", err)}
		case known:
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
	if h.Name == "" || d.target(n).Kind != yaml.MappingNode {
		return hcl.Diagnostics{fault(d.rangeOf(at), "Wrong inventory", "Each host is an object with a name.")}
	}
	f.Hosts = append(f.Hosts, h)
	return nil
}

// terraformSetting takes what is no variable: the name, the groups, the hops.
func terraformSetting(h *inventory.FoundHost, key string, v cty.Value, rng hcl.Range) (known bool, err string) {
	switch key {
	case "name":
		if v.Type() != cty.String {
			return true, "The name of a host is a text."
		}
		h.Name = v.AsString()
	case "groups":
		groups, ok := groupList(v)
		if !ok {
			return true, "The groups of a host are a list of names, or a text that holds one."
		}
		h.Groups = groups
	case "jump":
		hops, ok := groupList(v)
		if !ok {
			return true, "The jump of a host is a host or a list of hosts on the way to it."
		}
		h.SSH.Jump = []inventory.Jump{}
		for _, hop := range hops {
			h.SSH.Jump = append(h.SSH.Jump, inventory.Jump{Text: hop, Range: rng})
		}
	default:
		return false, ""
	}
	return true, ""
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
	return len(entries) > 0 && !slices.ContainsFunc(entries, func(e entry) bool { return !d.isOutput(e.value) })
}

// isOutput reports whether v is an output as "terraform output -json" has it. Ansible's groups have no "value"; an output that
// somebody has cut down to it is none of Ansible's groups.
func (d *document) isOutput(v *yaml.Node) bool {
	return d.field(v, "value") != nil && !slices.ContainsFunc(d.entries(v), func(e entry) bool {
		return !slices.Contains([]string{"value", "type", "sensitive"}, e.key)
	})
}
