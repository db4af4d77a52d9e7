package kinds

var vlanProtocols = []Value{{"802.1Q", 0x8100}, {"802.1ad", 0x88a8}}

var onOffAuto = []Value{{"unset", 0}, {"set", 1}, {"inherit", 2}} // enum ifla_vxlan_df, ifla_geneve_df

// all are the kinds, as include/uapi/linux/if_link.h numbers their attributes.
var all = []Kind{
	{Name: "bridge", Attrs: []Attr{
		{Name: "forward_delay", Num: 1, Wire: U32 | Seconds, Default: 15.0},
		{Name: "hello_time", Num: 2, Wire: U32 | Seconds, Default: 2.0},
		{Name: "max_age", Num: 3, Wire: U32 | Seconds, Default: 20.0},
		{Name: "ageing_time", Num: 4, Wire: U32 | Seconds, Default: 300.0},
		{Name: "stp_state", Num: 5, Wire: U32 | Bool, Default: false},
		{Name: "priority", Num: 6, Wire: U16, Default: 32768.0},
		{Name: "vlan_filtering", Num: 7, Wire: U8 | Bool, Default: false},
		{Name: "vlan_protocol", Num: 8, Wire: BE16 | Word, Words: vlanProtocols, Default: "802.1Q"},
		{Name: "group_fwd_mask", Num: 9, Wire: U16, Default: 0.0},
		{Name: "mcast_router", Num: 22, Wire: U8, Default: 1.0},
		{Name: "mcast_snooping", Num: 23, Wire: U8 | Bool, Default: true},
		{Name: "mcast_query_use_ifaddr", Num: 24, Wire: U8 | Bool, Default: false},
		{Name: "mcast_querier", Num: 25, Wire: U8 | Bool, Default: false},
		{Name: "mcast_hash_max", Num: 27, Wire: U32, Default: 4096.0},
		{Name: "mcast_last_member_count", Num: 28, Wire: U32, Default: 2.0},
		{Name: "mcast_startup_query_count", Num: 29, Wire: U32, Default: 2.0},
		{Name: "mcast_last_member_interval", Num: 30, Wire: U64 | Seconds, Default: 1.0},
		{Name: "mcast_membership_interval", Num: 31, Wire: U64 | Seconds, Default: 260.0},
		{Name: "mcast_querier_interval", Num: 32, Wire: U64 | Seconds, Default: 255.0},
		{Name: "mcast_query_interval", Num: 33, Wire: U64 | Seconds, Default: 125.0},
		{Name: "mcast_query_response_interval", Num: 34, Wire: U64 | Seconds, Default: 10.0},
		{Name: "nf_call_iptables", Num: 36, Wire: U8 | Bool, Default: false},
		{Name: "nf_call_ip6tables", Num: 37, Wire: U8 | Bool, Default: false},
		{Name: "nf_call_arptables", Num: 38, Wire: U8 | Bool, Default: false},
		{Name: "vlan_default_pvid", Num: 39, Wire: U16, Default: 1.0},
		{Name: "vlan_stats_enabled", Num: 41, Wire: U8 | Bool, Default: false},
		{Name: "mcast_stats_enabled", Num: 42, Wire: U8 | Bool, Default: false},
		{Name: "mcast_igmp_version", Num: 43, Wire: U8, Default: 2.0},
		{Name: "mcast_mld_version", Num: 44, Wire: U8, Default: 1.0},
		{Name: "vlan_stats_per_port", Num: 45, Wire: U8 | Bool, Default: false},
	}},
	{Name: "vxlan", Link: 3, Attrs: []Attr{
		{Name: "vni", Num: 1, Wire: U32},
		{Name: "remote", Num: 2, Also: 16, Wire: Unicast},
		{Name: "group", Num: 2, Also: 16, Wire: Multicast},
		{Name: "local", Num: 4, Also: 17, Wire: Addr},
		{Name: "ttl", Num: 5, Wire: U8, Default: 0.0},
		{Name: "tos", Num: 6, Wire: U8, Default: 0.0},
		{Name: "learning", Num: 7, Wire: U8 | Bool, Default: true},
		{Name: "ageing", Num: 8, Wire: U32, Default: 300.0},
		{Name: "srcport_min", Num: 10, Wire: BE16, Default: 0.0},
		{Name: "srcport_max", Num: 10, Wire: BE16, At: 2, Default: 0.0},
		{Name: "dstport", Num: 15, Wire: BE16, Default: 8472.0},
	}},
	{Name: "macvlan", Attrs: []Attr{
		{Name: "mode", Num: 1, Wire: U32 | Word, Words: macvlanModes, Default: "vepa"},
	}},
	{Name: "vlan", Attrs: []Attr{
		{Name: "id", Num: 1, Wire: U16},
		{Name: "reorder_hdr", Num: 2, Wire: U32 | Bool, Bit: 1, Mask: true, Default: true},
		{Name: "gvrp", Num: 2, Wire: U32 | Bool, Bit: 2, Mask: true, Default: false},
		{Name: "loose_binding", Num: 2, Wire: U32 | Bool, Bit: 4, Mask: true, Default: false},
		{Name: "mvrp", Num: 2, Wire: U32 | Bool, Bit: 8, Mask: true, Default: false},
		{Name: "bridge_binding", Num: 2, Wire: U32 | Bool, Bit: 16, Mask: true, Default: false},
		{Name: "egress_qos_map", Num: 3, Wire: QoS, Default: ""},
		{Name: "ingress_qos_map", Num: 4, Wire: QoS, Default: ""},
		{Name: "protocol", Num: 5, Wire: BE16 | Word, Words: vlanProtocols, Default: "802.1Q"},
	}},
	{Name: "tun", Attrs: []Attr{
		{Name: "owner", Num: 1, Wire: U32},
		{Name: "mode", Num: 3, Wire: U8 | Word, Words: []Value{{"tun", 1}, {"tap", 2}}, Default: "tap"},
		{Name: "multi_queue", Num: 7, Wire: U8 | Bool, Default: false},
	}},
	{Name: "veth"}, {Name: "dummy"}, {Name: "ifb"},
}

var macvlanModes = []Value{{"private", 1}, {"vepa", 2}, {"bridge", 4}, {"passthru", 8}, {"source", 16}}

// ports are what a device has as a port of a master of some kind.
var ports = []Kind{}
