package modulestest

import (
	"context"

	"labctl/modules/host"
)

// Links returns the suites of the modules that make devices of one kind, beside those that every kernel has.
func Links() []Suite {
	return []Suite{
		{Module: "dummy", Needs: []string{"dummy"}, Setup: bridge("br0"), States: states("dummy", `{"name":"d0"}`, `{"name":"d0","mtu":9000,"up":false}`, `{"name":"d0","master":"br0"}`,
			`{"name":"d0","master":"","alias":"here","address":"02:00:00:00:00:05"}`), Rejects: []Reject{{`{"name":"d0","mtu":1}`, "mtu"}}},
		{Module: "ifb", Needs: []string{"ifb"}, States: states("ifb", `{"name":"i0"}`, `{"name":"i0","txqueuelen":1000,"up":false}`, `{"name":"i0","mtu":1400}`)},
		vrfSuite(), ipvlanSuite(), bondSuite(), bridgeVLANSuite(), vxlanFlagsSuite(), greSuite(), gretapSuite(), ip6greSuite("ip6gre"), ip6greSuite("ip6gretap"),
		ipipSuite("ipip", "mplsip", `{"name":"t0","local":"10.0.0.1"}`), ipipSuite("sit", "ipip", `{"name":"t0","remote":"10.0.0.9"}`), geneveSuite(), teamSuite(), bridgePortSuite(), bridgeVLANsSuite(), bridgeOwnVLANsSuite(),
	}
}

func vrfSuite() Suite {
	return Suite{Module: "vrf", Needs: []string{"vrf"}, Setup: wires("v", "w"), States: states("vrf", `{"name":"red","table":10}`, `{"name":"red","table":11,"ports":["v"]}`,
		`{"name":"red","table":11,"ports":["w","v"],"up":false}`, `{"name":"red","table":10,"ports":[]}`),
		Rejects: []Reject{{`{"name":"red"}`, "table"}, {`{"name":"red","table":0}`, "table"}, {`{"name":"red","table":1,"ports":["red"]}`, "ports[0]"}}}
}

func ipvlanSuite() Suite {
	return Suite{Module: "ipvlan", Needs: []string{"ipvlan"}, Setup: wires("v", "w"), States: states("ipvlan", `{"name":"iv0","dev":"v"}`, `{"name":"iv0","dev":"v","mode":"l2","up":false}`,
		`{"name":"iv0","dev":"w","mode":"l2","flags":"private"}`, `{"name":"iv0","dev":"w","flags":"bridge","mtu":1400}`),
		Rejects: []Reject{{`{"name":"iv0"}`, "dev"}, {`{"name":"iv0","dev":"v","mode":"l4"}`, "mode"}, {`{"name":"iv0","dev":"v","address":"02:00:00:00:00:01"}`, "address"}}}
}

func bondSuite() Suite {
	return Suite{Module: "bond", Needs: []string{"bond"}, Setup: setups(wires("v", "w"), bridge("br0")), States: states("bond", `{"name":"b0"}`, `{"name":"b0","mode":"active-backup","miimon":100,"ports":["v","w"],"primary":"v"}`,
		`{"name":"b0","mode":"active-backup","miimon":50,"updelay":100,"downdelay":50,"ports":["v"],"primary":"","up":false}`,
		`{"name":"b0","mode":"802.3ad","lacp_rate":"fast","xmit_hash_policy":"layer3+4","miimon":100,"min_links":1,"ports":[]}`,
		`{"name":"b0","mode":"balance-xor","miimon":0,"arp_interval":500,"arp_ip_target":["10.0.0.1","10.0.0.2"],"arp_validate":"all"}`,
		`{"name":"b0","mode":"balance-xor","miimon":0,"arp_interval":0,"arp_ip_target":["10.0.0.3"],"num_peer_notif":3,"resend_igmp":2}`),
		Rejects: []Reject{{`{"name":"b0","mode":"x"}`, "mode"}, {`{"name":"b0","miimon":1,"arp_interval":1}`, "arp_interval"}, {`{"name":"b0","arp_interval":1}`, "arp_ip_target"},
			{`{"name":"b0","primary":"v"}`, "primary"}, {`{"name":"b0","arp_ip_target":["fd00::1"]}`, "arp_ip_target[0]"}, {`{"name":"b0","lacp_rate":"fast"}`, "lacp_rate"},
			{`{"name":"b0","ports":["v","v"]}`, "ports[1]"}}}
}

