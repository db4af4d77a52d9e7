package sshconfig

import (
	"cmp"
	"maps"
	"slices"

	"labctl/transport"
)

// Origin is a setting that counts for a host, and where it comes from.
type Origin struct {
	Keyword string // as ssh_config(5) has it, in lower case
	Value   string // as it is written
	File    string // "-o" for the command line
	Line    int
}

// Explain lists what the command line and the files say of a host that t and options, which the inventory has, leave open or that
// goes before them: what Complete would take. The command line comes first.
func (c *Config) Explain(t *transport.Target, alias string, options []string, jump bool) ([]Origin, error) {
	s, err := c.Resolve(layered(Query{Host: alias}, t, options, jump))
	if err != nil {
		return nil, err
	}
	lines := slices.Collect(maps.Values(s.r.set))
	lines = append(append(lines, s.r.identities...), s.r.certificates...)
	slices.SortStableFunc(lines, func(a, b *line) int {
		return cmp.Or(cmp.Compare(rankOf(a), rankOf(b)), cmp.Compare(a.file, b.file), cmp.Compare(a.num, b.num), cmp.Compare(a.key, b.key))
	})
	var out []Origin
	for _, l := range lines {
		if l.num > 0 || l.file == "-o" {
			out = append(out, Origin{Keyword: l.key, Value: l.rest, File: l.file, Line: l.num})
		}
	}
	return slices.Compact(out), nil
}

// rankOf puts the command line before the files of the user, and those before the system's.
func rankOf(l *line) int {
	switch {
	case l.num == 0:
		return 0
	case l.user:
		return 1
	}
	return 2
}
