package playbooks

import (
	"github.com/hashicorp/hcl/v2"

	"labctl/inventory"
)

// Match returns the hosts that a pattern of a play, or a limit, names.
func (s *Site) Match(pattern string) ([]*inventory.Host, error) {
	return s.match(pattern, s.adds)
}

// match is Match where names that nobody has yet are passed over, if later says that they may be added.
func (s *Site) match(pattern string, later bool) ([]*inventory.Host, error) {
	if !s.lenient && !later {
		return s.Inventory.Match(pattern)
	}
	hosts, _, err := s.Inventory.MatchKnown(pattern)
	return hosts, err
}

// Lenient reports whether a play may be for no host.
func (s *Site) Lenient() bool { return s.lenient }

// ignored warns of the names in the patterns of a play and of the limit that nothing has.
func (s *Site) ignored(p *Play, limit string) hcl.Diagnostics {
	if !s.lenient {
		return nil
	}
	var diags hcl.Diagnostics
	warn := func(pattern string, rng hcl.Range) {
		_, unknown, _ := s.Inventory.MatchKnown(pattern)
		for _, name := range unknown {
			d := fault(rng, "Unknown host", "Neither a host nor a group is called %q. It is passed over.", name)
			d.Severity = hcl.DiagWarning
			diags = append(diags, d)
		}
	}
	if !p.later {
		warn(p.pattern, p.hostsRange)
	}
	if limit != "" && p == s.plays[0] {
		warn(limit, nowhere)
	}
	return diags
}
