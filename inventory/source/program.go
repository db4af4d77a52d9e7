package source

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"go.yaml.in/yaml/v3"

	"labctl/inventory"
	"labctl/inventory/secrets"
)

// Program is a command that prints hosts in JSON: as inventory programs of Ansible do, or a list of them.
type Program struct {
	Args []string
	Dir  string
	Env  []string
}

// Name returns the command.
func (p Program) Name() string { return strings.Join(p.Args, " ") }

// Load runs the command. With --list among its arguments it is asked with --host in its place for each host that it told no
// variables of.
func (p Program) Load(ctx context.Context, env *Env) (*inventory.Found, hcl.Diagnostics) {
	f := &inventory.Found{}
	out, err := env.run(ctx, Command{Args: p.Args, Dir: p.Dir, Env: p.Env})
	if err != nil {
		return f, hcl.Diagnostics{fault(hcl.Range{}, "Command failed", "%s", closed(err))}
	}
	keep(f, p.Name(), out)
	root, err := parseJSON(out)
	if err != nil {
		return f, hcl.Diagnostics{fault(hcl.Range{}, "Wrong inventory", "What %s prints is not JSON: %s.", p.Name(), err)}
	}
	d := newDocument(p.Name(), out, root)
	d.keys = env.Keys
	f.ByGroup = root.Kind != yaml.SequenceNode
	switch at := slices.Index(p.Args, "--list"); {
	case root.Kind == yaml.SequenceNode:
		return f, hostList(d, root, false, f)
	case isStatic(d):
		return f, parseInventoryYAML(d, f)
	case at < 0:
		return f, parseList(d, f, nil)
	default:
		return f, parseList(d, f, func(hosts []string) hcl.Diagnostics {
			return eachHost(env.Keys, hosts, f, func(host string) (string, []byte, error) {
				args := slices.Concat(p.Args[:at], []string{"--host", host}, p.Args[at+1:])
				b, err := env.run(ctx, Command{Args: args, Dir: p.Dir, Env: p.Env})
				return strings.Join(args, " "), b, err
			})
		})
	}
}

// isStatic says that a document has the form of Ansible's inventories in YAML: hosts and children are mappings.
func isStatic(d *document) bool {
	for _, e := range d.entries(d.root) {
		for _, part := range d.entries(e.value) {
			if v := d.target(part.value); (part.key == "hosts" || part.key == "children") && v != nil && v.Kind == yaml.MappingNode && len(v.Content) > 0 {
				return true
			}
		}
	}
	return false
}

// script runs an inventory program of Ansible with --list, and where that does not tell variables, for each host with --host.
func script(ctx context.Context, env *Env, name string, f *inventory.Found) hcl.Diagnostics {
	path, err := filepath.Abs(name)
	if err != nil {
		path = name
	}
	out, err := env.run(ctx, Command{Args: []string{path, "--list"}})
	if err != nil {
		return hcl.Diagnostics{fault(hcl.Range{}, "Inventory program failed", "%s", closed(err))}
	}
	shown := name + " --list"
	keep(f, shown, out)
	root, err := parseJSON(out)
	if err != nil {
		return hcl.Diagnostics{fault(hcl.Range{}, "Wrong inventory", "What %s prints is not JSON: %s.", shown, err)}
	}
	d := newDocument(shown, out, root)
	d.keys = env.Keys
	return parseList(d, f, func(hosts []string) hcl.Diagnostics {
		return eachHost(env.Keys, hosts, f, func(host string) (string, []byte, error) {
			b, err := env.run(ctx, Command{Args: []string{path, "--host", host}})
			return name + " --host " + host, b, err
		})
	})
}

// eachHost asks for the variables of each host, a few at a time. ask returns what messages call the command, too.
func eachHost(keys *secrets.Keys, hosts []string, f *inventory.Found, ask func(host string) (string, []byte, error)) hcl.Diagnostics {
	var wait sync.WaitGroup
	found := make([]inventory.FoundHost, len(hosts))
	diags := make([]*hcl.Diagnostic, len(hosts))
	limit := make(chan struct{}, 8)
	for i, h := range hosts {
		limit <- struct{}{}
		wait.Go(func() {
			defer func() { <-limit }()
			shown, out, err := ask(h)
			if err != nil {
				diags[i] = fault(hcl.Range{}, "Inventory program failed", "%s", closed(err))
				return
			}
			d, err := parseDocument(shown, out)
			if err != nil {
				diags[i] = fault(hcl.Range{}, "Wrong inventory", "What %s prints is not JSON: %s.", shown, err)
				return
			}
			d.keys = keys
			found[i] = inventory.FoundHost{Name: h, Layer: inventory.Layer{Vars: d.vars(d.root), Range: hcl.Range{Filename: shown}}}
		})
	}
	wait.Wait()
	for i := range hosts {
		if diags[i] != nil {
			return hcl.Diagnostics{diags[i]}
		}
	}
	f.Hosts = append(f.Hosts, found...)
	return nil
}
