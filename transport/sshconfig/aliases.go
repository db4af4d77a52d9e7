package sshconfig

import (
	"slices"
	"strings"
)

// Alias is a host that a Host line calls by its name.
type Alias struct {
	Name     string
	HostName string // what the configuration makes of it
	File     string
	Line     int
}

// Aliases lists the hosts that Host lines name one by one, without wildcards, in the order of the files, each once. An Include is
// followed unless what it names depends on the host. Below a Host line it counts for the hosts of that line alone.
func (c *Config) Aliases() ([]Alias, error) {
	var out []Alias
	seen := map[string]bool{}
	for _, f := range c.files {
		if err := c.aliases(f, nil, seen, &out); err != nil {
			return nil, err
		}
	}
	for i := range out {
		s, err := c.Resolve(Query{Host: out[i].Name, Command: agentCommand})
		if err != nil {
			return nil, err
		}
		out[i].HostName = s.HostName
	}
	return out, nil
}

func (c *Config) aliases(f *file, within []*line, seen map[string]bool, out *[]Alias) error {
	for _, b := range f.blocks {
		heads := within
		if b.head != nil && b.head.key == "host" {
			heads = append(within[:len(within):len(within)], b.head)
			b.head.aliases(heads, seen, out)
		}
		for _, l := range b.lines {
			if l.key != "include" || dynamic(l) {
				continue
			}
			files, err := c.included(l, l.args, len(within))
			if err != nil {
				return err
			}
			for _, inner := range files {
				if err := c.aliases(inner, heads, seen, out); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// aliases adds those of one Host line. What it negates it does not name, nor what a line around it does not match.
func (l *line) aliases(heads []*line, seen map[string]bool, out *[]Alias) {
	for _, p := range l.patterns {
		if p.negated || p.text == "" || strings.ContainsAny(p.text, "*?") || seen[p.text] {
			continue
		}
		if slices.ContainsFunc(heads, func(h *line) bool { return !h.matchHost(p.text) }) {
			continue
		}
		seen[p.text] = true
		*out = append(*out, Alias{Name: p.text, File: l.file, Line: l.num})
	}
}

// Of returns the configuration of other files in place of these, with the same command line. A file is read once.
func (c *Config) Of(names ...string) (*Config, error) {
	key := strings.Join(names, "\x00")
	c.shared.others.mu.Lock()
	defer c.shared.others.mu.Unlock()
	other := c.shared.others.known[key]
	if other == nil {
		var err error
		if other, err = Load(slices.Clone(names)...); err != nil {
			return nil, err
		}
		other.env = c.env
		if c.shared.others.known == nil {
			c.shared.others.known = map[string]*Config{}
		}
		c.shared.others.known[key] = other
	}
	with := other.with(c.CommandLine)
	with.Logf, with.Context = c.Logf, c.Context
	return with, nil
}
