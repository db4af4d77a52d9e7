package modulestest

import (
	"context"

	"labctl/modules"
	"labctl/modules/host"
)

// Network returns the suites of the modules that manage the kernel's network objects.
func Network() []Suite {
	return append([]Suite{
		netnsSuite(), linkSuite(), linkMoveSuite(), vethSuite(), bridgeSuite(), vxlanSuite(), vxlanGroupSuite(), vxlan6Suite(), vxlanFamilySuite(), macvlanSuite(), vlanSuite(),
		tuntapSuite(), addressSuite(), addressExclusiveSuite(), routeSuite(), route6Suite(), ruleSuite(), rule6Suite(), sysctlSuite(), forwardSuite(),
		neighSuite(), neigh6Suite(), fdbFloodSuite(), fdbRemoteSuite(), fdbBridgeSuite(),
		qdiscSuite(), qdiscCodelSuite(), qdiscIngressSuite(), qdiscNetemSuite(), qdiscHTBSuite(), qdiscLeafSuite(),
		nftablesSuite(), nftablesDeviceSuite(), ipsetSuite(), ipsetTypesSuite(), ipsetTimeoutSuite(), wireguardSuite(),
	}, Links()...)
}

func ptr[T any](v T) *T { return &v }

// states makes calls of one module.
func states(module string, params ...string) []modules.Call {
	var out []modules.Call
	for _, p := range params {
		out = append(out, State(module, p))
	}
	return out
}

// wires makes veth pairs, both ends up, in the host's own namespace: end points that every kernel has.
func wires(names ...string) func(context.Context, host.Host, string) error {
	return func(ctx context.Context, h host.Host, _ string) error {
		n, err := h.Net(ctx, "")
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := n.Links().Create(ctx, host.Link{Name: name, Kind: "veth", Up: ptr(true), Peer: &host.LinkRef{Name: name + "p"}}); err != nil {
				return err
			}
			if err := n.Links().Set(ctx, host.Link{Name: name + "p", Up: ptr(true)}); err != nil {
				return err
			}
		}
		return nil
	}
}

// setups runs several.
func setups(fs ...func(context.Context, host.Host, string) error) func(context.Context, host.Host, string) error {
	return func(ctx context.Context, h host.Host, dir string) error {
		for _, f := range fs {
			if err := f(ctx, h, dir); err != nil {
				return err
			}
		}
		return nil
	}
}

// addresses gives a device addresses.
func addresses(dev string, cidrs ...string) func(context.Context, host.Host, string) error {
	return func(ctx context.Context, h host.Host, _ string) error {
		n, err := h.Net(ctx, "")
		if err != nil {
			return err
		}
		for _, c := range cidrs {
			if err := n.Addrs().Add(ctx, host.Addr{Link: dev, CIDR: c, NoDAD: true}); err != nil {
				return err
			}
		}
		return nil
	}
}

// namespaces makes named namespaces.
func namespaces(names ...string) func(context.Context, host.Host, string) error {
	return func(ctx context.Context, h host.Host, _ string) error {
		for _, name := range names {
			if err := h.NetNS().Create(ctx, name); err != nil {
				return err
			}
		}
		return nil
	}
}

func netnsSuite() Suite {
	return Suite{Module: "netns", States: states("netns", `{"name":"a"}`), Rejects: []Reject{{`{"name":"a/b"}`, "name"}, {`{"name":".."}`, "name"}, {`{}`, "name"}}}
}