// bridgeVLANSuite gives the bridge an address: one that its ports have left has none, and takes no VLAN then.
func bridgeVLANSuite() Suite {
	return Suite{Module: "bridge", Name: "bridge with VLANs", Needs: []string{"vlan_filtering"}, Setup: wires("v", "w"), States: states("bridge", `{"name":"br0","address":"02:00:00:00:00:99","vlan_filtering":true,"ports":["v"]}`,
		`{"name":"br0","address":"02:00:00:00:00:99","vlan_filtering":false,"vlan_protocol":"802.1ad","ports":[]}`, `{"name":"br0","address":"02:00:00:00:00:99","vlan_default_pvid":7,"vlan_stats_enabled":true}`,
		`{"name":"br0","address":"02:00:00:00:00:99","vlan_default_pvid":0,"vlan_filtering":true,"vlan_protocol":"802.1Q","vlan_stats_enabled":false}`),
		Rejects: []Reject{{`{"name":"br0","vlan_default_pvid":4095}`, "vlan_default_pvid"}, {`{"name":"br0","vlan_protocol":"x"}`, "vlan_protocol"}}}
}

func vxlanFlagsSuite() Suite {
	return Suite{Module: "vxlan", Name: "vxlan flags", Needs: []string{"vxlan"}, Setup: setups(wires("v"), addresses("v", "192.168.50.4/24")),
		States: states("vxlan", `{"name":"vx0","vni":100,"l2miss":true,"l3miss":true,"proxy":true,"rsc":true}`, `{"name":"vx0","vni":100,"udp_csum":false,"df":"set","l2miss":false}`,
			`{"name":"vx0","vni":100,"udp_csum":true,"df":"inherit","tos":1,"ttl_inherit":true}`, `{"name":"vx0","external":true}`, `{"name":"vx0","vni":100,"external":false,"gbp":true,"limit":50}`,
			`{"name":"vx0","vni":100,"remote":"192.168.50.5","df":"unset","tos":0,"limit":0}`),
		Rejects: []Reject{{`{"name":"vx0","external":true,"vni":1}`, "external"}, {`{"name":"vx0","vni":1,"df":"x"}`, "df"}, {`{"name":"vx0","vni":1,"flowlabel":1048576}`, "flowlabel"}}}
}

func greSuite() Suite {
	return Suite{Module: "gre", Needs: []string{"gre"}, Setup: setups(wires("v"), addresses("v", "10.0.0.1/24")), States: states("gre", `{"name":"g0","key":1}`, `{"name":"g0","local":"10.0.0.1","remote":"10.0.0.2","key":7}`,
		`{"name":"g0","remote":"10.0.0.3","ikey":-1,"okey":9,"ocsum":true,"up":false}`, `{"name":"g0","remote":"10.9.0.3","okey":-1,"oseq":true,"iseq":true,"ttl":64,"mtu":1400}`,
		`{"name":"g0","remote":"10.0.0.2","pmtudisc":false,"ignore_df":true,"fwmark":5,"ocsum":false}`, `{"name":"g0","remote":"10.0.0.2","fwmark":0,"ignore_df":false}`, `{"name":"g0","dev":"v","remote":"10.0.0.2","tos":1,"oseq":false,"ignore_df":false}`),
		Rejects: []Reject{{`{"name":"g0","remote":"fd00::1"}`, "remote"}, {`{"name":"g0","ikey":-2}`, "ikey"}, {`{"name":"gre0"}`, "name"}, {`{"name":"g0","ignore_df":true}`, "ignore_df"},
			{`{"name":"g0","address":"02:00:00:00:00:01"}`, "address"}, {`{"name":"g0","local":"x"}`, "local"}}}
}

