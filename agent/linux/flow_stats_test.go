package linux

import (
	"testing"

	"labctl/modules"
)

// freshFlows is a host with namespaces a (10.0.0.1) and b (10.0.0.2) on bridge ov0, whose flows tell ICMP and TCP apart.
func freshFlows(t *testing.T) *Host {
	t.Helper()
	h := ovsWires(t)
	vsctl(t, h, "set", "Open_vSwitch", ".", "other_config:max-revalidator=100") // the least it takes
	applyOVS(t, h, "ovs_bridge", `{"name":"ov0","protocols":["OpenFlow14"]}`, modules.Update)
	for _, ns := range []string{"a", "b"} {
		applyOVS(t, h, "netns", `{"name":"`+ns+`"}`, modules.Create)
		applyOVS(t, h, "veth", `{"name":"`+ns+`0","netns":"`+ns+`","peer":"`+ns+`1","peer_netns":""}`, modules.Create)
		applyOVS(t, h, "ovs_port", `{"name":"`+ns+`1","bridge":"ov0"}`, modules.Create)
		sh(t, h, ns, "sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
	}
	applyOVS(t, h, "address", `{"dev":"a0","netns":"a","cidr":["10.0.0.1/24"]}`, modules.Create)
	applyOVS(t, h, "address", `{"dev":"b0","netns":"b","cidr":["10.0.0.2/24"]}`, modules.Create)
	applyOVS(t, h, "ovs_flow", `{"bridge":"ov0","cookie":"0x7","flows":["priority=1000,tcp,tp_dst=80 actions=drop",
		"priority=900,icmp,in_port=a1 actions=normal","priority=900,icmp,in_port=b1 actions=normal"]}`, modules.Create)
	return h
}

func TestFlowStats(t *testing.T) {
	h := freshFlows(t)
	const ping, tcp = `"wait":"300ms","netns":"a","trigger":[{"ping":"10.0.0.2","count":3}]`, `"wait":"300ms","netns":"a","trigger":[{"tcp":"10.0.0.2:80","wait":"300ms"}]`
	probeAll(t, h, []seen{
		{"ping", `{"address":"10.0.0.2","netns":"a","deadline":"5s"}`, ""},
		{"flow_stats", `{"name":"x","bridge":"ov0","match":{"icmp":"","in_port":"a1"},"packets":"3","bytes":"294",` + ping + `}`, ""},
		{"flow_stats", `{"name":"x","bridge":"ov0","match":{"icmp":""},"packets":"6",` + ping + `}`, ""},
		{"flow_stats", `{"name":"x","bridge":"ov0","match":{"icmp":"","in_port":"a1"},"packets":"4",` + ping + `}`,
			"flows of ov0 icmp,in_port=a1: expected 4 packets, but 3 were counted: table=0,priority=900,icmp,in_port="},
		{"flow_stats", `{"name":"x","bridge":"ov0","match":{"icmp":"","in_port":"a1"},"bytes":"<294",` + ping + `}`, "expected <294 bytes, but 294 were counted"},
		{"flow_stats", `{"name":"x","bridge":"ov0","cookie":"7","table":0,"priority":1000,"packets":"0",` + ping + `}`, ""},
		{"flow_stats", `{"name":"x","bridge":"ov0","cookie":"7","table":0,"priority":1000,` + tcp + `}`, ""},
		{"flow_stats", `{"name":"x","bridge":"ov0","cookie":"7","table":0,"priority":1000,"packets":"0",` + tcp + `}`, "expected 0 packets, but "},
		{"flow_stats", `{"name":"x","bridge":"ov0","match":{"eth_type":"0x0800","ip_proto":"6","tcp_dst":"80"},` + ping + `}`,
			"flows of ov0 tcp,tp_dst=80: expected >=1 packets, but 0 were counted"},
		{"flow_stats", `{"name":"x","bridge":"ov0","packets":">=6",` + ping + `}`, ""},

		{"flow_stats", `{"name":"x","bridge":"ov0","match":{"udp":""},"packets":"0","wait":"0s"}`, "flows of ov0 udp: there is none"},
		{"flow_stats", `{"name":"x","bridge":"ov0","table":1,"packets":"0","wait":"0s"}`, "flows of ov0 table=1: there is none"},
		{"flow_stats", `{"name":"x","bridge":"ov0","priority":1,"cookie":"0x7","packets":"0","wait":"0s"}`, "flows of ov0 cookie=0x7/-1 of priority 1: there is none"},
		{"flow_stats", `{"name":"x","bridge":"ov0","match":{"tcp_dst":"80"}}`, "a part would be lost"},
		{"flow_stats", `{"name":"x","bridge":"ov0","match":{"in_port":"c1"}}`, "c1"},
		{"flow_stats", `{"name":"x","bridge":"ov9"}`, "there is no such bridge"},
		{"flow_stats", `{"name":"x","bridge":"ov0","version":"OpenFlow13"}`, "speaks OpenFlow14 only"},
		{"flow_stats", `{"name":"x","bridge":"ov0","start":true,"packets":"0"}`, "belongs to the task that stops"},
		{"flow_stats", `{"name":"x","bridge":"ov0","stop":true}`, "belongs to the task that starts"},
		{"flow_stats", `{"name":"x"}`, "bridge: is needed"},
		{"flow_stats", `{"name":"x","bridge":"ov0","packets":"some"}`, "is not an amount"},
	})
}

// A look lasts over tasks, and a flow that is put in meanwhile, or anew, counts from nothing.
func TestFlowStatsAcrossTasks(t *testing.T) {
	h := freshFlows(t)
	probeAll(t, h, []seen{
		{"ping", `{"address":"10.0.0.2","netns":"a","deadline":"5s"}`, ""},
		{"flow_stats", `{"name":"x","bridge":"ov0","match":{"icmp":""},"start":true,"wait":"300ms"}`, ""},
		{"ping", `{"address":"10.0.0.2","netns":"a"}`, ""},
		{"flow_stats", `{"name":"x","stop":true,"start":true,"packets":"2"}`, ""},
		{"flow_stats", `{"name":"x","stop":true,"start":true,"packets":"0","wait":"300ms"}`, ""},
	})
	applyOVS(t, h, "ovs_flow", `{"bridge":"ov0","priority":950,"match":{"icmp":"","nw_dst":"10.0.0.2"},"actions":"normal"}`, modules.Create)
	ovsRun(t, h, "ovs-ofctl", "-O", "OpenFlow14", "add-flow", "ov0", "reset_counts,cookie=7,priority=900,icmp,in_port=b1,actions=normal")
	probeAll(t, h, []seen{
		{"ping", `{"address":"10.0.0.2","netns":"a"}`, ""},
		{"flow_stats", `{"name":"x","stop":true,"packets":"2"}`, ""},
		{"flow_stats", `{"name":"x","stop":true}`, "none of this name has been started"},
	})
}
