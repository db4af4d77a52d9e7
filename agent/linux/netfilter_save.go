package linux

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"labctl/modules/host"
)

// dump is the output of iptables-save: every table that exists.
type dump struct {
	changes      uint64
	read         time.Time
	tables       []host.Table
	incompatible map[string]bool                // tables with native nftables rules, which iptables-nft cannot show
	standing     func() map[host.ChainRule]bool // every rule; made when first asked for
}

// table returns one table, complete with its built-in chains.
func (d *dump) table(name string) (host.Table, error) {
	if d.incompatible[name] {
		return host.Table{}, &host.Error{Op: "read table", Object: name, Kind: host.ErrUnsupported,
			Err: fmt.Errorf("it holds native nftables rules that iptables cannot show; use nft to move them to a table of their own")}
	}
	for _, t := range d.tables {
		if t.Name == name {
			return t.Complete(), nil
		}
	}
	return host.Table{Name: name}.Complete(), nil
}

// stands reports whether a chain holds exactly this text: it is then canonical, for what is saved and restored is saved
// the same again.
func (d *dump) stands(r host.ChainRule) bool { return d.standing()[r] }

func (d *dump) everyRule() map[host.ChainRule]bool {
	out := map[host.ChainRule]bool{}
	for _, t := range d.tables {
		for _, c := range t.Chains {
			for _, text := range c.Rules {
				out[host.ChainRule{Table: t.Name, Chain: c.Name, Rule: text}] = true
			}
		}
	}
	return out
}

// holds reports whether anything is set up at all: a rule, a user-defined chain or a policy other than ACCEPT.
func (d *dump) holds() bool {
	for _, t := range d.tables {
		for _, c := range t.Chains {
			if c.Policy != "ACCEPT" || len(c.Rules) > 0 {
				return true
			}
		}
	}
	return len(d.incompatible) > 0
}

// parseSave reads what iptables-save prints without -c.
func parseSave(out string) (*dump, error) {
	d := &dump{incompatible: map[string]bool{}}
	d.standing = sync.OnceValue(d.everyRule)
	var t *host.Table
	chains := map[string]*host.Chain{}
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "", line == "COMMIT":
		case line[0] == '#':
			if name := incompatibleTable(line); host.BuiltinChains(name) != nil {
				d.incompatible[name] = true
			}
		case line[0] == '*':
			d.tables = append(d.tables, host.Table{Name: line[1:]})
			t = &d.tables[len(d.tables)-1]
			clear(chains)
		case line[0] == ':' && t != nil:
			name, rest, _ := strings.Cut(line[1:], " ")
			policy, _, _ := strings.Cut(rest, " ")
			t.Chains = append(t.Chains, host.Chain{Name: name, Policy: policy})
			clear(chains) // the slice may have moved
		case strings.HasPrefix(line, "-A ") && t != nil:
			name, rule, _ := strings.Cut(line[3:], " ")
			c := chains[name]
			if c == nil {
				if c = t.Chain(name); c == nil {
					return nil, fmt.Errorf("rule of undeclared chain: %q", line)
				}
				chains[name] = c
			}
			c.Rules = append(c.Rules, rule)
		default:
			return nil, fmt.Errorf("unexpected line %q", line)
		}
	}
	return d, nil
}

// incompatibleTable picks the name out of "# Table `filter' is incompatible, use 'nft' tool.", "" from other comments.
func incompatibleTable(comment string) string {
	rest, ok := strings.CutPrefix(comment, "# Table `")
	if !ok || !strings.Contains(rest, "incompatible") {
		return ""
	}
	name, _, _ := strings.Cut(rest, "'")
	return name
}
