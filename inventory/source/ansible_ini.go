package source

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

// The two kinds of lines that name a group, as Ansible's ini plugin has them.
var (
	iniSection   = regexp.MustCompile(`^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$`)
	iniGroupName = regexp.MustCompile(`^([^:\]\s]+)\s*(?:#.*)?$`)
)

// iniReader reads an inventory in Ansible's INI form.
type iniReader struct {
	name    string
	out     *inventory.Found
	diags   hcl.Diagnostics
	groups  map[string]*iniGroup
	order   []*iniGroup
	current *iniGroup
	state   string // "hosts", "vars" or "children"
	rng     hcl.Range
}

// iniGroup is a group while the file is read.
type iniGroup struct {
	inventory.FoundGroup
	declared bool      // by a section other than vars
	used     hcl.Range // first section or line that names it
	as       string    // what it is used as there: "vars" or "children"
	parent   string
	members  map[string]bool
}

// parseINI reads an inventory that was read from the file called name.
func parseINI(name string, b []byte, out *inventory.Found) hcl.Diagnostics {
	r := &iniReader{name: name, out: out, groups: map[string]*iniGroup{}, state: "hosts"}
	r.current = r.group("ungrouped")
	r.current.declared = true
	r.order = append(r.order, r.current)
	for n, offset := 1, 0; len(b) > 0; n++ {
		row, rest, found := bytes.Cut(b, []byte("\n"))
		trimmed := strings.TrimSpace(string(row))
		r.rng = line(name, n, offset, len(bytes.TrimRight(row, "\r")))
		if trimmed != "" && trimmed[0] != '#' && trimmed[0] != ';' {
			r.line(trimmed)
		}
		offset += len(row)
		if found {
			offset++
		}
		b = rest
	}
	r.finish()
	return r.diags
}

func (r *iniReader) fault(format string, args ...any) {
	r.diags = append(r.diags, fault(r.rng, "Wrong inventory", format, args...))
}

func (r *iniReader) group(name string) *iniGroup {
	g := r.groups[name]
	if g == nil {
		g = &iniGroup{used: r.rng, members: map[string]bool{}}
		g.Name, g.Range = name, r.rng
		r.groups[name] = g
	}
	return g
}

func (r *iniReader) line(s string) {
	if !utf8.ValidString(s) {
		r.fault("The line is not UTF-8.")
		return
	}
	if s[0] == '[' {
		if m := iniSection.FindStringSubmatch(s); m != nil {
			r.section(m[1], m[2])
			return
		}
		if s[len(s)-1] == ']' && !strings.Contains(s, ":") {
			r.fault("%s is not a section: the name of a group holds no white space, no : and no ].", s)
			return
		}
	}
	switch r.state {
	case "hosts":
		r.hosts(s)
	case "vars":
		r.variable(s)
	case "children":
		r.child(s)
	}
}

func (r *iniReader) section(name, kind string) {
	switch kind {
	case "":
		kind = "hosts"
	case "hosts", "vars", "children":
	default:
		r.fault("A section [%s:%s] is not known: there are [%s], [%s:children] and [%s:vars].", name, kind, name, name, name)
		kind = "skipped"
	}
	g := r.group(name)
	if !slices.Contains(r.order, g) {
		r.order = append(r.order, g)
	}
	if kind != "vars" {
		if !g.declared {
			g.Range = r.rng
		}
		g.declared = true
	} else if g.as == "" && !g.declared {
		g.as = "vars"
	}
	r.current, r.state = g, kind
}

// variable reads "name = value" of a vars section. A value is what stands there, quotes and all.
func (r *iniReader) variable(s string) {
	k, v, ok := strings.Cut(s, "=")
	if !ok {
		r.fault("%q is not name = value, which is what a section of variables holds.", s)
		return
	}
	r.current.set(strings.TrimSpace(k), literal(strings.TrimSpace(v)), r.rng)
}

func (g *iniGroup) set(name string, v cty.Value, rng hcl.Range) {
	if name == "ansible_group_priority" {
		v, _ = v.Unmark()
		if n, err := strconv.Atoi(keyText(v)); err == nil {
			g.Priority = n
			return
		}
	}
	if g.Vars == nil {
		g.Vars = map[string]inventory.Var{}
	}
	g.Vars[name] = inventory.Var{Value: v, Range: rng}
}

func (r *iniReader) child(s string) {
	m := iniGroupName.FindStringSubmatch(s)
	if m == nil {
		r.fault("%q is not the name of a group.", s)
		return
	}
	child := r.group(m[1])
	if child.as == "" && !child.declared {
		child.as, child.parent = "children", r.current.Name
	}
	if child == r.current {
		r.fault("The group %q cannot be in itself.", m[1])
		return
	}
	r.current.Children = append(r.current.Children, m[1])
}

