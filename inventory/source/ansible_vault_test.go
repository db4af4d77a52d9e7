package source

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labctl/inventory"
	"labctl/inventory/secrets"
)

// TestVaultValues reads what ansible-vault has encrypted within inventories, in the form of YAML and in that of ansible-inventory --list.
func TestVaultValues(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../secrets/testdata/vault/v11.yml")
	if err != nil {
		t.Fatal(err)
	}
	quoted, _ := json.Marshal(string(b))
	dir := t.TempDir()
	right := &secrets.Keys{Vault: []secrets.VaultPassword{{ID: "default", Get: func() (string, error) { return "vault one", nil }}}}
	for name, text := range map[string]string{
		"hosts.yml":  "all:\n  hosts:\n    h:\n      token: !vault |\n        " + strings.ReplaceAll(string(b), "\n", "\n        ") + "\n",
		"hosts.json": fmt.Sprintf(`{"all": {"hosts": ["h"]}, "_meta": {"hostvars": {"h": {"token": {"__ansible_vault": %s}}}}}`, quoted),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, keys := range []*secrets.Keys{right, {}, nil} {
			found, diags := Load(context.Background(), []Source{Ansible{path}}, Env{Keys: keys})
			if diags.HasErrors() {
				t.Errorf("%s: %v", name, diags)
				continue
			}
			v, ok := varOf(found, "token")
			if !ok || !v.Value.HasMark(inventory.Sensitive) {
				t.Errorf("%s: %#v", name, v.Value)
				continue
			}
			plain, marks := v.Value.Unmark()
			why := inventory.UnopenedIn(marks)
			if opened := keys == right; opened != (why == "") || opened != (plain.AsString() == "token: s3cret token\n") {
				t.Errorf("%s: %#v, %q", name, plain, why)
			}
		}
	}
}

func varOf(found []*inventory.Found, name string) (inventory.Var, bool) {
	for _, f := range found {
		for _, h := range f.Hosts {
			if v, ok := h.Vars[name]; ok {
				return v, true
			}
		}
	}
	return inventory.Var{}, false
}