func linkSuite() Suite {
	return Suite{Module: "link", Setup: wires("v"), States: append(states("link", `{"name":"v"}`, `{"name":"v","up":false}`, `{"name":"v","up":true}`,
		`{"name":"v","mtu":1400,"promisc":true,"alias":"up link"}`, `{"name":"v","mtu":9000,"promisc":false,"alias":"","txqueuelen":7,"devgroup":4}`,
		`{"name":"v","address":"02:00:00:00:AA:01","allmulticast":true,"arp":false}`,
		`{"name":"v","address":"02:00:00:00:aa:02","allmulticast":false,"arp":true,"up":true}`), Absent("link", `{"name":"nothing"}`)),
		Rejects: []Reject{{`{"name":"sixteencharacter"}`, "name"}, {`{"name":"v","mtu":1}`, "mtu"}, {`{"name":"v","address":"01:00:5e:00:00:01"}`, "address"},
			{`{"name":"v","address":"x"}`, "address"}, {`{"name":"a b"}`, "name"}, {`{"name":"v","master":"a/b"}`, "master"}}}
}

func linkMoveSuite() Suite {
	return Suite{Module: "link", Name: "link across namespaces", Setup: setups(wires("v"), addresses("v", "10.0.0.1/24", "fd00::1/64"), namespaces("a", "b")),
		States: append(states("link", `{"name":"v","netns":"a","from":"","up":true}`), Absent("link", `{"name":"v","netns":"b"}`))}
}

func vethSuite() Suite {
	return Suite{Module: "veth", Setup: setups(namespaces("a", "b"), bridge("br0")), States: states("veth", `{"name":"v0","peer":"v1"}`,
		`{"name":"v0","peer":"v1","up":false,"peer_up":false}`, `{"name":"v0","peer":"v1","peer_netns":"a"}`, `{"name":"v0","peer":"v1","peer_netns":"b","mtu":1400}`,
		`{"name":"v0","peer":"v2","peer_netns":"b","mtu":1500,"peer_mtu":1300}`, `{"name":"v0","peer":"v1","peer_netns":"","peer_address":"02:00:00:00:00:07"}`,
		`{"name":"v0","peer":"v1","peer_netns":"","master":"br0"}`, `{"name":"v0","peer":"v1","master":"","alias":"here"}`, `{"name":"v0","peer":"v0","peer_netns":"a"}`),
		Rejects: []Reject{{`{"name":"v0","peer":"v0"}`, "peer"}, {`{"name":"v0"}`, "peer"}, {`{"name":"v0","peer":"v1","peer_address":"y"}`, "peer_address"}}}
}

func bridge(name string) func(context.Context, host.Host, string) error {
	return made(host.Link{Name: name, Kind: "bridge", Up: ptr(true)})
}

// made makes a device.
func made(l host.Link) func(context.Context, host.Host, string) error {
	return func(ctx context.Context, h host.Host, _ string) error {
		n, err := h.Net(ctx, "")
		if err != nil {
			return err
		}
		return n.Links().Create(ctx, l)
	}
}

func bridgeSuite() Suite {
	return Suite{Module: "bridge", Setup: wires("v", "w", "x"), States: states("bridge", `{"name":"br0"}`, `{"name":"br0","ports":[],"vlan_filtering":false}`, `{"name":"br0","ports":["v","w"]}`,
		`{"name":"br0","ports":["w","v","x"],"mtu":1400}`, `{"name":"br0","ports":["x"],"up":false,"mtu":1500}`, `{"name":"br0","stp_state":true,"forward_delay":4,"hello_time":1.5,"max_age":10}`,
		`{"name":"br0","stp_state":false,"forward_delay":15,"priority":4096,"ageing_time":0.5,"mcast_snooping":false}`,
		`{"name":"br0","address":"02:00:00:00:00:99","priority":32768,"mcast_snooping":true,"promisc":true}`,
		`{"name":"br0","group_fwd_mask":8,"group_address":"01:80:C2:00:00:0e","no_linklocal_learn":true,"mcast_querier":true,"mcast_router":2,"mcast_igmp_version":3,"mcast_query_interval":60}`,
		`{"name":"br0","group_fwd_mask":0,"no_linklocal_learn":false,"mcast_querier":false,"mcast_hash_max":512,"mcast_mld_version":2,"mcast_query_use_ifaddr":true,"mcast_last_member_count":3}`),
		Rejects: []Reject{{`{"name":"br0","ports":["a","a"]}`, "ports[1]"}, {`{"name":"br0","ports":["br0"]}`, "ports[0]"}, {`{"name":"br0","priority":65536}`, "priority"},
			{`{"name":"br0","hello_time":11}`, "hello_time"}, {`{"name":"br0","mtu":70000}`, "mtu"}, {`{"name":"br0/1"}`, "name"},
			{`{"name":"br0","stp_state":true,"forward_delay":1}`, "forward_delay"}, {`{"name":"br0","group_fwd_mask":1}`, "group_fwd_mask"}, {`{"name":"br0","group_address":"x"}`, "group_address"},
			{`{"name":"br0","mcast_igmp_version":1}`, "mcast_igmp_version"}}}
}

