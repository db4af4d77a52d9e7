package modules

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
	"labctl/modules/iptables"
)

func init() {
	Register(Spec[IPTablesRule]{
		Name: "iptables_rule",
		Doc: "Manages one rule in a chain that others use too. The rule is what identifies it: an edited task adds a new rule, " +
			"and ensure = \"absent\" removes every copy. Rules that must keep an order belong into one iptables_chain.",
		Example: `iptables_rule "FORWARD" {
  in_interface  = "vboxnet0"
  out_interface = "eno1"
  source        = "192.168.50.0/24"
  ctstate       = ["NEW"]
  jump          = "ACCEPT"
}
iptables_rule "POSTROUTING" {
  table         = "nat"
  out_interface = "eno1"
  jump          = "MASQUERADE"
}
iptables_rule "DOCKER-USER" {
  position = "first"
  source   = "! 10.0.0.0/8"
  jump     = "DROP"
}`,
		Validate: (*IPTablesRule).validate,
		Complete: (*IPTablesRule).complete,
		Read:     readIPTablesRule,
		Apply:    applyIPTablesRule,
		Prepare:  prepareIPTablesRules,
		Batch:    batchIPTables,
	})
}

// IPTablesRule is one rule.
type IPTablesRule struct {
	Chain string `json:"chain" lab:"key" doc:"Chain, built-in or user-defined; it must exist."`
	IPTablesTable
	Position string `json:"position,omitempty" lab:"option" default:"append" doc:"Where the rule must be: a number counted from 1, first or last. With append and insert it may be anywhere, and is put at the end or the beginning if it is missing."`
	iptables.Rule

	Lines []string `json:"rules" lab:"derived" doc:"The rule as iptables-save prints it; several addresses make several rules."`
	Index *int     `json:"index,omitempty" lab:"derived" doc:"Where it is in the chain, counted from 1; compared when position says where it must be."`

	made  []host.ChainRule // from the arguments, by validate
	texts []string         // canonical, without "-A CHAIN"
}

func (r *IPTablesRule) validate() error {
	if err := r.checkChain(r.Chain); err != nil {
		return err
	}
	switch r.Position {
	case "", "append", "insert", "first", "last":
	default:
		if n, err := strconv.Atoi(r.Position); err != nil || n < 1 {
			return argf("position", "%q is none of append, insert, first, last, nor a number from 1", r.Position)
		}
	}
	var err error
	r.made, err = r.IPTablesTable.texts(&r.Rule, r.Chain, "")
	return err
}

func (r *IPTablesRule) complete() error { return notToItself(&r.Rule, r.Chain, "") }

func readIPTablesRule(ctx context.Context, h host.Host, want *IPTablesRule) (*IPTablesRule, error) {
	t, err := want.open(ctx, h)
	if err != nil {
		return nil, err
	}
	if want.texts, err = canonical(ctx, t, want.made); err != nil {
		return nil, err
	}
	want.Lines = asSaved(want.Chain, want.texts)
	tab, err := t.Table(ctx, want.table())
	if err != nil {
		return nil, err
	}
	c := tab.Chain(want.Chain)
	if c == nil {
		return nil, nil
	}
	return want.find(c.Rules)
}

// find returns the rule as it is among rules, nil if nothing of it is there.
func (r *IPTablesRule) find(rules []string) (*IPTablesRule, error) {
	have := *r
	have.texts = within(r.texts, rules)
	satisfied, index := len(have.texts) == len(r.texts), 0
	if r.exact() {
		after, at, err := r.place(rules)
		if err != nil {
			return nil, err
		}
		satisfied, index, r.Index = slices.Equal(after, rules), at, &at
	}
	if len(have.texts) == 0 {
		return nil, nil
	}
	if !satisfied || index == 0 {
		index = slices.Index(rules, have.texts[0]) + 1
	}
	have.Index = &index
	if !satisfied && r.exact() {
		have.texts = prefixAt(rules[index-1:], have.texts)
	}
	have.Lines = asSaved(r.Chain, have.texts)
	return &have, nil
}

// exact reports whether the place of the rule matters.
func (r *IPTablesRule) exact() bool {
	return r.Position != "" && r.Position != "append" && r.Position != "insert"
}

// place returns the chain as it should be, and the index that the rule then has.
func (r *IPTablesRule) place(rules []string) ([]string, int, error) {
	there := within(r.texts, rules)
	if !r.exact() && len(there) == len(r.texts) {
		return rules, slices.Index(rules, r.texts[0]) + 1, nil
	}
	rest := slices.Clip(rules)
	if len(there) > 0 {
		rest = without(rules, r.texts)
	}
	at := 0
	switch r.Position {
	case "first", "insert":
	case "", "append":
		at = len(rest)
	case "last":
		if n := len(rules) - len(r.texts); holdsAt(rules, n, r.texts) {
			return rules, n + 1, nil
		}
		at = len(rest)
	default:
		n, err := strconv.Atoi(r.Position)
		if err != nil {
			return nil, 0, err
		}
		at = n - 1
	}
	if r.exact() && r.Position != "last" && holdsAt(rules, at, r.texts) {
		return rules, at + 1, nil
	}
	if at > len(rest) {
		return nil, 0, fmt.Errorf("place rule %d in %s %s: it has only %d others", at+1, r.table(), r.Chain, len(rest))
	}
	return slices.Insert(rest, at, r.texts...), at + 1, nil
}

// holdsAt reports whether texts stand in rules from index at on.
func holdsAt(rules []string, at int, texts []string) bool {
	return at >= 0 && at+len(texts) <= len(rules) && slices.Equal(rules[at:at+len(texts)], texts)
}

func prefixAt(rules, texts []string) []string {
	n := 0
	for n < len(texts) && n < len(rules) && rules[n] == texts[n] {
		n++
	}
	return texts[:n]
}

func applyIPTablesRule(ctx context.Context, h host.Host, have, want *IPTablesRule, _ Diff) error {
	r := want
	if r == nil {
		r = have
	}
	t, err := r.open(ctx, h)
	if err != nil {
		return err
	}
	return editTable(ctx, t, r.table(), func(tab *host.Table) error {
		c := tab.Chain(r.Chain)
		if c == nil {
			return &host.Error{Op: "add rule to chain", Object: r.table() + " " + r.Chain, Kind: host.ErrNotExist,
				Err: fmt.Errorf("%w: an iptables_chain task before this one can make it", host.ErrNotExist)}
		}
		if want == nil {
			c.Rules = without(c.Rules, have.texts)
			return nil
		}
		c.Rules, _, err = want.place(c.Rules)
		return err
	})
}

func prepareIPTablesRules(ctx context.Context, h host.Host, wants []*IPTablesRule) error {
	all := chainRules{}
	for _, w := range wants {
		all.add(w.IPTablesTable, w.made)
	}
	return all.prepare(ctx, h)
}

func joinWords(words []string) string { return strings.Join(words, ", ") }