// hosts reads a name or a range of names, and variables.
func (r *iniReader) hosts(s string) {
	words, err := shellWords(s)
	if err != nil {
		r.fault("%s.", err)
		return
	}
	if len(words) == 0 {
		return
	}
	if words[0] == "---" {
		r.fault("--- begins a file in YAML, but this one is not. Such a file is called *.yml.")
		return
	}
	hosts, port, err := expandHost(words[0])
	if err != nil {
		r.fault("%q: %s.", words[0], err)
		return
	}
	vars := make(map[string]inventory.Var, len(words))
	if port != 0 {
		vars["ansible_port"] = inventory.Var{Value: cty.NumberIntVal(int64(port)), Range: r.rng}
	}
	for _, w := range words[1:] {
		k, v, ok := strings.Cut(w, "=")
		if !ok {
			r.fault("%q is not name=value, which is what follows the name of a host. A value with spaces stands in quotes.", w)
			return
		}
		vars[k] = inventory.Var{Value: literal(v), Range: r.rng}
	}
	for _, h := range hosts {
		r.out.Hosts = append(r.out.Hosts, inventory.FoundHost{Name: h, Layer: inventory.Layer{Vars: vars, Range: r.rng}})
		if g := r.current; g.Name != "ungrouped" && g.Name != "all" && !g.members[h] {
			g.members[h] = true
			g.Hosts = append(g.Hosts, h)
		}
	}
}

// finish reports the groups that are used and not declared, and hands all over.
func (r *iniReader) finish() {
	for name, g := range r.groups {
		if !slices.Contains(r.order, g) {
			r.rng = g.used
			r.fault("The group %q includes %q, which the file does not declare. Add a line [%s].", g.parent, name, name)
		}
	}
	for _, g := range r.order {
		switch {
		case g.declared || g.Name == "all":
		case g.as == "vars":
			r.rng = g.used
			r.fault("The section gives variables to a group %q that the file does not declare. Add a line [%s].", g.Name, g.Name)
		default:
			r.rng = g.used
			r.fault("The group %q includes %q, which the file does not declare. Add a line [%s].", g.parent, g.Name, g.Name)
		}
		if g.Name == "ungrouped" && len(g.Vars) == 0 {
			continue
		}
		r.out.Groups = append(r.out.Groups, g.FoundGroup)
	}
}

// shellWords splits a line as Python's shlex does with comments: a # ends the line, even within a word.
func shellWords(s string) ([]string, error) {
	var out []string
	var w strings.Builder
	in := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '#':
			i = len(s)
		case ' ', '\t', '\r', '\n':
			if in {
				out = append(out, w.String())
				w.Reset()
			}
			in = false
		case '\\':
			if i++; i == len(s) {
				return nil, errors.New("a backslash at the end escapes nothing")
			}
			w.WriteByte(s[i])
			in = true
		case '\'', '"':
			n, err := quoted(s[i:], &w)
			if err != nil {
				return nil, err
			}
			i += n
			in = true
		default:
			w.WriteByte(c)
			in = true
		}
	}
	if in {
		out = append(out, w.String())
	}
	return out, nil
}

// quoted reads a string in quotes, and returns the index of the closing one.
func quoted(s string, w *strings.Builder) (int, error) {
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == s[0]:
			return i, nil
		case c == '\\' && s[0] == '"' && i+1 < len(s):
			if i++; s[i] != '"' && s[i] != '\\' {
				w.WriteByte('\\')
			}
			w.WriteByte(s[i])
		default:
			w.WriteByte(c)
		}
	}
	return 0, fmt.Errorf("a closing %c is missing", s[0])
}

var hostPort = regexp.MustCompile(`^((?:[^:\[\]]|\[[^\]]*\])*):([0-9]+)$`)
var bracketedHostPort = regexp.MustCompile(`^\[(.+)\]:([0-9]+)$`)

// expandHost reads the name of a host, or a range of them, with a port behind it, as Ansible's parse_address does.
func expandHost(s string) (hosts []string, port int, err error) {
	name := s
	for _, re := range []*regexp.Regexp{bracketedHostPort, hostPort} {
		if m := re.FindStringSubmatch(s); m != nil {
			name = m[1]
			if port, err = strconv.Atoi(m[2]); err != nil || port < 1 || port > 65535 {
				return nil, 0, errors.New("a port is a number from 1 to 65535")
			}
			break
		}
	}
	if port == 0 && strings.HasSuffix(s, ":") {
		return nil, 0, errors.New("a port is missing behind the colon")
	}
	if strings.HasPrefix(s, "[") && strings.Count(name, ":") > 1 && port != 0 { // an IPv6 address in its brackets
		return []string{name}, port, nil
	}
	hosts, err = inventory.ExpandRange(name)
	return hosts, port, err
}