func vxlanSuite() Suite {
	return Suite{Module: "vxlan", Needs: []string{"vxlan"}, Setup: setups(wires("v", "w"), addresses("v", "192.168.50.4/24"), bridge("br0")),
		States: states("vxlan", `{"name":"vx0","vni":100}`, `{"name":"vx0","vni":100,"remote":"192.168.50.5","dev":"v"}`, `{"name":"vx0","vni":100,"remote":"192.168.50.6","dev":"v","ttl":5,"up":false}`,
			`{"name":"vx0","vni":101,"remote":"192.168.50.6","dstport":8472,"mtu":1400}`, `{"name":"vx0","vni":101,"local":"192.168.50.4","learning":false,"ageing":60,"tos":16}`,
			`{"name":"vx0","vni":100,"learning":true,"ageing":300,"master":"br0"}`, `{"name":"vx0","vni":100,"srcport_min":5000,"srcport_max":6000,"dev":"w","master":""}`),
		Rejects: []Reject{{`{"name":"vx0"}`, "vni"}, {`{"name":"vx0","vni":16777216}`, "vni"}, {`{"name":"vx0","vni":1,"remote":"1.2.3.4","group":"239.0.0.1"}`, "group"},
			{`{"name":"vx0","vni":1,"remote":"239.0.0.1"}`, "remote"}, {`{"name":"vx0","vni":1,"group":"1.2.3.4","dev":"v"}`, "group"}, {`{"name":"vx0","vni":1,"group":"239.0.0.1"}`, "dev"},
			{`{"name":"vx0","vni":1,"remote":"x"}`, "remote"}, {`{"name":"vx0","vni":1,"remote":"1.2.3.4","local":"fd00::1"}`, "local"}, {`{"name":"vx0","vni":1,"ttl":256}`, "ttl"},
			{`{"name":"vx0","vni":1,"dstport":0}`, "dstport"}, {`{"name":"vx0","vni":1,"srcport_min":5}`, "srcport_min"}}}
}

func vxlanGroupSuite() Suite {
	return Suite{Module: "vxlan", Name: "vxlan group", Needs: []string{"vxlan"}, Setup: setups(wires("v"), addresses("v", "192.168.50.4/24")),
		States: states("vxlan", `{"name":"vx0","vni":100,"group":"239.255.0.1","dev":"v","ttl":5}`, `{"name":"vx0","vni":100,"group":"239.255.0.2","dev":"v","ttl":8}`)}
}

func vxlan6Suite() Suite {
	return Suite{Module: "vxlan", Name: "vxlan over IPv6", Needs: []string{"vxlan"}, Setup: setups(wires("v"), addresses("v", "fd00::4/64")),
		States: states("vxlan", `{"name":"vx0","vni":100,"remote":"FD00::5","dev":"v"}`, `{"name":"vx0","vni":100,"remote":"fd00::6","dev":"v"}`,
			`{"name":"vx0","vni":100,"group":"ff05::100","dev":"v"}`)}
}