func gretapSuite() Suite {
	return Suite{Module: "gretap", Needs: []string{"gretap"}, Setup: setups(wires("v"), addresses("v", "10.0.0.1/24"), bridge("br0")), States: states("gretap", `{"name":"g0","key":2}`, `{"name":"g0","local":"10.0.0.1","remote":"10.0.0.2","ikey":7,"okey":8}`,
		`{"name":"g0","remote":"10.0.0.3","ikey":8,"okey":7,"master":"br0"}`, `{"name":"g0","remote":"","ikey":4,"okey":-1,"local":"","master":""}`, `{"name":"g0","remote":"10.9.0.1","pmtudisc":false,"mtu":1300}`),
		Rejects: []Reject{{`{"name":"g0","remote":"fd00::1"}`, "remote"}, {`{"name":"g0","ttl":256}`, "ttl"}}}
}

func ip6greSuite(module string) Suite {
	return Suite{Module: module, Needs: []string{module}, Setup: setups(wires("v"), addresses("v", "fd00::1/64")), States: states(module, `{"name":"g0","key":3}`, `{"name":"g0","local":"fd00::1","remote":"fd00::2","key":7}`,
		`{"name":"g0","local":"fd00::1","remote":"fd00::3","ikey":-1,"okey":9,"ocsum":true,"up":false}`, `{"name":"g0","local":"fd00::1","remote":"fd09::3","okey":-1,"ttl":64,"mtu":1400}`,
		`{"name":"g0","local":"fd00::1","remote":"fd00::2","encap_limit":4,"flowinfo":5,"ocsum":false}`),
		Rejects: []Reject{{`{"name":"g0","remote":"10.0.0.1"}`, "remote"}, {`{"name":"g0","encap_limit":256}`, "encap_limit"}}}
}

func ipipSuite(module, mode, first string) Suite {
	return Suite{Module: module, Needs: []string{module}, Setup: setups(wires("v"), addresses("v", "10.0.0.1/24")), States: states(module, first, `{"name":"t0","local":"10.0.0.1","remote":"10.0.0.2"}`,
		`{"name":"t0","local":"","remote":"10.0.0.3","ttl":64,"tos":1,"up":false}`, `{"name":"t0","remote":"10.9.0.3","mode":"any","ttl":0,"mtu":1400}`,
		`{"name":"t0","dev":"v","remote":"10.0.0.2","mode":"`+mode+`","pmtudisc":false,"ttl":0,"fwmark":7}`, `{"name":"t0","remote":"10.0.0.2","fwmark":0,"pmtudisc":true}`),
		Rejects: []Reject{{`{"name":"t0","remote":"fd00::1"}`, "remote"}, {`{"name":"t0","mode":"x"}`, "mode"}, {`{"name":"t0","ttl":9,"pmtudisc":false}`, "pmtudisc"}, {`{"name":"t0","address":"02:00:00:00:00:01"}`, "address"}}}
}

func geneveSuite() Suite {
	return Suite{Module: "geneve", Needs: []string{"geneve"}, Setup: setups(wires("v"), addresses("v", "10.0.0.1/24", "fd00::1/64"), bridge("br0")),
		States: states("geneve", `{"name":"g0","vni":7,"remote":"10.0.0.2"}`, `{"name":"g0","vni":7,"remote":"10.0.0.3","ttl":64,"tos":1,"up":false}`, `{"name":"g0","vni":8,"remote":"fd00::2","udp_zero_csum6_tx":true}`,
			`{"name":"g0","vni":8,"remote":"10.0.0.2","udp_csum":true,"df":"set","master":"br0"}`, `{"name":"g0","external":true,"dstport":6082}`, `{"name":"g0","vni":7,"remote":"10.9.0.2","ttl_inherit":true,"df":"unset","mtu":1300}`,
			`{"name":"g0","vni":7,"remote":"fd00::9","flowlabel":5,"external":false}`, `{"name":"g0","vni":7,"remote":"10.0.0.2","ttl":9,"ttl_inherit":false}`),
		Rejects: []Reject{{`{"name":"g0","remote":"10.0.0.1"}`, "vni"}, {`{"name":"g0","vni":1}`, "remote"}, {`{"name":"g0","vni":1,"remote":"x"}`, "remote"}, {`{"name":"g0","external":true,"vni":1}`, "external"}, {`{"name":"g0","vni":1,"remote":"10.0.0.1","ttl":9,"ttl_inherit":true}`, "ttl_inherit"},
			{`{"name":"g0","vni":16777216,"remote":"10.0.0.1"}`, "vni"}}}
}

