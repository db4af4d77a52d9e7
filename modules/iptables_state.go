package modules

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[IPTablesState]{
		Name: "iptables_state",
		Doc:  "Checks what a chain of iptables holds, and changes nothing.",
		Example: `iptables_state "FORWARD" {
  netns  = "router"
  policy = "DROP"
  rules = [
    "-i veth1 -j ACCEPT",
    "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
  ]
}
iptables_state "POSTROUTING" {
  table = "nat"
  among = true
  rules = ["-o eno1 -j MASQUERADE"]
}
`,
		Validate: (*IPTablesState).validate, Probe: probeIPTablesState,
	})
}

// IPTablesState is what a chain is expected to hold.
type IPTablesState struct {
	Chain string `json:"chain" lab:"key" doc:"Name of the chain."`
	IPTablesTable
	Expect string   `json:"expect,omitempty" lab:"option" enum:"present,absent" default:"present" doc:"present: there is the chain, with all that the other arguments say. absent: there is none of this name, or with among none of the rules is in it."`
	Policy string   `json:"policy,omitempty" enum:"ACCEPT,DROP" doc:"Policy of a built-in chain; any if unset."`
	Rules  []string `json:"rules,omitempty" doc:"Rules in order, and no others, as iptables takes or prints them, with or without \"-A CHAIN\" before them: spelling does not matter. [] for none, any if unset."`
	Among  bool     `json:"among,omitempty" lab:"option" doc:"Others may stand before, between and behind the rules."`
	Deadline
	Seen []string `json:"seen,omitempty" lab:"computed" doc:"The rules of the chain as iptables prints them."`
}

func (s *IPTablesState) validate() error {
	_, err := duration("deadline", s.Deadline.Deadline, 0)
	switch {
	case err != nil:
		return err
	case s.Expect == "absent" && (s.Policy != "" || !s.Among && s.Rules != nil):
		return argf("expect", "a chain that is absent has neither policy nor rules; for rules that are absent set among")
	case s.Among && len(s.Rules) == 0:
		return argf("among", "needs rules")
	}
	for i, r := range s.Rules {
		if s.Rules[i] = strings.TrimSpace(strings.TrimPrefix(r, "-A "+s.Chain+" ")); strings.ContainsAny(r, "\n\x00") {
			return argf(fmt.Sprintf("rules[%d]", i), "%q is not one rule", r)
		}
	}
	return s.checkChain(s.Chain)
}

func probeIPTablesState(ctx context.Context, h host.Host, want *IPTablesState) (*IPTablesState, error) {
	out := *want
	broken := true
	err := want.until(ctx, func() error {
		t, err := want.open(ctx, h)
		if err != nil {
			return err
		}
		var rules []string
		if len(want.Rules) > 0 {
			made := make([]host.ChainRule, len(want.Rules))
			for i, r := range want.Rules {
				made[i] = host.ChainRule{Table: want.table(), Chain: want.Chain, Rule: r}
			}
			if rules, err = canonical(ctx, t, made); err != nil {
				return err
			}
		}
		tab, err := t.Table(ctx, want.table())
		if err != nil {
			return err
		}
		broken = false
		c := tab.Chain(want.Chain)
		if out.Seen = nil; c != nil {
			out.Seen = asSaved(want.Chain, c.Rules)
		}
		if why := want.judge(c, rules); why != "" {
			what := fmt.Sprintf("chain %s of table %s", want.Chain, want.table())
			if want.NetNS != "" {
				what += " in netns " + want.NetNS
			}
			return fmt.Errorf("%s: %s", what, why)
		}
		return nil
	}, func(error) bool { return broken })
	return &out, err
}

// judge says what is wrong with a chain, nil when there is none; rules are those that are expected.
func (s *IPTablesState) judge(c *host.Chain, rules []string) string {
	switch {
	case s.Expect == "absent" && s.Among && c != nil && within(c.Rules, rules) != nil:
		return "expected no such rule, but there is " + within(c.Rules, rules)[0]
	case s.Expect == "absent" && !s.Among && c != nil:
		return "expected none, but there is one"
	case s.Expect == "absent":
		return ""
	case c == nil:
		return "there is none"
	case s.Policy != "" && c.Policy != s.Policy:
		return fmt.Sprintf("expected policy %s, but it is %s", s.Policy, c.Policy)
	case s.Among:
		return inOrder(c.Rules, rules)
	case s.Rules != nil:
		return exactly(c.Rules, rules)
	}
	return ""
}

// inOrder says which of want does not stand in have behind those before it.
func inOrder(have, want []string) string {
	rest := have
	for i, r := range want {
		at := slices.Index(rest, r)
		switch {
		case at < 0 && slices.Contains(have, r):
			return fmt.Sprintf("%s does not stand behind %s", r, want[i-1])
		case at < 0:
			return "there is no rule " + r
		}
		rest = rest[at+1:]
	}
	return ""
}

// exactly says where have is not want.
func exactly(have, want []string) string {
	for i := range max(len(have), len(want)) {
		switch {
		case i >= len(want):
			return fmt.Sprintf("expected %d rules, but there is one more: %s", i, have[i])
		case i >= len(have):
			return fmt.Sprintf("rule %d is missing: %s", i+1, want[i])
		case have[i] != want[i]:
			return fmt.Sprintf("rule %d is %s, not %s", i+1, have[i], want[i])
		}
	}
	return ""
}
