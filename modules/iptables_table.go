package modules

import (
	"context"
	"errors"
	"slices"

	"labctl/modules/host"
	"labctl/modules/iptables"
)

// IPTablesTable is embedded by the iptables modules: which table of which family, and by which back end.
type IPTablesTable struct {
	InNetNS
	Table   string `json:"table,omitempty" lab:"option" enum:"filter,nat,mangle,raw,security" default:"filter" doc:"Table."`
	Family  string `json:"family,omitempty" lab:"option" enum:"ipv4,ipv6" default:"ipv4" doc:"Address family: iptables or ip6tables."`
	Backend string `json:"backend,omitempty" lab:"option" enum:"nf_tables,legacy" doc:"Back end of iptables. If unset the one that holds rules already, else what iptables stands for on the host; to be given when both hold rules."`
}

func (p *IPTablesTable) table() string {
	if p.Table == "" {
		return "filter"
	}
	return p.Table
}

func (p *IPTablesTable) family() host.Family {
	if p.Family == "ipv6" {
		return host.IPv6
	}
	return host.IPv4
}

func (p *IPTablesTable) open(ctx context.Context, h host.Host) (host.IPTables, error) {
	n, err := p.net(ctx, h)
	if err != nil {
		return nil, err
	}
	return n.Netfilter().IPTables(ctx, p.family(), p.Backend)
}

// builtin reports whether the chain is one that the table always has.
func (p *IPTablesTable) builtin(chain string) bool {
	return slices.Contains(host.BuiltinChains(p.table()), chain)
}

// checkChain refuses names that no chain of the table can have.
func (p *IPTablesTable) checkChain(chain string) error {
	if p.builtin(chain) {
		return nil
	}
	if slices.Contains(hookChains, chain) {
		return argf("table", "%s has no chain %s, only %s", p.table(), chain, joinWords(host.BuiltinChains(p.table())))
	}
	if host.Extension(chain) {
		return argf("chain", "%q is the name of a target", chain)
	}
	if err := iptables.ChainName(chain); err != nil {
		return argf("chain", "%v", err)
	}
	return nil
}

var hookChains = []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}

// texts returns what a rule at this table stands for; faults carry the path of the argument.
func (p *IPTablesTable) texts(r *iptables.Rule, chain, path string) ([]host.ChainRule, error) {
	lines, err := r.Lines(iptables.Place{Family: p.family(), Table: p.table(), Chain: chain})
	var f *iptables.Fault
	if errors.As(err, &f) {
		return nil, argf(path+f.Argument, "%s", f.Msg)
	}
	if err != nil {
		return nil, err
	}
	out := make([]host.ChainRule, len(lines))
	for i, l := range lines {
		out[i] = host.ChainRule{Table: p.table(), Chain: chain, Rule: l}
	}
	return out, nil
}

// notToItself refuses a rule by which a chain jumps to itself; such a one may be there, and can be removed.
func notToItself(r *iptables.Rule, chain, path string) error {
	switch chain {
	case r.Jump:
		return argf(path+"jump", "chain %s would jump to itself, again and again", chain)
	case r.Goto:
		return argf(path+"goto", "chain %s would go to itself, again and again", chain)
	}
	return nil
}

// canonical flattens what the host makes of rules.
func canonical(ctx context.Context, t host.IPTables, rules []host.ChainRule) ([]string, error) {
	forms, err := t.Canonical(ctx, rules)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(forms))
	for _, f := range forms {
		out = append(out, f...)
	}
	return out, nil
}

// editTable changes a table, again if somebody else was faster.
func editTable(ctx context.Context, t host.IPTables, table string, change func(*host.Table) error) error {
	for try := 0; ; try++ {
		have, err := t.Table(ctx, table)
		if err != nil {
			return err
		}
		want := have.Clone()
		if err := change(&want); err != nil {
			return err
		}
		if err = t.Commit(ctx, have, want); !errors.Is(err, host.ErrChanged) || try == 3 {
			return err
		}
	}
}

// chainRules are the rules of many tasks, by what answers for them: one look serves all tables.
type chainRules map[IPTablesTable][]host.ChainRule

func (of chainRules) add(p IPTablesTable, rules []host.ChainRule) {
	p.Table = ""
	of[p] = append(of[p], rules...)
}

// prepare has all rules canonicalised at once. A rule that is refused is left out: its own call reports it. So is a
// namespace that does not exist yet.
func (of chainRules) prepare(ctx context.Context, h host.Host) error {
	for p, rules := range of {
		t, err := p.open(ctx, h)
		if err != nil {
			continue
		}
		for range 4 {
			var re *host.RuleError
			if _, err = t.Canonical(ctx, rules); !errors.As(err, &re) {
				break
			}
			rules = slices.Delete(slices.Clone(rules), re.Index, re.Index+1)
		}
	}
	return ctx.Err()
}

// within returns those of rules that are among others.
func within(rules, others []string) []string {
	var out []string
	for _, r := range rules {
		if slices.Contains(others, r) {
			out = append(out, r)
		}
	}
	return out
}

// without returns rules with every copy of those in drop left out.
func without(rules, drop []string) []string {
	out := make([]string, 0, len(rules))
	for _, r := range rules {
		if !slices.Contains(drop, r) {
			out = append(out, r)
		}
	}
	return out
}

// asSaved writes rules as iptables-save prints them.
func asSaved(chain string, rules []string) []string {
	out := make([]string, len(rules))
	for i, r := range rules {
		out[i] = "-A " + chain
		if r != "" {
			out[i] += " " + r
		}
	}
	return out
}
