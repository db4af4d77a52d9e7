package inventory

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Match returns the hosts that a pattern of Ansible's kind names, each once: all, *, names, groups, globs, ~regexp (from the start
// of a name on), a:b and a,b (union), &x (intersection), !x (exclusion), group[0], group[-1], group[0:2] (both ends included),
// @file. Globs and expressions are held against groups, "all" included, and hosts. Unions are made first, then intersections, then
// exclusions. The order is that of the pattern and, within a group, of the group.
//
// A name that is neither a host nor a group is an error, and so is a pattern that matches nothing.
func (inv *Inventory) Match(pattern string) ([]*Host, error) {
	p, err := parsePattern(pattern, 0)
	if err != nil {
		return nil, err
	}
	out, err := inv.evaluate(p)
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("no host matches %q%s", pattern, inv.emptyHint())
	}
	return out, err
}

// MatchKnown is Match as Ansible has it: names that are neither hosts nor groups are passed over, and returned, and to match
// nothing is no error.
func (inv *Inventory) MatchKnown(pattern string) (hosts []*Host, unknown []string, err error) {
	p, err := parsePattern(pattern, 0)
	if err != nil {
		return nil, nil, err
	}
	known := func(terms []string) []string {
		return slices.DeleteFunc(terms, func(t string) bool {
			_, err := inv.term(t)
			var name *unknownName
			if errors.As(err, &name) {
				unknown = append(unknown, name.name)
			}
			return name != nil
		})
	}
	wanted := len(p.any)
	p.any, p.not = known(p.any), known(p.not)
	if n := len(p.and); len(known(p.and)) < n || wanted > 0 && len(p.any) == 0 {
		return nil, unknown, nil
	}
	hosts, err = inv.evaluate(p)
	return hosts, unknown, err
}

// unknownName is a name in a pattern that is neither a host nor a group.
type unknownName struct{ name, hint string }

func (e *unknownName) Error() string {
	return fmt.Sprintf("%q is neither a host nor a group.%s", e.name, e.hint)
}

// evaluate makes the unions, then the intersections, then the exclusions.
func (inv *Inventory) evaluate(p parsed) ([]*Host, error) {
	out, err := inv.union(p.any)
	if err != nil {
		return nil, err
	}
	if len(p.any) == 0 {
		out = inv.Hosts
	}
	for _, t := range p.and {
		set, err := inv.term(t)
		if err != nil {
			return nil, err
		}
		out = keep(out, set, true)
	}
	for _, t := range p.not {
		set, err := inv.term(t)
		if err != nil {
			return nil, err
		}
		out = keep(out, set, false)
	}
	return out, nil
}

func (inv *Inventory) emptyHint() string {
	if len(inv.Hosts) == 0 {
		return ": the inventory declares no hosts"
	}
	return ""
}

// parsed is a pattern by what its terms do.
type parsed struct{ any, and, not []string }

func parsePattern(s string, depth int) (parsed, error) {
	var p parsed
	if depth > 8 {
		return p, errors.New("pattern files name each other more than 8 deep")
	}
	for _, t := range splitTerms(s) {
		switch {
		case t == "":
		case t[0] == '@':
			if err := p.file(t[1:], depth); err != nil {
				return p, err
			}
		case t[0] == '!':
			p.not = append(p.not, t[1:])
		case t[0] == '&':
			p.and = append(p.and, t[1:])
		default:
			p.any = append(p.any, t)
		}
	}
	if p.any == nil && p.and == nil && p.not == nil {
		return p, errors.New("the pattern is empty")
	}
	return p, nil
}

// file reads a pattern on each line of a file, such as the list of failed hosts that a run leaves.
func (p *parsed) file(name string, depth int) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read pattern file: %w", err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		q, err := parsePattern(line, depth+1)
		if err != nil {
			return err
		}
		p.any, p.and, p.not = append(p.any, q.any...), append(p.and, q.and...), append(p.not, q.not...)
	}
	return nil
}

