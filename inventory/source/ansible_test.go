package source_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
	"labctl/inventory/source"
)

var update = flag.Bool("update", false, "write what the ansible-inventory of this machine says (ansible-core) to testdata/ansible")

// inventories are what testdata/ansible/NAME.json holds the real ansible-inventory --list of.
var inventories = map[string][]string{
	"vagrant":          {"vagrant/hosts"},
	"ini-classic":      {"ini-classic/hosts"},
	"ini-values":       {"ini-values/hosts"},
	"ini-groups":       {"ini-groups/hosts"},
	"ini-priority":     {"ini-priority/hosts"},
	"ini-addresses":    {"ini-addresses/hosts"},
	"ini-comments":     {"ini-comments/hosts"},
	"ini-connection":   {"ini-connection/hosts.ini"},
	"ini-same-names":   {"ini-same-names/hosts"},
	"ini-noext-yaml":   {"ini-noext-yaml/hosts"},
	"yaml-basic":       {"yaml-basic/hosts.yml"},
	"yaml-types":       {"yaml-types/hosts.yaml"},
	"yaml-order":       {"yaml-order/hosts.yml"},
	"yaml-connection":  {"yaml-connection/inventory.yml"},
	"yaml-groups-top":  {"yaml-groups-top/hosts.yml"},
	"json-static":      {"json-static/hosts.json"},
	"vars-dirs":        {"vars-dirs/hosts"},
	"vars-playbook":    {"ini-groups/hosts", "--playbook-dir", "vars-playbook"},
	"dir-mixed":        {"dir-mixed"},
	"several":          {"several/one/hosts", "several/two/hosts.yml"},
	"several-reversed": {"several/two", "several/one"},
	"script":           {"script/hosts"},
	"script-old":       {"script-old/hosts.sh"},
}

// run runs a command of a source, as cmd/labctl does.
func run(ctx context.Context, c source.Command) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, append(os.Environ(), c.Env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, stderr.Bytes())
	}
	return out, nil
}

// load reads inventories given by path and fails the test on faults.
func load(t testing.TB, env source.Env, paths ...string) *inventory.Inventory {
	t.Helper()
	inv, diags := tryLoad(t, env, paths...)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return inv
}

func tryLoad(t testing.TB, env source.Env, paths ...string) (*inventory.Inventory, hcl.Diagnostics) {
	t.Helper()
	env.Run = run
	var sources []source.Source
	for _, p := range paths {
		s := source.Recognise(p)
		if s == nil {
			t.Fatalf("%s is not recognised", p)
		}
		sources = append(sources, s)
	}
	found, diags := source.Load(t.Context(), sources, env)
	inv, more := inventory.Decode(inventory.Input{Found: found})
	return inv, append(diags, more...)
}

// written are the variables of a host as they are written, templates and all, as ansible-inventory shows them.
func written(inv *inventory.Inventory) func(*inventory.Host) map[string]cty.Value {
	return func(h *inventory.Host) map[string]cty.Value {
		out := map[string]cty.Value{}
		for _, o := range inv.Explain(h) {
			if o.Wins {
				out[o.Name], _ = o.Value.UnmarkDeep()
			}
		}
		return out
	}
}

func TestLikeAnsible(t *testing.T) {
	for name, args := range inventories {
		t.Run(name, func(t *testing.T) {
			t.Chdir("testdata/ansible")
			if *update {
				record(t, name, args)
			}
			var env source.Env
			if i := slices.Index(args, "--playbook-dir"); i >= 0 {
				env.Playbook, args = args[i+1], args[:i]
			}
			inv := load(t, env, args...)
			got, err := inv.List(func(*inventory.Host) bool { return true }, written(inv))
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(normal(t, want), normal(t, got)); d != "" {
				t.Errorf("- ansible-inventory, + labctl\n%s", d)
			}
		})
	}
}

// record runs the real program.
func record(t *testing.T, name string, args []string) {
	t.Helper()
	argv := []string{"--list"}
	for i := 0; i < len(args); i++ {
		if args[i] == "--playbook-dir" {
			argv = append(argv, args[i:]...)
			break
		}
		argv = append(argv, "-i", args[i])
	}
	cmd := exec.Command("ansible-inventory", argv...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "ANSIBLE_CONFIG="+os.DevNull+".cfg")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Clean(name+".json"), out, 0o644); err != nil {
		t.Fatal(err)
	}
}

// normal makes JSON comparable.
func normal(t *testing.T, v any) any {
	t.Helper()
	b, ok := v.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	var out any
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	for name, g := range out.(map[string]any) { // Ansible keeps these in the order its parser comes upon them twice
		m := g.(map[string]any)
		for _, part := range []string{"children", "hosts"} {
			if list, ok := m[part].([]any); ok && (part == "children" || name == "ungrouped") {
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
			}
		}
	}
	return out
}