// vxlanFamilySuite goes from one address family to the other, which takes another device.
func vxlanFamilySuite() Suite {
	return Suite{Module: "vxlan", Name: "vxlan over IPv4 and IPv6", Needs: []string{"vxlan"}, Setup: setups(wires("v"), addresses("v", "10.0.0.1/24", "fd00::4/64")),
		States: states("vxlan", `{"name":"vx0","vni":100}`, `{"name":"vx0","vni":100,"remote":"10.0.0.2"}`, `{"name":"vx0","vni":100,"remote":"fd00::5"}`,
			`{"name":"vx0","vni":100,"local":"fd00::4"}`, `{"name":"vx0","vni":100,"local":"10.0.0.1"}`, `{"name":"vx0","vni":100,"group":"ff05::100","dev":"v"}`)}
}

func macvlanSuite() Suite {
	return Suite{Module: "macvlan", Needs: []string{"macvlan"}, Setup: wires("v", "w"), States: states("macvlan", `{"name":"mv0","dev":"v"}`, `{"name":"mv0","dev":"v","mode":"private","mtu":1400}`,
		`{"name":"mv0","dev":"w","mode":"vepa","up":false}`, `{"name":"mv0","dev":"w","mode":"passthru","nopromisc":true}`, `{"name":"mv0","dev":"w","bcqueuelen":500}`,
		`{"name":"mv0","dev":"v","mode":"source","nodst":true}`), Rejects: []Reject{{`{"name":"mv0"}`, "dev"}, {`{"name":"mv0","dev":"v","mode":"x"}`, "mode"}}}
}

func vlanSuite() Suite {
	return Suite{Module: "vlan", Needs: []string{"vlan"}, Setup: setups(wires("v", "w"), bridge("br0")), States: states("vlan", `{"name":"v.100"}`, `{"name":"v.100","mtu":1400,"up":false}`,
		`{"name":"v.100","id":101,"egress_qos_map":["6:5","0:1"],"gvrp":true}`, `{"name":"v.100","egress_qos_map":["0:2"],"ingress_qos_map":["3:70000"],"reorder_hdr":false,"gvrp":false}`,
		`{"name":"v.100","egress_qos_map":[],"ingress_qos_map":[],"reorder_hdr":true,"mvrp":true,"loose_binding":true}`, `{"name":"v.100","dev":"w","protocol":"802.1ad","master":"br0"}`,
		`{"name":"v.100","loose_binding":false,"mvrp":false,"master":"","address":"02:00:00:00:00:05","alias":"service"}`),
		Rejects: []Reject{{`{"name":"v100"}`, "dev"}, {`{"name":"v100","dev":"v"}`, "id"}, {`{"name":"v.4095"}`, "id"}, {`{"name":"v.0"}`, "id"}, {`{"name":"v.1","protocol":"x"}`, "protocol"},
			{`{"name":"v.1","egress_qos_map":["1"]}`, "egress_qos_map[0]"}, {`{"name":"v.1","egress_qos_map":["1:2","1:3"]}`, "egress_qos_map[1]"},
			{`{"name":"v.1","ingress_qos_map":["8:1"]}`, "ingress_qos_map[0]"}, {`{"name":"v.1","dev":"a/b"}`, "dev"}}}
}

func tuntapSuite() Suite {
	return Suite{Module: "tuntap", Needs: []string{"tun"}, Setup: bridge("br0"), States: states("tuntap", `{"name":"tap0"}`, `{"name":"tap0","mode":"tun","mtu":1400}`, `{"name":"tap0","owner":1000,"up":false}`,
		`{"name":"tap0","multi_queue":true,"master":"br0"}`), Rejects: []Reject{{`{"name":"t","mode":"tun","master":"br0"}`, "mode"}}}
}

