package source

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"labctl/inventory"
)

// seed adds what the tools themselves have written, and some texts.
func seed(f *testing.F, glob string, texts ...string) {
	f.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		f.Fatalf("no file is called %s: %v", glob, err)
	}
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b)
		}
	}
	for _, s := range texts {
		f.Add([]byte(s))
	}
}

// decode makes an inventory of what was found. Whatever that is, it is an inventory or a fault that says what is wrong.
func decode(t *testing.T, found ...*inventory.Found) {
	t.Helper()
	inv, diags := inventory.Decode(inventory.Input{Found: found})
	for _, d := range diags {
		if d.Summary == "" || d.Detail == "" {
			t.Errorf("%+v", d)
		}
	}
	if diags.HasErrors() {
		return
	}
	for _, h := range inv.Hosts {
		inv.Explain(h)
		inv.ExplainSSH(h)
	}
}

// FuzzAnsible feeds text to each reader of Ansible's inventories: none may panic, whatever it is given.
func FuzzAnsible(f *testing.F) {
	seed(f, "testdata/ansible/*/hosts*", "[web]\na[1:3] x=\"{'a': [1, 0x1f, r'x']}\"\n[web:vars]\nk = 'v'\n", "all:\n  hosts: {a: {b: &x 1, c: *x}}\n",
		`{"_meta": {"hostvars": {"a": {}}}, "g": ["a"]}`)
	f.Fuzz(func(t *testing.T, b []byte) {
		ini, tree := &inventory.Found{}, &inventory.Found{}
		parseINI("hosts", b, ini)
		if d, err := parseDocument("hosts.yml", b); err == nil && d.root != nil {
			parseInventoryYAML(d, tree)
			parseList(d, tree, nil)
		}
		decode(t, ini, tree)
	})
}

// FuzzTerraform feeds text to what reads saved outputs and states, and has it recognised.
func FuzzTerraform(f *testing.F) {
	seed(f, "testdata/terraform/*.json")
	seed(f, "testdata/terraform/*.tfstate", `{"inventory": {"sensitive": true, "type": [], "value": {"a": {"groups": "['x', 'y']", "jump": "b"}, "b": {"ip": null}}}}`)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "out.json")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		isTerraform(path)
		found, diags := Terraform{Path: path}.Load(t.Context(), &Env{})
		if len(found.Hosts) == 0 && !diags.HasErrors() && !emptyOutput(b) {
			t.Errorf("neither a host nor a fault of %q", b)
		}
		decode(t, found)
	})
}

// emptyOutput says that the output is there and lists nothing.
func emptyOutput(b []byte) bool {
	d, err := parseDocument("out.json", b)
	if err != nil {
		return false
	}
	outputs := d.target(d.root)
	if d.field(outputs, "version") != nil {
		outputs = d.field(outputs, "outputs")
	}
	v := d.field(d.field(outputs, "inventory"), "value")
	return v != nil && len(v.Content) == 0
}

// FuzzVagrant feeds text to what reads the output of "vagrant ssh-config", and makes a machine of any name in .vagrant.
func FuzzVagrant(f *testing.F) {
	b, err := os.ReadFile("testdata/vagrant/ssh-config")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, "box-a")
	f.Add([]byte("==> vagrant: a new version\nHost \"a b\"\n  Port 0\n  IdentityFile \"x\n"), "-")
	f.Add([]byte("Host=a\nHostName\t= ::1\n"), "[x]*")
	f.Fuzz(func(t *testing.T, b []byte, machine string) {
		found := &inventory.Found{}
		if diags := parseVagrant("ssh-config", b, found); len(found.Hosts) == 0 && !diags.HasErrors() {
			t.Errorf("neither a host nor a fault of %q", b)
		}
		decode(t, found)
		vagrantDir(t, b, machine)
	})
}

// vagrantDir loads the directory of a Vagrantfile with one machine, and its .vagrant alone.
func vagrantDir(t *testing.T, said []byte, machine string) {
	t.Helper()
	dir := t.TempDir()
	one := filepath.Join(dir, ".vagrant", "machines", machine, "nothing")
	if os.MkdirAll(one, 0o700) != nil || os.WriteFile(filepath.Join(one, "id"), []byte("1"), 0o600) != nil {
		return // no name of a file
	}
	env := &Env{Run: func(context.Context, Command) ([]byte, error) { return said, nil }}
	for _, path := range []string{dir, filepath.Join(dir, ".vagrant")} {
		found, diags := Vagrant{Path: path}.Load(t.Context(), env)
		if len(found.Hosts) == 0 && !diags.HasErrors() {
			t.Errorf("neither a host nor a fault of %q and %q", machine, said)
		}
		decode(t, found)
	}
}

// FuzzProgram has text come from an inventory program, for --list and for --host.
func FuzzProgram(f *testing.F) {
	seed(f, "testdata/ansible/*.json", `["a", {"name": "b", "ip": "10.0.0.2", "groups": "['web', 'db']", "jump": ["a"], "n": 1}]`, `{"all": {"hosts": {"a": {"b": 1e400}}}}`,
		`{"web": {"hosts": ["a", "b"], "vars": {"n": 1}, "children": ["web"]}}`)
	f.Fuzz(func(t *testing.T, b []byte) {
		env := &Env{Run: func(context.Context, Command) ([]byte, error) { return b, nil }}
		found, diags := Program{Args: []string{"hosts", "--list"}}.Load(t.Context(), env)
		if !json.Valid(b) && !diags.HasErrors() {
			t.Errorf("%q is taken for JSON", b)
		}
		decode(t, found)
	})
}
