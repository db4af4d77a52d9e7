package linux

import (
	"errors"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
	"labctl/modules/modulestest"
)

// TestRulesOnSets plans, on one model, a set, rules that match it and fill it, and a set that takes its place, then plays them:
// the same must come of it, and a set in use can neither go nor become another one.
func TestRulesOnSets(t *testing.T) {
	needKind(t, "ipset")
	for _, backend := range []string{host.BackendNFT, host.BackendLegacy} {
		t.Run(backend, func(t *testing.T) {
			h := netfilterHost(t)
			model := memory.New(h)
			at := `"chain":"FORWARD","backend":"` + backend + `",`
			for _, c := range []struct {
				call modules.Call
				says string
			}{
				{modulestest.State("iptables_rule", `{`+at+`"match_set":"banned src","jump":"DROP"}`), "Set banned doesn't exist"},
				{modulestest.State("ipset", `{"name":"banned","type":"hash:ip","entries":["10.0.0.9"]}`), ""},
				{modulestest.State("iptables_rule", `{`+at+`"match_set":"! banned src","protocol":"tcp","destination_port":"80","jump":"DROP"}`), ""},
				{modulestest.State("iptables_rule", `{`+at+`"arguments":["-m","set","--match-set","banned","dst","-j","SET","--add-set","banned","src"]}`), ""},
				{modulestest.State("ipset", `{"name":"banned","type":"hash:ip","maxelem":77}`), ""},
				{modulestest.Absent("ipset", `{"name":"banned"}`), "in use"},
				{modulestest.Absent("iptables_rule", `{`+at+`"match_set":"! banned src","protocol":"tcp","destination_port":"80","jump":"DROP"}`), ""},
				{modulestest.State("ipset", `{"name":"banned","type":"hash:net"}`), "in use"},
				{modulestest.Absent("iptables_rule", `{`+at+`"arguments":["-m","set","--match-set","banned","dst","-j","SET","--add-set","banned","src"]}`), ""},
				{modulestest.Absent("ipset", `{"name":"banned"}`), ""},
			} {
				m, err := modules.Default.Lookup(c.call.Module)
				if err != nil {
					t.Fatal(err)
				}
				planned, planErr := m.Apply(ctxOf(t), model, c.call)
				applied, err := m.Apply(ctxOf(t), h, c.call)
				for _, e := range []error{planErr, err} {
					if (e == nil) != (c.says == "") || e != nil && (!strings.Contains(e.Error(), c.says) || errors.Is(e, host.ErrBusy) != (c.says == "in use")) {
						t.Fatalf("%s: plan: %v; apply: %v; want %q", c.call.Params, planErr, err, c.says)
					}
				}
				if err == nil && planned.Diff.Action != applied.Diff.Action {
					t.Fatalf("%s: plan: %v; apply: %v", c.call.Params, planned.Diff, applied.Diff)
				}
			}
		})
	}
}
