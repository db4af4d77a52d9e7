package modulestest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"labctl/modules"
	"labctl/modules/host"
)

// OVS returns the suites of the Open vSwitch modules, all on the userspace datapath, which every kernel can run.
func OVS() []Suite {
	suites := []Suite{ovsBridgeSuite(), ovsPortSuite(), ovsTunnelSuite(), ovsBondSuite(), ovsQoSSuite(), ovsMirrorSuite(), ovsManagerSuite(), ovsFlowSuite(), ovsFlowsSuite(), ovsFlowCookieSuite()}
	for i := range suites {
		suites[i].Compare, suites[i].Steps = compareOVS, 200
		// Without a classifier in the kernel the limit of what comes in fails, and ovs-vswitchd begins anew with the qdisc each time
		// that a device changes (netdev_linux_set_policing, lib/netdev-linux.c).
		suites[i].Restless = true
	}
	return suites
}

// ovsBridges makes bridges.
func ovsBridges(names ...string) func(context.Context, host.Host, string) error {
	return func(ctx context.Context, h host.Host, _ string) error {
		m := modules.Default["ovs_bridge"]
		for _, name := range names {
			if _, err := m.Apply(ctx, h, State("ovs_bridge", fmt.Sprintf(`{"name":%q,"datapath_type":"netdev"}`, name))); err != nil {
				return err
			}
		}
		return nil
	}
}

func ovsBridgeSuite() Suite {
	with := func(params ...string) (out []modules.Call) {
		for _, p := range params {
			out = append(out, State("ovs_bridge", `{"name":"ov0","datapath_type":"netdev"`+p+`}`))
		}
		return out
	}
	return Suite{Module: "ovs_bridge", States: with(``, `,"fail_mode":"secure","protocols":["OpenFlow14","OpenFlow10"]`, `,"fail_mode":"","protocols":[]`, `,"fail_mode":"standalone"`,
		`,"stp_enable":true,"mcast_snooping_enable":true`, `,"stp_enable":false,"rstp_enable":true`, `,"rstp_enable":false,"mcast_snooping_enable":false`,
		`,"external_ids":{"a":"1","b":"2"}`, `,"external_ids":{"b":"3","c":"x=y"},"other_config":{"forward-bpdu":"true"}`, `,"external_ids":{"d":"4"},"exclusive":true`,
		`,"external_ids":{},"other_config":{},"exclusive":true`, `,"datapath_id":"00000000000000AB"`, `,"datapath_id":"00000000000000ac","other_config":{"hwaddr":"02:00:00:00:00:01"}`,
		`,"controller":["tcp:127.0.0.1:6653","ptcp:6654:127.0.0.1"]`, `,"controller":["tcp:127.0.0.1:6653"]`, `,"controller":[]`),
		Rejects: []Reject{{`{"name":"ov0","fail_mode":"x"}`, "fail_mode"}, {`{"name":"ov0","protocols":["OpenFlow 14"]}`, "protocols"}, {`{"name":"ov0","datapath_id":"12"}`, "datapath_id"},
			{`{"name":"ov0","controller":["127.0.0.1"]}`, "controller[0]"}, {`{"name":"ov0","datapath_type":"kernel"}`, "datapath_type"}, {`{"name":"a/b"}`, "name"},
			{`{"name":"ov0","external_ids":{"a=b":"1"}}`, "external_ids"}, {`{"name":"ov0","stp_enable":true,"rstp_enable":true}`, "rstp_enable"}}}
}

