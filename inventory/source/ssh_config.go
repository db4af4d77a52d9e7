package source

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"labctl/inventory"
)

// SSHConfig is a file of ssh_config(5). The hosts that it names one by one are hosts; what it says of them, transport's resolver
// finds out when they are connected to.
type SSHConfig struct{ Path string }

// Name returns the path.
func (s SSHConfig) Name() string { return s.Path }

// Load lists the hosts.
func (s SSHConfig) Load(_ context.Context, env *Env) (*inventory.Found, hcl.Diagnostics) {
	f := &inventory.Found{}
	b, diags := read(s.Path, f)
	if diags.HasErrors() {
		return f, diags
	}
	if env.SSHHosts == nil {
		return f, hcl.Diagnostics{fault(hcl.Range{}, "Cannot read ssh_config", "%s: ssh_config is not read here.", s.Path)}
	}
	file, err := filepath.Abs(s.Path)
	if err != nil {
		file = s.Path
	}
	hosts, err := env.SSHHosts(file)
	if err != nil {
		return f, hcl.Diagnostics{fault(hcl.Range{}, "Wrong ssh_config", "%s.", err)}
	}
	starts := lineStarts(b)
	for _, h := range hosts {
		rng := hcl.Range{Filename: h.File, Start: hcl.Pos{Line: h.Line, Column: 1}, End: hcl.Pos{Line: h.Line, Column: 1}}
		if h.File == file && h.Line >= 1 && h.Line <= len(starts) {
			text, _, _ := bytes.Cut(b[starts[h.Line-1]:], []byte("\n"))
			rng = line(s.Path, h.Line, starts[h.Line-1], len(text))
		}
		f.Hosts = append(f.Hosts, inventory.FoundHost{
			Name: h.Name, Address: h.Address, SSH: inventory.SSH{ConfigFile: file, ConfigHost: h.Name}, Layer: inventory.Layer{Range: rng},
		})
	}
	return f, nil
}

// lineStarts are the offsets at which lines begin.
func lineStarts(b []byte) []int {
	out := []int{0}
	for i, c := range b {
		if c == '\n' {
			out = append(out, i+1)
		}
	}
	return out
}

// isSSHConfig says that a text is an ssh_config: a Host line, or Match or Include, comes before anything that Ansible's INI has and
// ssh_config has not.
func isSSHConfig(b []byte) bool {
	for row := range bytes.Lines(b) {
		words := strings.Fields(string(row))
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		key, value, equals := strings.Cut(words[0], "=")
		if !equals && len(words) > 1 {
			value = words[1]
		}
		switch strings.ToLower(key) {
		case "host", "match", "include":
			return value != "" && (equals || !strings.Contains(value, "=") || value == "=")
		}
		if strings.ContainsAny(words[0], "[];:") || equals || len(words) == 1 || strings.Contains(words[1], "=") {
			return false
		}
	}
	return false
}
