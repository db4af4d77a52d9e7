package modules

import (
	"context"
	"fmt"
	"slices"

	"labctl/modules/host"
	"labctl/modules/iptables"
)

func init() {
	Register(Spec[IPTablesChain]{
		Name: "iptables_chain",
		Doc: "Manages a chain: its policy and its rules in order. The rules of the task stand in this order, once each, among " +
			"those of others, which stay; with exclusive they are all the chain holds. Nothing remembers whose a rule was: one that is " +
			"edited in the task or taken out of it stays in the chain unless exclusive is set. ensure = \"absent\" deletes a user-defined " +
			"chain; of a built-in one it removes the rules of the task (all of them with exclusive) and sets the policy, if the " +
			"task has one, to ACCEPT.",
		Example: `iptables_chain "FORWARD" {
  policy    = "DROP"
  exclusive = true
  rule {
    in_interface = "veth1"
    jump         = "ACCEPT"
  }
  rule {
    ctstate = ["ESTABLISHED", "RELATED"]
    jump    = "ACCEPT"
  }
}
iptables_chain "WEB" {
  rule {
    protocol          = "tcp"
    destination_ports = ["80", "443"]
    jump              = "ACCEPT"
  }
}`,
		Validate: (*IPTablesChain).validate,
		Complete: (*IPTablesChain).complete,
		Read:     readIPTablesChain,
		Apply:    applyIPTablesChain,
		Gone:     goneIPTablesChain,
		Prepare:  prepareIPTablesChains,
		Batch:    batchIPTables,
	})
}

// IPTablesChain is one chain.
type IPTablesChain struct {
	Chain string `json:"chain" lab:"key" doc:"Name; a user-defined chain is made if it is missing."`
	IPTablesTable
	Policy    *string         `json:"policy,omitempty" enum:"ACCEPT,DROP" doc:"What happens to packets at the end of a built-in chain; left alone if unset."`
	Exclusive bool            `json:"exclusive,omitempty" lab:"option" doc:"The chain holds the rules of this task and no others."`
	Rule      []iptables.Rule `json:"rule,omitempty" lab:"option" doc:"The rules, in order; the arguments are those of iptables_rule."`

	Lines []string `json:"rules" lab:"derived" doc:"The rules as iptables-save prints them; those of others are left out unless exclusive."`

	made  []host.ChainRule // from the arguments, by validate
	texts []string         // canonical, without "-A CHAIN"
}

func (c *IPTablesChain) validate() error {
	if err := c.checkChain(c.Chain); err != nil {
		return err
	}
	if c.Policy != nil && !c.builtin(c.Chain) {
		return argf("policy", "only built-in chains have one; end %s with a rule instead", c.Chain)
	}
	for i := range c.Rule {
		rules, err := c.IPTablesTable.texts(&c.Rule[i], c.Chain, fmt.Sprintf("rule[%d].", i))
		if err != nil {
			return err
		}
		c.made = append(c.made, rules...)
	}
	return nil
}

func (c *IPTablesChain) complete() error {
	for i := range c.Rule {
		if err := notToItself(&c.Rule[i], c.Chain, fmt.Sprintf("rule[%d].", i)); err != nil {
			return err
		}
	}
	return nil
}

// managesRules reports whether the task says anything about rules.
func (c *IPTablesChain) managesRules() bool { return c.Exclusive || len(c.Rule) > 0 }

func readIPTablesChain(ctx context.Context, h host.Host, want *IPTablesChain) (*IPTablesChain, error) {
	t, err := want.open(ctx, h)
	if err != nil {
		return nil, err
	}
	if want.texts, err = canonical(ctx, t, want.made); err != nil {
		return nil, err
	}
	if want.managesRules() {
		want.Lines = asSaved(want.Chain, want.texts)
	}
	tab, err := t.Table(ctx, want.table())
	if err != nil {
		return nil, err
	}
	c := tab.Chain(want.Chain)
	if c == nil {
		return nil, nil
	}
	have := *want
	if want.Policy != nil {
		have.Policy = &c.Policy
	}
	have.texts = c.Rules
	if !want.Exclusive {
		have.texts = within(c.Rules, want.texts)
	}
	have.Lines = asSaved(want.Chain, have.texts)
	return &have, nil
}

// goneIPTablesChain: a built-in chain cannot go away, only what was done to it.
func goneIPTablesChain(have, want *IPTablesChain) bool {
	return want.builtin(want.Chain) && len(have.texts) == 0 && (have.Policy == nil || *have.Policy == "ACCEPT")
}

func applyIPTablesChain(ctx context.Context, h host.Host, have, want *IPTablesChain, _ Diff) error {
	c := want
	if c == nil {
		c = have
	}
	t, err := c.open(ctx, h)
	if err != nil {
		return err
	}
	return editTable(ctx, t, c.table(), func(tab *host.Table) error {
		if want == nil {
			have.remove(tab)
		} else {
			want.set(tab)
		}
		return nil
	})
}

func (c *IPTablesChain) remove(tab *host.Table) {
	if !c.builtin(c.Chain) {
		tab.Chains = slices.DeleteFunc(tab.Chains, func(x host.Chain) bool { return x.Name == c.Chain })
		return
	}
	x := tab.Chain(c.Chain)
	x.Rules = without(x.Rules, c.texts)
	if c.Policy != nil {
		x.Policy = "ACCEPT"
	}
}

func (c *IPTablesChain) set(tab *host.Table) {
	if tab.Chain(c.Chain) == nil {
		tab.Chains = append(tab.Chains, host.Chain{Name: c.Chain, Policy: "-"})
	}
	x := tab.Chain(c.Chain)
	if c.Policy != nil {
		x.Policy = *c.Policy
	}
	switch {
	case c.Exclusive:
		x.Rules = slices.Clone(c.texts)
	case len(c.texts) > 0:
		x.Rules = merge(x.Rules, c.texts)
	}
}

// merge puts texts into rules in their order. Those of texts that already stand in order stay where they are, and so does
// everything else; a missing one comes behind the one before it, or before the one behind it, or at the end.
func merge(rules, texts []string) []string {
	if slices.Equal(within(rules, texts), texts) {
		return rules
	}
	kept := host.CommonRules(rules, texts)
	if len(kept) == 0 {
		return append(without(rules, texts), texts...)
	}
	var out []string
	next := 0 // of kept
	for i, r := range rules {
		if next == len(kept) || i != kept[next][0] {
			if !slices.Contains(texts, r) {
				out = append(out, r)
			}
			continue
		}
		j := kept[next][1]
		if next == 0 {
			out = append(out, texts[:j]...)
		}
		end := len(texts)
		if next++; next < len(kept) {
			end = kept[next][1]
		}
		out = append(out, texts[j:end]...)
	}
	return out
}

func prepareIPTablesChains(ctx context.Context, h host.Host, wants []*IPTablesChain) error {
	all := chainRules{}
	for _, w := range wants {
		all.add(w.IPTablesTable, w.made)
	}
	return all.prepare(ctx, h)
}