func ovsPortSuite() Suite {
	return Suite{Module: "ovs_port", Setup: setups(wires("v", "w"), ovsBridges("ov0", "ov1")), States: append(states("ovs_port", `{"name":"v","bridge":"ov0","move":true}`,
		`{"name":"v","bridge":"ov0","move":true,"tag":"100"}`, `{"name":"v","bridge":"ov0","move":true,"tag":"","trunks":[200,100]}`, `{"name":"v","bridge":"ov0","move":true,"trunks":[],"tag":"0"}`,
		`{"name":"v","bridge":"ov1","move":true,"vlan_mode":"native-untagged","tag":"7"}`, `{"name":"v","bridge":"ov1","move":true,"vlan_mode":""}`,
		`{"name":"v","bridge":"ov0","move":true,"external_ids":{"a":"1"},"interface_external_ids":{"iface-id":"x"},"ofport_request":17}`,
		`{"name":"v","bridge":"ov0","move":true,"external_ids":{"b":"1"},"interface_external_ids":{},"exclusive":true}`,
		`{"name":"v","bridge":"ov1","move":true,"ingress_policing_rate":1000,"ingress_policing_burst":100,"protected":true}`,
		`{"name":"v","bridge":"ov1","move":true,"ingress_policing_rate":0,"ingress_policing_burst":0,"protected":false}`), Absent("ovs_port", `{"name":"v","bridge":"ov0"}`)),
		Rejects: []Reject{{`{"name":"v"}`, "bridge"}, {`{"name":"v","bridge":"ov0","tag":"4096"}`, "tag"}, {`{"name":"v","bridge":"ov0","tag":"x"}`, "tag"},
			{`{"name":"v","bridge":"ov0","trunks":[1,1]}`, "trunks[1]"}, {`{"name":"v","bridge":"ov0","vlan_mode":"none"}`, "vlan_mode"}, {`{"name":"v","bridge":"ov0","ofport_request":0}`, "ofport_request"},
			{`{"name":"v","bridge":"ov0","interfaces":["a"]}`, "interfaces"}, {`{"name":"v","bridge":"ov0","interfaces":["a","a"]}`, "interfaces[1]"},
			{`{"name":"v","bridge":"ov0","type":"vxlan","options":{}}`, "options"}, {`{"name":"v","bridge":"a b"}`, "bridge"}}}
}

func ovsTunnelSuite() Suite {
	return Suite{Module: "ovs_port", Name: "ovs_port that Open vSwitch makes", Setup: setups(wires("w"), ovsBridges("ov0")), States: states("ovs_port",
		`{"name":"t0","bridge":"ov0","type":"vxlan","options":{"remote_ip":"192.168.50.5","dst_port":"4789","ttl":"5"}}`,
		`{"name":"t0","bridge":"ov0","type":"vxlan","options":{"remote_ip":"192.168.50.6","key":"7"}}`, `{"name":"t0","bridge":"ov0","type":"gre","options":{"remote_ip":"192.168.50.6"}}`,
		`{"name":"t0","bridge":"ov0","type":"internal","options":{}}`, `{"name":"t0","bridge":"ov0","type":"internal","options":{},"mac":"02:00:00:00:00:31","mtu_request":1400}`,
		`{"name":"t0","bridge":"ov0","type":"patch","options":{"peer":"t1"}}`)}
}

func ovsBondSuite() Suite {
	return Suite{Module: "ovs_port", Name: "ovs_port bond", Setup: setups(wires("v", "w", "x"), ovsBridges("ov0")), States: states("ovs_port",
		`{"name":"bond0","bridge":"ov0","interfaces":["v","w"]}`, `{"name":"bond0","bridge":"ov0","interfaces":["w","v","x"],"bond_mode":"balance-slb","lacp":"off","bond_updelay":100}`,
		`{"name":"bond0","bridge":"ov0","interfaces":["w","x"],"bond_mode":"active-backup","lacp":"","bond_updelay":0,"tag":"5"}`, `{"name":"bond0","bridge":"ov0","bond_mode":"","interfaces":["v","x"]}`)}
}

func ovsMirrorSuite() Suite {
	return Suite{Module: "ovs_mirror", Setup: ovsPorts, States: states("ovs_mirror", `{"name":"m0","bridge":"ov0","select_all":true,"output_port":"w"}`,
		`{"name":"m0","bridge":"ov0","select_all":false,"select_src_port":["v","ov0"],"select_dst_port":["v"],"output_port":"w","external_ids":{"a":"1"}}`,
		`{"name":"m0","bridge":"ov0","select_src_port":[],"select_dst_port":["w"],"output_port":"v","snaplen":128}`,
		`{"name":"m0","bridge":"ov0","select_vlan":[7,8],"output_vlan":"900","snaplen":0}`, `{"name":"m0","bridge":"ov0","output_vlan":"0901","external_ids":{"b":"1"},"exclusive":true}`),
		Rejects: []Reject{{`{"name":"m0","output_port":"v"}`, "bridge"}, {`{"name":"m0","bridge":"ov0"}`, "output_port"}, {`{"name":"m0","bridge":"ov0","output_port":"v","output_vlan":"3"}`, "output_vlan"},
			{`{"name":"m0","bridge":"ov0","output_vlan":"x"}`, "output_vlan"}, {`{"name":"m0","bridge":"ov0","output_port":"v","snaplen":5}`, "snaplen"},
			{`{"name":"m0","bridge":"ov0","output_port":"v","select_vlan":[4096]}`, "select_vlan[0]"}, {`{"name":"m0","bridge":"ov0","output_port":"v","select_src_port":["a/b"]}`, "select_src_port[0]"}}}
}

