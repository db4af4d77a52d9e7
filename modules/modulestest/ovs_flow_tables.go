package modulestest

import (
	"context"
	"fmt"

	"labctl/modules"
	"labctl/modules/host"
)

// ovsPorts makes bridge ov0 with ports v and w.
func ovsPorts(ctx context.Context, h host.Host, dir string) error {
	if err := setups(wires("v", "w"), ovsBridges("ov0"))(ctx, h, dir); err != nil {
		return err
	}
	for _, name := range []string{"v", "w"} {
		if _, err := modules.Default["ovs_port"].Apply(ctx, h, State("ovs_port", fmt.Sprintf(`{"name":%q,"bridge":"ov0"}`, name))); err != nil {
			return err
		}
	}
	return nil
}

func ovsFlowSuite() Suite {
	return Suite{Module: "ovs_flow", Setup: ovsPorts, States: []modules.Call{
		ovsFlow(`"priority":1000,"match":{"tcp":"","tp_dst":"80"},"actions":"drop"`), ovsFlow(`"version":"OpenFlow13","priority":1000,"match":{"tcp":"","tp_dst":"80"},"actions":"output:v"`),
		ovsFlow(`"version":"OpenFlow10","priority":1000,"match":{"tcp":"","tp_dst":"80"},"actions":"output:v,output:w"`),
		ovsFlow(`"version":"OpenFlow15","priority":1000,"match":{"tcp":"","tp_dst":"80"},"actions":"goto_table:3","cookie":"42"`),
		ovsFlow(`"version":"OpenFlow14","priority":1000,"match":{"tcp":"","tp_dst":"80"},"actions":"output:ov0,output:2","idle_timeout":600,"hard_timeout":900`),
		ovsFlow(`"priority":1000,"match":{"tcp":"","tp_dst":"80"},"actions":"NORMAL","idle_timeout":0,"cookie":"0"`),
	}, Rejects: []Reject{{`{"bridge":"ov0"}`, "actions"}, {`{"bridge":"ov0","table":255,"actions":""}`, "table"}, {`{"bridge":"ov0","actions":"","cookie":"x"}`, "cookie"},
		{`{"bridge":"ov0","actions":"","match":{"priority":"1"}}`, "match"}, {`{"bridge":"ov0","actions":"","flows":[]}`, "flows"}, {`{"bridge":"ov0","exclusive":"cookie","flows":[]}`, "exclusive"},
		{`{"bridge":"ov0","exclusive":"table"}`, "exclusive"}, {`{"bridge":"ov0","flows":["tcp"]}`, "flows[0]"}, {`{"bridge":"ov0","actions":"","version":"OpenFlow 14"}`, "version"}}}
}

func ovsFlow(params string) modules.Call { return State("ovs_flow", `{"bridge":"ov0",`+params+`}`) }

func ovsFlowsSuite() Suite {
	return Suite{Module: "ovs_flow", Name: "ovs_flow of a table", Setup: ovsPorts, States: []modules.Call{
		ovsFlow(`"table":3,"exclusive":"table","flows":["priority=10,in_port=v,arp actions=output:w","priority=0 actions=drop"]`),
		ovsFlow(`"table":3,"exclusive":"table","flows":["priority=10,in_port=w,arp,actions=output:v","dl_vlan=7,priority=0 actions=strip_vlan,normal","ip,nw_src=10.1.2.3/8,action="]`),
		ovsFlow(`"table":3,"flows":["in_port=1,cookie=7,send_flow_rem actions=enqueue:2:0","priority=0 actions=IN_PORT"]`), ovsFlow(`"table":3,"exclusive":"table","flows":[]`),
		ovsFlow(`"table":3,"version":"OpenFlow15","flows":["priority=0 actions=mod_vlan_vid:10,output:w"]`),
		Absent("ovs_flow", `{"bridge":"ov0","table":3,"exclusive":"table"}`)}}
}

func ovsFlowCookieSuite() Suite {
	return Suite{Module: "ovs_flow", Name: "ovs_flow of a cookie", Setup: ovsPorts, States: []modules.Call{
		ovsFlow(`"cookie":"0x2a","exclusive":"cookie","flows":["priority=10,in_port=v,udp actions=ct(commit,zone=1,exec(set_field:0x1->ct_mark)),output:w","table=7,priority=0 actions=drop"]`),
		ovsFlow(`"cookie":"0x2a","exclusive":"cookie","flows":["table=7,priority=0 actions=learn(table=8,priority=9,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),resubmit(,8)"]`),
		ovsFlow(`"cookie":"0x2b","flows":["table=7,priority=0 actions=drop"]`), ovsFlow(`"cookie":"42","exclusive":"cookie","flows":[]`),
		Absent("ovs_flow", `{"bridge":"ov0","cookie":"42","exclusive":"cookie","flows":["table=7,priority=0 actions=drop"]}`)}}
}

// flowTexts are the flows of all bridges.
func flowTexts(ctx context.Context, h host.Host, s *host.OVSState) (out []string, err error) {
	for _, bridge := range s.Keys("Bridge") {
		flows, err := h.OVS().Flows(ctx, bridge, host.OVSVersion(s.Tables["Bridge"][bridge]["protocols"]))
		if err != nil {
			return nil, err
		}
		for _, f := range flows.Sorted() {
			out = append(out, "flow of "+bridge+" "+f.String())
		}
	}
	return out, nil
}
