package source_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labctl/inventory"
	"labctl/inventory/source"
)

const many = 10_000

// BenchmarkHosts reads an inventory of 10 000 hosts from each kind of source, as text that is there already.
func BenchmarkHosts(b *testing.B) {
	var names strings.Builder
	for i := range many {
		fmt.Fprintf(&names, "\"web%d\",", i)
	}
	for _, c := range []struct {
		name       string
		source     func(path string) source.Source
		head, tail string
		host       func(i int) string
	}{
		{"ini", func(p string) source.Source { return source.Ansible{Path: p} }, "[web]\n", "[web:vars]\na=1\n",
			func(i int) string {
				return fmt.Sprintf("web%d ansible_host=10.0.%d.%d ansible_user=ops n=%d ansible_ssh_common_args='-o ConnectTimeout=5'\n", i, i/256, i%256, i)
			}},
		{"yaml", func(p string) source.Source { return source.Ansible{Path: p} }, "---\nall:\n  children:\n    web:\n      hosts:\n", "      vars: {a: 1}\n",
			func(i int) string {
				return fmt.Sprintf("        web%d:\n          ansible_host: 10.0.%d.%d\n          ansible_user: ops\n          n: %d\n", i, i/256, i%256, i)
			}},
		{"terraform", func(p string) source.Source { return source.Terraform{Path: p} }, `{"inventory":{"sensitive":false,"type":[],"value":[`, `{"name":"last"}]}}`,
			func(i int) string {
				return fmt.Sprintf(`{"groups":"['web']","name":"web%d","ip":"10.0.%d.%d","ansible_ssh_user":"ops","private_key_file":"~/.ssh/key","ssh_args":"-o StrictHostKeyChecking=no"},`, i, i/256, i%256)
			}},
		{"vagrant", func(p string) source.Source { return source.Vagrant{Path: p} }, "", "",
			func(i int) string {
				return fmt.Sprintf("Host web%d\n  HostName 127.0.0.1\n  User vagrant\n  Port %d\n  UserKnownHostsFile /dev/null\n  IdentityFile \"/key/%d\"\n", i, 2000+i, i)
			}},
		{"command", func(p string) source.Source { return source.Program{Args: []string{p, "--list"}} }, `{"_meta":{"hostvars":{`, `"last":{}}},"web":[` + names.String() + `"last"]}`,
			func(i int) string {
				return fmt.Sprintf(`"web%d":{"ansible_host":"10.0.%d.%d","n":%d},`, i, i/256, i%256, i)
			}},
		{"list", func(p string) source.Source { return source.Program{Args: []string{p}} }, `[`, `"last"]`,
			func(i int) string {
				return fmt.Sprintf(`{"name":"web%d","ip":"10.0.%d.%d","n":%d},`, i, i/256, i%256, i)
			}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var text strings.Builder
			text.WriteString(c.head)
			for i := range many {
				text.WriteString(c.host(i))
			}
			text.WriteString(c.tail)
			path := filepath.Join(b.TempDir(), c.name)
			if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
				b.Fatal(err)
			}
			env := source.Env{Run: func(context.Context, source.Command) ([]byte, error) { return os.ReadFile(path) }}
			for b.Loop() {
				found, diags := source.Load(b.Context(), []source.Source{c.source(path)}, env)
				inv, more := inventory.Decode(inventory.Input{Found: found})
				if diags.HasErrors() || more.HasErrors() || len(inv.Hosts) < many {
					b.Fatal(diags, more, len(inv.Hosts))
				}
			}
		})
	}
}
