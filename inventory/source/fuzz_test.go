package source

import (
	"testing"

	"labctl/inventory"
)

// FuzzAnsible feeds text to each reader of Ansible's inventories: none may panic, whatever it is given.
func FuzzAnsible(f *testing.F) {
	for _, s := range []string{"[web]\na[1:3] x=\"{'a': [1, 0x1f, r'x']}\"\n[web:vars]\nk = 'v'\n", "all:\n  hosts: {a: {b: &x 1, c: *x}}\n", `{"_meta": {"hostvars": {"a": {}}}, "g": ["a"]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		ini, tree := &inventory.Found{}, &inventory.Found{}
		parseINI("hosts", b, ini)
		if d, err := parseDocument("hosts.yml", b); err == nil && d.root != nil {
			parseInventoryYAML(d, tree)
			parseList(d, tree, nil)
			terraformOutput(d, "inventory", tree)
		}
		inventory.Decode(inventory.Input{Found: []*inventory.Found{ini, tree}})
	})
}