func addressSuite() Suite {
	return Suite{Module: "address", Setup: setups(wires("v"), addresses("v", "10.9.0.1/24")), States: states("address", `{"dev":"v","cidr":["10.0.0.1/24"]}`, `{"dev":"v","cidr":["10.0.0.1/24","10.0.0.2/24","fd00::1/64"]}`,
		`{"dev":"v","cidr":["10.0.0.3/32"],"nodad":true}`, `{"dev":"v","cidr":["10.9.0.1/24","10.0.0.2/24"]}`),
		Rejects: []Reject{{`{"dev":"v"}`, "cidr"}, {`{"dev":"v","cidr":[]}`, "cidr"}, {`{"dev":"v","cidr":["10.0.0.1"]}`, "cidr[0]"}, {`{"dev":"v","cidr":["10.0.0.1/24","fd00::1/129"]}`, "cidr[1]"},
			{`{"dev":"v","cidr":["10.0.0.1/33"]}`, "cidr[0]"}, {`{"dev":"v","cidr":["224.0.0.1/24"]}`, "cidr[0]"}, {`{"dev":"v","cidr":["10.0.0.1/24","10.0.0.1/24"]}`, "cidr[1]"}}}
}

func addressExclusiveSuite() Suite {
	return Suite{Module: "address", Name: "address exclusive", Setup: setups(wires("v"), addresses("v", "10.9.0.1/24")), States: append(states("address", `{"dev":"v","cidr":["10.0.0.1/24"],"exclusive":true}`,
		`{"dev":"v","cidr":["10.0.0.2/24","10.0.0.1/24"],"exclusive":true}`, `{"dev":"v","cidr":["10.0.0.2/24"],"exclusive":true}`, `{"dev":"v","cidr":["10.0.0.1/16","fd00::1/64"],"exclusive":true,"nodad":true}`,
		`{"dev":"v","cidr":["fd00::2/64","fd00::1/64"],"exclusive":true,"nodad":true}`, `{"dev":"v","cidr":[],"exclusive":true}`), Absent("address", `{"dev":"v","cidr":["10.0.0.1/24","fd00::1/64"]}`))}
}

func routeSuite() Suite {
	return Suite{Module: "route", Setup: setups(wires("v", "w"), addresses("v", "10.0.0.1/24"), addresses("w", "10.1.0.1/24")),
		States: states("route", `{"dst":"10.9.0.0/16","via":"10.0.0.2"}`, `{"dst":"10.9.0.0/16","via":"10.1.0.2","mtu":1400}`, `{"dst":"10.9.0.0/16","dev":"v"}`, `{"dst":"10.9.0.0/16","dev":"w","src":"10.0.0.1"}`,
			`{"dst":"10.9.0.0/16","via":"172.31.0.1","dev":"v","onlink":true}`, `{"dst":"10.9.0.0/16","type":"blackhole"}`, `{"dst":"10.9.0.0/16","type":"unreachable"}`,
			`{"dst":"10.9.0.0/16","nexthop":[{"via":"10.0.0.2"},{"via":"10.1.0.2","weight":3}]}`, `{"dst":"10.9.0.0/16","nexthop":[{"via":"10.1.0.2"},{"dev":"v"}]}`),
		Rejects: []Reject{{`{"dst":"10.9.0.1/16","via":"10.0.0.2"}`, "dst"}, {`{"dst":"x","via":"10.0.0.2"}`, "dst"}, {`{"dst":"10.9.0.0/16"}`, "via"}, {`{"dst":"10.9.0.0/16","via":"10.0.0"}`, "via"},
			{`{"dst":"fd00::/16","via":"10.0.0.2"}`, "via"}, {`{"dst":"10.9.0.0/16","type":"blackhole","dev":"v"}`, "type"}, {`{"dst":"10.9.0.0/16","via":"10.0.0.2","nexthop":[{"dev":"v"}]}`, "nexthop"},
			{`{"dst":"default","via":"fe80::1"}`, "via"}, {`{"dst":"10.0.0.0/8","dev":"v","src":"fd00::1"}`, "src"}, {`{"dst":"10.0.0.0/8","nexthop":[{"dev":"v","weight":257}]}`, "nexthop[0].weight"}}}
}