func ovsManagerSuite() Suite {
	return Suite{Module: "ovs_manager", States: states("ovs_manager", `{"target":"ptcp:6640:127.0.0.1"}`,
		`{"target":"ptcp:6640:127.0.0.1","inactivity_probe":"30000","max_backoff":"2000","connection_mode":"out-of-band"}`,
		`{"target":"ptcp:6640:127.0.0.1","inactivity_probe":"0","external_ids":{"a":"1"}}`, `{"target":"ptcp:6640:127.0.0.1","inactivity_probe":"","max_backoff":"","connection_mode":""}`,
		`{"target":"ptcp:6640:127.0.0.1","other_config":{"dscp":"10"},"external_ids":{},"exclusive":true}`),
		Rejects: []Reject{{`{"target":"127.0.0.1"}`, "target"}, {`{"target":"tcp:127.0.0.1:6640","max_backoff":"5"}`, "max_backoff"}, {`{"target":"tcp:127.0.0.1:6640","inactivity_probe":"x"}`, "inactivity_probe"},
			{`{"target":"tcp:127.0.0.1:6640","connection_mode":"band"}`, "connection_mode"}, {`{"target":"tcp:127.0.0.1:6640","external_ids":{"":"1"}}`, "external_ids"}}}
}

func ovsQoSSuite() Suite {
	return Suite{Module: "ovs_port", Name: "ovs_port with queues", Setup: setups(wires("v"), ovsBridges("ov0")), States: states("ovs_port", `{"name":"v","bridge":"ov0","qos":{"type":""}}`,
		`{"name":"v","bridge":"ov0","qos":{"type":"linux-htb","other_config":{"max-rate":"10000000"}}}`, `{"name":"v","bridge":"ov0","tag":"5"}`,
		`{"name":"v","bridge":"ov0","qos":{"type":"linux-htb","other_config":{"max-rate":"20000000"},"queue":[{"id":7,"dscp":46,"other_config":{"max-rate":"1000000"}},{"id":0,"other_config":{"min-rate":"5000000","priority":"1"}}]}}`,
		`{"name":"v","bridge":"ov0","qos":{"type":"linux-htb","queue":[{"id":12}]}}`),
		Rejects: []Reject{{`{"name":"v","bridge":"ov0","qos":{"type":"","queue":[]}}`, "qos.type"}, {`{"name":"v","bridge":"ov0","qos":{"type":"linux-htb","queue":[{"id":-1}]}}`, "qos.queue[0].id"},
			{`{"name":"v","bridge":"ov0","qos":{"type":"linux-htb","queue":[{"id":1},{"id":1}]}}`, "qos.queue[1].id"}, {`{"name":"v","bridge":"ov0","qos":{"type":"linux-htb","queue":[{"id":1,"dscp":64}]}}`, "qos.queue[0].dscp"},
			{`{"name":"v","bridge":"ov0","qos":{"type":"linux-htb","other_config":{"a=b":"1"}}}`, "qos.other_config"}}}
}

// compareOVS says how the configuration of two hosts differs; what ovs-vswitchd tells is left out.
func compareOVS(ctx context.Context, model, real host.Host) string {
	var texts [2][]string
	for i, h := range []host.Host{model, real} {
		s, err := h.OVS().State(ctx)
		if err != nil {
			return err.Error()
		}
		for table, rows := range s.Tables {
			for name, row := range rows {
				row = maps.Clone(row)
				for column, c := range host.OVSTables[table] {
					if c.Status {
						delete(row, column)
					}
				}
				b, _ := json.Marshal(row) // plain data
				texts[i] = append(texts[i], fmt.Sprintf("%s %q %s", table, name, b))
			}
		}
		flows, err := flowTexts(ctx, h, s)
		if err != nil {
			return err.Error()
		}
		texts[i] = append(texts[i], flows...)
		slices.Sort(texts[i])
	}
	if slices.Equal(texts[0], texts[1]) {
		return ""
	}
	return fmt.Sprintf("only the model: %s\nonly the host:  %s", missingIn(texts[0], texts[1]), missingIn(texts[1], texts[0]))
}

func missingIn(a, b []string) (out []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}
