package inventory

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// FuzzPatterns holds any text against a fleet: what comes is an error, or hosts of the inventory, each once, and the same ones that
// Ansible's way of passing over unknown names finds. Patterns that name files would reach outside.
func FuzzPatterns(f *testing.F) {
	for _, s := range []string{"all", "db:&first:!db-c", "db[-2:]", "web[01:02]*", "~(web|db)-?[0-9a]", "!&x", "db[9999999999999999999]", "::1", "127.0.0.1,lonely"} {
		f.Add(s)
	}
	inv := good(f, fleet)
	f.Fuzz(func(t *testing.T, pattern string) {
		if strings.Contains(pattern, "@") {
			return
		}
		hosts, err := inv.Match(pattern)
		seen := map[*Host]bool{}
		for _, h := range hosts {
			if h == nil || seen[h] || inv.Host(h.Name) != h && h != inv.localhost {
				t.Fatalf("%q gives %v", pattern, hosts)
			}
			seen[h] = true
		}
		known, unknown, knownErr := inv.MatchKnown(pattern)
		if err == nil && (knownErr != nil || len(unknown) > 0 || len(known) != len(hosts)) {
			t.Errorf("%q: %d hosts, or %d hosts, %q and %v", pattern, len(hosts), len(known), unknown, knownErr)
		}
	})
}

// FuzzInventory reads any text as the blocks of an inventory, and asks of it what a run and the verbs ask. What is wrong with it
// has its place in the text.
func FuzzInventory(f *testing.F) {
	f.Add([]byte(fleet))
	f.Add([]byte("ssh {\n user = \"u\"\n jump = [\"a\", \"x@y:22\"]\n options = [\"Port=1\"]\n}\nhost \"a\" {\n vars = { b = [1] }\n}\nhost \"b\" {\n jump = [\"a\"]\n}\n"))
	f.Add([]byte("network \"n\" {\n cidr = \"10.0.0.0/8\"\n}\nhost \"a[1:2]\" {\n port = 22\n nic \"e0\" {\n  network = \"n\"\n  addresses = [\"10.0.0.1/8\"]\n }\n}\n"))
	f.Add([]byte("group \"g\" {\n children = [\"g\"]\n hosts = [\"[a:zz]\"]\n vars = { ansible_port = \"x\" }\n become_flags = [\"-H\"]\n}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if strings.Contains(string(text), "999") {
			return // a range of a million hosts takes a while, and nothing else
		}
		file, diags := hclsyntax.ParseConfig(text, "/lab/site.hcl", hcl.InitialPos)
		if diags.HasErrors() {
			return
		}
		content, diags := file.Body.Content(&hcl.BodySchema{Blocks: BlockTypes})
		if diags.HasErrors() {
			return
		}
		_, _ = DecodeSources(content.Blocks, nil)
		inv, diags := Decode(Input{Blocks: content.Blocks})
		for _, d := range diags {
			if d.Subject == nil || d.Subject.Start.Byte > len(text) || d.Summary == "" || d.Detail == "" {
				t.Errorf("%+v", d)
			}
		}
		if !diags.HasErrors() {
			ask(t, inv)
		}
	})
}

// ask has an inventory explained and listed.
func ask(t *testing.T, inv *Inventory) {
	t.Helper()
	for _, h := range inv.Hosts {
		inv.Explain(h)
		inv.ExplainSSH(h)
		inv.Behind(h)
		if _, err := inv.Chain(h); err != nil {
			t.Errorf("%s: %v", h.Name, err)
		}
	}
	if _, err := inv.Match("all"); err != nil && len(inv.Hosts) > 0 {
		t.Error(err)
	}
	for _, g := range inv.Groups {
		inv.Direct(g.Name)
	}
}
