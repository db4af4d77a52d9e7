package source

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"go.yaml.in/yaml/v3"

	"labctl/inventory"
	"labctl/inventory/secrets"
)

// Ansible is an inventory of Ansible: a file in INI, YAML or JSON, a program that prints one, or a directory of all that.
type Ansible struct{ Path string }

// Name returns the path.
func (a Ansible) Name() string { return a.Path }

// Load reads the inventory.
func (a Ansible) Load(ctx context.Context, env *Env) (*inventory.Found, hcl.Diagnostics) {
	f := &inventory.Found{ByGroup: true}
	info, err := os.Stat(a.Path)
	if err == nil && info.IsDir() {
		return f, a.dir(ctx, env, a.Path, f, 0)
	}
	return f, ansibleFile(ctx, env, a.Path, f)
}

// beside is where host_vars and group_vars lie.
func (a Ansible) beside() string {
	if info, err := os.Stat(a.Path); err == nil && info.IsDir() {
		return a.Path
	}
	return filepath.Dir(a.Path)
}

// notInventories are the files of a directory that Ansible does not take for inventories (ansible.inventory.manager.IGNORED,
// constants.REJECT_EXTS).
var notInventories = regexp.MustCompile(`^\.|^host_vars$|^group_vars$|^vars_plugins$|~$|\.(pyc|pyo|swp|bak|rpm|md|txt|rst|orig|ini|cfg|retry)$`)

func (a Ansible) dir(ctx context.Context, env *Env, path string, f *inventory.Found, depth int) hcl.Diagnostics {
	if depth > 20 {
		return hcl.Diagnostics{fault(hcl.Range{}, "Wrong inventory", "%s: directories are nested more than 20 deep.", path)}
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return hcl.Diagnostics{fault(hcl.Range{}, "Cannot read directory", "%s.", err)}
	}
	var diags hcl.Diagnostics
	n := 0
	for _, e := range entries {
		if notInventories.MatchString(e.Name()) {
			continue
		}
		n++
		name := filepath.Join(path, e.Name())
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			diags = append(diags, a.dir(ctx, env, name, f, depth+1)...)
			continue
		}
		diags = append(diags, ansibleFile(ctx, env, name, f)...)
	}
	if n == 0 && depth == 0 {
		diags = append(diags, fault(hcl.Range{}, "Nothing to load", "The directory %s holds no inventory of Ansible. (Files that end in .ini, .cfg or .txt are passed over in a directory, as Ansible does.)", path))
	}
	return diags
}

// ansibleFile reads one file.
func ansibleFile(ctx context.Context, env *Env, name string, f *inventory.Found) hcl.Diagnostics {
	if executable(name) {
		return script(ctx, env, name, f)
	}
	b, sealed, diags := reveal(env.Keys, name, f)
	if diags.HasErrors() {
		return diags
	}
	if sealed {
		return hcl.Diagnostics{fault(hcl.Range{}, "Encrypted file", "%s is an inventory and encrypted as a whole. Names and addresses of hosts are shown all the time, so they are not kept secret: encrypt single values or files of group_vars and host_vars.", name)}
	}
	switch form := ansibleForm(name, b); form {
	case "toml":
		return hcl.Diagnostics{fault(hcl.Range{}, "Wrong inventory", "%s: labctl does not read TOML. Convert it: ansible-inventory -i %s --list --yaml > hosts.yml", name, name)}
	case "yaml":
		return ansibleYAML(env.Keys, name, b, f)
	default:
		return parseINI(name, b, f)
	}
}

func ansibleYAML(keys *secrets.Keys, name string, b []byte, f *inventory.Found) hcl.Diagnostics {
	d, err := parseDocument(name, b)
	if err != nil {
		return hcl.Diagnostics{fault(hcl.Range{}, "Wrong inventory", "%s: %s.", name, err)}
	}
	d.keys = keys
	if isList(d) {
		return parseList(d, f, nil)
	}
	return parseInventoryYAML(d, f)
}

// ansibleForm tells what a file is. Without an extension, it is YAML if it can be read as a mapping, else INI, as Ansible tries them.
func ansibleForm(name string, b []byte) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".yml", ".yaml", ".json":
		return "yaml"
	case ".toml":
		return "toml"
	case "":
		if first := firstLine(b); strings.HasPrefix(first, "---") || strings.HasPrefix(first, "{") || strings.Contains(first, ":") && first[0] != '[' {
			if d, err := parseDocument(name, b); strings.HasPrefix(first, "---") || err == nil && d.root.Kind == yaml.MappingNode {
				return "yaml"
			}
		}
	}
	return "ini"
}

// firstLine is the first line that is neither empty nor a comment.
func firstLine(b []byte) string {
	for len(b) > 0 {
		row, rest, _ := bytes.Cut(b, []byte("\n"))
		if s := strings.TrimSpace(string(row)); s != "" && s[0] != '#' && s[0] != ';' {
			return s
		}
		b = rest
	}
	return ""
}

// executable says that a file is a program, by its mode or by its first two characters, as Ansible's script plugin does.
func executable(name string) bool {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if info.Mode()&0o111 != 0 {
		return true
	}
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // only read
	start := make([]byte, 2)
	n, _ := f.Read(start)
	return slices.Equal(start[:n], []byte("#!"))
}
