package modulestest

import (
	"context"
	"fmt"
	"strings"

	"labctl/modules"
	"labctl/modules/host"
)

// Netfilter returns the suites of the iptables modules, for one family through one back end.
func Netfilter(f host.Family, backend string) []Suite {
	where := fmt.Sprintf(`"family":%q,"backend":%q,`, f, backend)
	at := func(s Suite) Suite {
		for i, c := range s.States {
			s.States[i].Params = []byte("{" + where + strings.TrimPrefix(string(c.Params), "{"))
		}
		s.Name = strings.Join([]string{s.Title(), f.String(), backend}, " ")
		s.Setup = foreignRules(f, backend)
		s.Compare = compareTables(f, backend)
		return s
	}
	return []Suite{at(iptablesRuleSuite()), at(iptablesChainSuite()), at(iptablesUserChainSuite())}
}

func iptablesRuleSuite() Suite {
	var s []modules.Call
	for _, position := range []string{"", "append", "insert", "first", "last", "2"} {
		p := fmt.Sprintf(`{"chain":"FORWARD","position":%q,"in_interface":"veth1","protocol":"tcp","destination_port":"8800","ctstate":["NEW"],"jump":"ACCEPT"}`, position)
		s = append(s, State("iptables_rule", p), Absent("iptables_rule", p))
	}
	raw := `{"chain":"FORWARD","arguments":["-p","tcp","--dport","http","-m","statistic","--mode","random","--probability","0.1"],"jump":"LOG","log_prefix":"a b: "}`
	return Suite{Module: "iptables_rule", States: append(s, State("iptables_rule", raw), Absent("iptables_rule", raw)), Rejects: []Reject{
		{`{"chain":"FORWARD","jump":"LOG","log_prefix":"123456789012345678901234567890"}`, "log_prefix"},
		{`{"chain":"FORWARD","jump":"ACCEPT","family":"ipv6","source":"10.0.0.1"}`, "source"},
		{`{"chain":"FORWARD","jump":"ACCEPT","source":"host.example"}`, "source"},
		{`{"chain":"FORWARD","jump":"ACCEPT","destination_port":"80"}`, "destination_port"},
		{`{"chain":"FORWARD","jump":"ACCEPT","position":"0"}`, "position"},
		{`{"chain":"FORWARD"}`, "jump"},
		{`{"chain":"WEB","goto":"WEB"}`, "goto"},
	}}
}

func iptablesChainSuite() Suite {
	return Suite{Module: "iptables_chain", States: []modules.Call{
		State("iptables_chain", `{"chain":"FORWARD","policy":"DROP"}`),
		State("iptables_chain", `{"chain":"FORWARD","policy":"ACCEPT","rule":[{"in_interface":"a","jump":"ACCEPT"},{"in_interface":"b","jump":"DROP"}]}`),
		State("iptables_chain", `{"chain":"FORWARD","rule":[{"in_interface":"b","jump":"DROP"},{"in_interface":"c","jump":"RETURN"},{"in_interface":"a","jump":"ACCEPT"}]}`),
		State("iptables_chain", `{"chain":"FORWARD","policy":"DROP","exclusive":true,"rule":[{"in_interface":"b","jump":"DROP"},{"jump":"FOREIGN"},{"in_interface":"b","jump":"DROP"}]}`),
		State("iptables_chain", `{"chain":"FORWARD","exclusive":true}`),
		Absent("iptables_chain", `{"chain":"FORWARD","policy":"DROP","rule":[{"in_interface":"a","jump":"ACCEPT"},{"in_interface":"b","jump":"DROP"}]}`),
	}, Rejects: []Reject{
		{`{"chain":"FORWARD","policy":"REJECT"}`, "policy"},
		{`{"chain":"WEB","policy":"DROP"}`, "policy"},
		{`{"chain":"PREROUTING"}`, "table"},
		{`{"chain":"WEB","rule":[{"jump":"ACCEPT"},{"jump":"LOG","log_level":"loud"}]}`, "rule[1].log_level"},
		{`{"chain":"WEB","rule":[{"jump":"ACCEPT"},{"jump":"WEB"}]}`, "rule[1].jump"},
	}}
}

func iptablesUserChainSuite() Suite {
	return Suite{Module: "iptables_chain", Name: "iptables_chain user-defined", States: []modules.Call{
		State("iptables_chain", `{"chain":"WEB"}`),
		State("iptables_chain", `{"chain":"WEB","rule":[{"protocol":"tcp","destination_ports":["80","443"],"jump":"ACCEPT"},{"goto":"FOREIGN"}]}`),
		State("iptables_chain", `{"chain":"WEB","exclusive":true,"rule":[{"goto":"FOREIGN"},{"jump":"LOG"}]}`),
		Absent("iptables_chain", `{"chain":"WEB"}`),
	}}
}

// foreignRules sets up what somebody else has there.
func foreignRules(f host.Family, backend string) func(context.Context, host.Host, string) error {
	return func(ctx context.Context, h host.Host, _ string) error {
		n, err := h.Net(ctx, "")
		if err != nil {
			return err
		}
		t, err := n.Netfilter().IPTables(ctx, f, backend)
		if err != nil {
			return err
		}
		have, err := t.Table(ctx, "filter")
		if err != nil {
			return err
		}
		want := have.Clone()
		want.Chain("FORWARD").Rules = []string{"-j FOREIGN", "-m comment --comment foreign"}
		want.Chains = append(want.Chains, host.Chain{Name: "FOREIGN", Policy: "-", Rules: []string{"-j RETURN"}})
		return t.Commit(ctx, have, want)
	}
}

func compareTables(f host.Family, backend string) func(ctx context.Context, model, real host.Host) string {
	return func(ctx context.Context, model, real host.Host) string {
		var tables [2]host.Table
		for i, h := range []host.Host{model, real} {
			n, err := h.Net(ctx, "")
			if err != nil {
				return err.Error()
			}
			t, err := n.Netfilter().IPTables(ctx, f, backend)
			if err != nil {
				return err.Error()
			}
			if tables[i], err = t.Table(ctx, "filter"); err != nil {
				return err.Error()
			}
		}
		if tables[0].Equal(tables[1]) {
			return ""
		}
		return fmt.Sprintf("only the model: %+v\nonly the host:  %+v", tables[0], tables[1])
	}
}
