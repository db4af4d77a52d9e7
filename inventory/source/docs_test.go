package source_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"labctl/inventory"
	"labctl/inventory/source"
	"labctl/playbooks/syntax"
)

var fenced = regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```")

// Every example of docs/inventory.md works: source blocks find hosts, programs' output and Terraform's is read.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/inventory.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range fenced.FindAllStringSubmatch(string(page), -1) {
		text := m[1]
		kind, _, _ := strings.Cut(text, " ")
		seen[kind] = true
		switch {
		case kind == "source":
			docSources(t, text)
		case kind == "output":
			docOutput(t, text)
		case strings.HasPrefix(text, "["):
			seen["["] = true
			env := &source.Env{Run: func(context.Context, source.Command) ([]byte, error) { return []byte(text), nil }}
			found, diags := source.Program{Args: []string{"hosts"}}.Load(t.Context(), env)
			decoded(t, text, 2, diags, found)
		default:
			t.Errorf("nothing tries this example:\n%s", text)
		}
	}
	for _, kind := range []string{"source", "output", "["} {
		if !seen[kind] {
			t.Errorf("the page has no example of %q", kind)
		}
	}
}

// decoded makes an inventory of what an example finds.
func decoded(t *testing.T, text string, hosts int, diags hcl.Diagnostics, found ...*inventory.Found) {
	t.Helper()
	inv, more := inventory.Decode(inventory.Input{Found: found})
	if diags = append(diags, more...); diags.HasErrors() || len(inv.Hosts) < hosts {
		t.Errorf("%d hosts, %v of:\n%s", len(inv.Hosts), said(diags), text)
	}
}

// docSources loads source blocks among files such as they name.
func docSources(t *testing.T, text string) {
	t.Helper()
	dir := dotVagrant(t, "box-a", "box-b", "jump")
	t.Setenv("HOME", dir)
	for name, content := range map[string]string{"hosts": "[web]\nweb1\n", "infra/main.tf": "", ".ssh/config": "Host box-9\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := source.Env{
		SSHHosts: func(string) ([]source.SSHHost, error) { return []source.SSHHost{{Name: "box-9"}, {Name: "other"}}, nil },
		Run: recorded(map[string]string{
			"terraform output -json -no-color":    "testdata/terraform/terraform-output.json",
			"vagrant ssh-config box-a box-b jump": "testdata/vagrant/ssh-config",
			dir + "/hosts.py --list":              "testdata/ansible/script.json",
		}),
	}
	f, diags := syntax.Parse(filepath.Join(dir, "site.hcl"), []byte(text))
	for _, b := range f.Body.(*hclsyntax.Body).Blocks {
		h, fault := inventory.SourceHeader(b)
		if fault != nil {
			t.Fatal(fault)
		}
		declared, more := inventory.DecodeSources(hcl.Blocks{h}, nil)
		diags = append(diags, more...)
		for _, d := range declared {
			found, more := source.Load(t.Context(), []source.Source{source.Of(d)}, env)
			decoded(t, fmt.Sprint(b.Labels), 1, more, found...)
		}
	}
	if diags.HasErrors() {
		t.Error(said(diags))
	}
}

// docOutput reads what Terraform makes of the attributes of an output.
func docOutput(t *testing.T, text string) {
	t.Helper()
	if _, diags := hclsyntax.ParseConfig([]byte(text), "main.tf", hcl.InitialPos); diags.HasErrors() {
		t.Error(diags)
	}
	path := filepath.Join(t.TempDir(), "out.json")
	made := `{"inventory": {"sensitive": false, "type": [], "value": [
		{"name": "jump-host", "ip": "203.0.113.1"}, {"name": "box", "ip": "10.0.0.1", "groups": ["boxes"], "jump": "jump-host"}]}}`
	for _, key := range regexp.MustCompile(`(?m)^ +(name|ip|groups|jump) += `).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(made, `"`+key[1]+`"`) {
			t.Errorf("the example has %s, which this test has not", key[1])
		}
	}
	if err := os.WriteFile(path, []byte(made), 0o600); err != nil {
		t.Fatal(err)
	}
	found, diags := source.Terraform{Path: path}.Load(t.Context(), &source.Env{})
	decoded(t, text, 2, diags, found)
}
