package source

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"go.yaml.in/yaml/v3"

	"labctl/inventory"
	"labctl/inventory/secrets"
)

// varsDir is a directory with host_vars and group_vars.
type varsDir struct {
	path  string
	place inventory.Place
	order int
}

// load reads the files that are named after the hosts and groups.
func (d varsDir) load(keys *secrets.Keys, hosts, groups []string) (*inventory.Found, hcl.Diagnostics) {
	f := &inventory.Found{}
	var diags hcl.Diagnostics
	each := func(sub string, names []string, add func(name string, l inventory.Layer)) {
		dir := filepath.Join(d.path, sub)
		there := list(dir)
		if len(there) == 0 {
			return
		}
		for _, name := range names {
			for _, file := range varsFiles(dir, name, there) {
				l := inventory.Layer{Place: d.place, Order: d.order, Range: hcl.Range{Filename: file}}
				var more hcl.Diagnostics
				l.Vars, more = readVars(keys, file, f)
				diags = append(diags, more...)
				add(name, l)
			}
		}
	}
	each("group_vars", groups, func(name string, l inventory.Layer) {
		f.Groups = append(f.Groups, inventory.FoundGroup{Name: name, Layer: l})
	})
	each("host_vars", hosts, func(name string, l inventory.Layer) {
		f.Hosts = append(f.Hosts, inventory.FoundHost{Name: name, Layer: l})
	})
	return f, diags
}

// list is what a directory holds: true for directories.
func list(dir string) map[string]bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	out := make(map[string]bool, len(entries))
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(dir, e.Name())) // what a link leads to
		if err == nil {
			out[e.Name()] = info.IsDir()
		}
	}
	return out
}

// varsExtensions are those of files with variables, in the order they are looked for.
var varsExtensions = []string{"", ".yml", ".yaml", ".json"}

// varsFiles are the files for one host or group: the first of its name with one of the extensions, or all in a directory of it.
func varsFiles(dir, name string, there map[string]bool) []string {
	if strings.HasPrefix(name, "/") {
		return nil
	}
	for _, ext := range varsExtensions {
		switch isDir, ok := there[name+ext]; {
		case ok && isDir:
			return varsTree(filepath.Join(dir, name+ext), 0)
		case ok:
			return []string{filepath.Join(dir, name+ext)}
		}
	}
	return nil
}

func varsTree(dir string, depth int) []string {
	if depth > 20 {
		return nil
	}
	there := list(dir)
	var names, out []string
	for name := range there {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		ext := filepath.Ext(name)
		switch {
		case strings.HasPrefix(name, "."), strings.HasSuffix(name, "~"):
		case there[name] && ext == "":
			out = append(out, varsTree(filepath.Join(dir, name), depth+1)...)
		case !there[name] && slices.Contains(varsExtensions, ext):
			out = append(out, filepath.Join(dir, name))
		}
	}
	return out
}

// readVars reads a file of variables.
func readVars(keys *secrets.Keys, name string, into *inventory.Found) (map[string]inventory.Var, hcl.Diagnostics) {
	b, sealed, diags := reveal(keys, name, into)
	if diags.HasErrors() {
		return nil, diags
	}
	return ParseVars(keys, name, b, sealed)
}

// ParseVars reads variables from the text of a YAML or JSON file. Those of a sealed one, which was encrypted, are sensitive.
func ParseVars(keys *secrets.Keys, name string, b []byte, sealed bool) (map[string]inventory.Var, hcl.Diagnostics) {
	d, err := parseDocument(name, b)
	if err != nil {
		if sealed { // the parser may quote
			err = errors.New("what was encrypted in it is neither YAML nor JSON")
		}
		return nil, hcl.Diagnostics{fault(hcl.Range{}, "Wrong variables", "%s: %s.", name, err)}
	}
	switch root := d.target(d.root); {
	case isNull(root):
		return nil, nil
	case root.Kind != yaml.MappingNode:
		return nil, hcl.Diagnostics{fault(d.rangeOf(root), "Wrong variables", "A file of variables is a mapping: name: value.")}
	}
	d.keys = keys
	vars := d.vars(d.root)
	for k, v := range vars {
		if sealed {
			v.Value = v.Value.Mark(inventory.Sensitive)
			vars[k] = v
		}
	}
	return vars, nil
}