func route6Suite() Suite {
	return Suite{Module: "route", Name: "route IPv6", Setup: setups(wires("v", "w"), addresses("v", "fd00::1/64"), addresses("w", "fd01::1/64")),
		States: states("route", `{"dst":"default","via":"fd00::2","table":100}`, `{"dst":"::/0","via":"fd01::2","table":100,"mtu":1400}`, `{"dst":"default","family":"inet6","dev":"w","table":100}`,
			`{"dst":"::/0","type":"prohibit","table":100}`, `{"dst":"default","via":"fe80::1","dev":"v","table":100}`,
			`{"dst":"::/0","table":100,"nexthop":[{"via":"fd00::2"},{"via":"fd01::2","weight":3}]}`),
		Rejects: []Reject{{`{"dst":"::/0","nexthop":[{"via":"fd00::2"},{"dev":"v"}]}`, "nexthop[1].via"}}}
}

func ruleSuite() Suite {
	return Suite{Module: "rule", States: states("rule", `{"priority":"100","table":100}`, `{"priority":"100","from":"10.0.0.0/8","table":100}`, `{"priority":"100","from":"10.0.0.0/8","to":"10.1.0.0/16","iif":"lo","table":101}`,
		`{"priority":"100","fwmark":"1","table":100}`, `{"priority":"100","fwmark":"0x10/0xff","not":true,"table":100}`, `{"priority":"100","ipproto":"tcp","dport":"80-90","sport":"1000","table":100}`,
		`{"priority":"100","action":"blackhole","from":"10.0.0.1"}`, `{"priority":"100","table":254,"suppress_prefixlength":0}`, `{"priority":"100","oif":"eth9","table":70000}`),
		Rejects: []Reject{{`{"priority":"0","table":1}`, "priority"}, {`{"priority":"x","table":1}`, "priority"}, {`{"priority":"1"}`, "table"}, {`{"priority":"1","table":1,"from":"10.0.0.1/8"}`, "from"},
			{`{"priority":"1","table":1,"from":"10.0.0.0/8","to":"fd00::/8"}`, "to"}, {`{"priority":"1","table":1,"dport":"80"}`, "dport"}, {`{"priority":"1","table":1,"fwmark":"z"}`, "fwmark"},
			{`{"priority":"1","table":1,"ipproto":"nope"}`, "ipproto"}, {`{"priority":"1","table":1,"action":"prohibit"}`, "table"}}}
}

func rule6Suite() Suite {
	return Suite{Module: "rule", Name: "rule IPv6", States: states("rule", `{"priority":"100","family":"inet6","table":100}`, `{"priority":"100","from":"fd00::/8","table":100}`,
		`{"priority":"100","family":"inet6","ipproto":"udp","dport":"53","action":"unreachable"}`)}
}

// sysctlSuite never sets a parameter absent: it cannot be.
func sysctlSuite() Suite {
	return Suite{Module: "sysctl", Setup: wires("v"), States: append(states("sysctl", `{"key":"net.ipv4.conf.v.rp_filter","value":"1","persist":"@DIR@/lab.conf"}`, `{"key":"net/ipv4/conf/v/rp_filter","value":"2","persist":"@DIR@/lab.conf"}`,
		`{"key":"net.ipv4.conf.v.rp_filter","value":" 0 "}`), Absent("sysctl", `{"key":"net.ipv4.conf.v.rp_filter","persist":"@DIR@/lab.conf"}`)),
		Rejects: []Reject{{`{"key":"net..x","value":"1"}`, "key"}, {`{"key":"net.x"}`, "value"}, {`{"key":"kernel.x","value":"1","netns":"a"}`, "netns"}, {`{"key":"net.x","value":"1","persist":"a"}`, "persist"}}}
}

// forwardSuite sets what the kernel hands on to other parameters, in a namespace made for it.
func forwardSuite() Suite {
	return Suite{Module: "sysctl", Name: "sysctl ip_forward", Setup: setups(namespaces("a")), States: append(states("sysctl", `{"key":"net.ipv4.ip_forward","value":"1","netns":"a"}`,
		`{"key":"net.ipv4.ip_forward","value":"0","netns":"a"}`), Absent("sysctl", `{"key":"net.ipv4.ip_forward","persist":"@DIR@/none"}`))}
}