func teamSuite() Suite {
	return Suite{Module: "team", Needs: []string{"team"}, Setup: setups(wires("v", "w"), bridge("br0")), States: states("team", `{"name":"t0"}`, `{"name":"t0","ports":["v","w"],"up":false}`, `{"name":"t0","ports":["v"],"mtu":1400}`,
		`{"name":"t0","ports":[],"master":"br0"}`), Rejects: []Reject{{`{"name":"t0","ports":["v","v"]}`, "ports[1]"}}}
}

// ports attaches devices to a master.
func ports(master string, devs ...string) func(context.Context, host.Host, string) error {
	return func(ctx context.Context, h host.Host, _ string) error {
		n, err := h.Net(ctx, "")
		if err != nil {
			return err
		}
		for _, dev := range devs {
			if err := n.Links().Set(ctx, host.Link{Name: dev, Master: &master}); err != nil {
				return err
			}
		}
		return nil
	}
}

func bridgePortSuite() Suite {
	return Suite{Module: "bridge_port", Setup: setups(wires("v", "w"), bridge("br0"), ports("br0", "v", "w")), States: states("bridge_port", `{"dev":"v"}`, `{"dev":"v","learning":false,"flood":false,"isolated":true}`,
		`{"dev":"v","learning":true,"mcast_flood":false,"bcast_flood":false,"hairpin":true,"guard":true,"cost":7}`, `{"dev":"v","root_block":true,"fast_leave":true,"neigh_suppress":true,"proxy_arp":true,"priority":3,"cost":2}`,
		`{"dev":"v","isolated":false,"flood":true,"mcast_router":2,"backup_port":"w","group_fwd_mask":8,"mcast_to_unicast":true}`, `{"dev":"v","backup_port":"","locked":true,"vlan_tunnel":true,"proxy_arp_wifi":true,"guard":false}`),
		Rejects: []Reject{{`{"dev":"v","cost":0}`, "cost"}, {`{"dev":"v","priority":64}`, "priority"}, {`{"dev":"v","group_fwd_mask":4}`, "group_fwd_mask"}, {`{"dev":"a/b"}`, "dev"}}}
}

func bridgeVLANsSuite() Suite {
	return Suite{Module: "bridge_vlan", Needs: []string{"vlan_filtering"}, Setup: setups(wires("v", "w"), bridge("br0"), ports("br0", "v", "w")), States: states("bridge_vlan", `{"dev":"v","vids":["10"]}`,
		`{"dev":"v","vids":["10","100-110"],"pvid":10,"untagged":["10"],"exclusive":true}`, `{"dev":"v","vids":["105","100-103"],"pvid":0,"untagged":["101"]}`, `{"dev":"v","vids":[],"exclusive":true}`,
		`{"dev":"v","vids":["1"],"pvid":1,"untagged":["1"],"exclusive":true}`, `{"dev":"v","vids":["2-4094"],"untagged":[]}`),
		Rejects: []Reject{{`{"dev":"v"}`, "vids"}, {`{"dev":"v","vids":["0"]}`, "vids[0]"}, {`{"dev":"v","vids":["4095"]}`, "vids[0]"}, {`{"dev":"v","vids":["1","5-1"]}`, "vids[1]"},
			{`{"dev":"v","vids":["1-5","3"]}`, "vids[1]"}, {`{"dev":"v","vids":["x"]}`, "vids[0]"}, {`{"dev":"v","vids":["1"],"pvid":2}`, "pvid"}, {`{"dev":"v","vids":["1"],"untagged":["2"]}`, "untagged"}}}
}

func bridgeOwnVLANsSuite() Suite {
	return Suite{Module: "bridge_vlan", Name: "bridge_vlan of the bridge", Needs: []string{"vlan_filtering", "vrf"}, // with a master of its own
		Setup:  setups(wires("v"), bridge("br0"), ports("br0", "v"), made(host.Link{Name: "red", Kind: "vrf", Data: host.Attrs{"table": 9.0}}), ports("red", "br0")),
		States: states("bridge_vlan", `{"dev":"br0","vids":["10"]}`, `{"dev":"br0","vids":["20-25"],"pvid":20,"untagged":["20-22"],"exclusive":true}`, `{"dev":"br0","vids":[],"exclusive":true}`)}
}