func (inv *Inventory) union(terms []string) ([]*Host, error) {
	var out []*Host
	seen := map[*Host]bool{}
	for _, t := range terms {
		set, err := inv.term(t)
		if err != nil {
			return nil, err
		}
		for _, h := range set {
			if !seen[h] {
				seen[h] = true
				out = append(out, h)
			}
		}
	}
	return out, nil
}

func keep(hosts, set []*Host, in bool) []*Host {
	member := make(map[*Host]bool, len(set))
	for _, h := range set {
		member[h] = true
	}
	var out []*Host
	for _, h := range hosts {
		if member[h] == in {
			out = append(out, h)
		}
	}
	return out
}

// term returns the hosts that one term names, a host perhaps more than once.
func (inv *Inventory) term(t string) ([]*Host, error) {
	if h := inv.hosts[t]; h != nil { // which goes before a group of the same name
		return []*Host{h}, nil
	}
	if t == "" {
		return nil, errors.New("a term of the pattern is empty")
	}
	if base, sub, ok := subscript(t); ok {
		set, err := inv.plainTerm(base)
		return slice(set, sub), err
	}
	return inv.plainTerm(t)
}

// plainTerm returns the hosts of a term without a subscript.
func (inv *Inventory) plainTerm(t string) ([]*Host, error) {
	if t[0] == '~' {
		re, err := regexp.Compile(t[1:])
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w%s", t, err, lookaround(t))
		}
		re = regexp.MustCompile("^(?:" + t[1:] + ")") // as re.match of Python, which Ansible calls
		return inv.filter(re.MatchString), nil
	}
	if strings.ContainsAny(t, "*?[") {
		return inv.filter(func(name string) bool { return glob(t, name) }), nil
	}
	return inv.named(t)
}

// lookaround says how to do without what Python's regular expressions have and Go's have not.
func lookaround(t string) string {
	if strings.Contains(t, "(?!") || strings.Contains(t, "(?=") || strings.Contains(t, "(?<") {
		return ": for all but some write all:!~expression"
	}
	return ""
}

func (inv *Inventory) named(name string) ([]*Host, error) {
	if hosts, ok := inv.members(name); ok {
		return hosts, nil
	}
	if h := inv.Host(name); h != nil {
		return []*Host{h}, nil
	}
	if name == "127.0.0.1" || name == "::1" { // as Ansible has it
		return []*Host{inv.localhost}, nil
	}
	known := inv.hostNames()
	for _, g := range inv.Groups {
		known = append(known, g.Name)
	}
	return nil, &unknownName{name, DidYouMean(name, known)}
}

// members are the hosts of a group; "all" and "ungrouped" are always there.
func (inv *Inventory) members(group string) ([]*Host, bool) {
	switch g := inv.groups[group]; {
	case group == "all":
		return inv.Hosts, true
	case group == "ungrouped":
		var out []*Host
		for _, h := range inv.Hosts {
			if len(h.Groups) == 0 {
				out = append(out, h)
			}
		}
		return out, true
	case g != nil:
		return inv.lookup(g.Hosts), true
	}
	return nil, false
}

func (inv *Inventory) lookup(names []string) []*Host {
	out := make([]*Host, 0, len(names))
	for _, n := range names {
		out = append(out, inv.Host(n))
	}
	return out
}

// filter returns the hosts of the groups whose name is right, and then those whose own name is.
func (inv *Inventory) filter(right func(string) bool) []*Host {
	var out []*Host
	add := func(group string) {
		if right(group) {
			set, _ := inv.members(group)
			out = append(out, set...)
		}
	}
	add("all")
	add("ungrouped")
	for _, g := range inv.Groups {
		if g.Name != "all" && g.Name != "ungrouped" {
			add(g.Name)
		}
	}
	for _, h := range inv.asFound { // which is the order that Ansible goes through them in
		if right(h.Name) {
			out = append(out, h)
		}
	}
	return out
}
