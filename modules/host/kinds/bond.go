package kinds

var onOff = []Value{{"off", 0}, {"on", 1}}

var bond = Kind{Name: "bond", Attrs: []Attr{
	{Name: "mode", Num: 1, Wire: U8 | Word, Default: "balance-rr", Words: []Value{{"balance-rr", 0}, {"active-backup", 1}, {"balance-xor", 2},
		{"broadcast", 3}, {"802.3ad", 4}, {"balance-tlb", 5}, {"balance-alb", 6}}},
	{Name: "miimon", Num: 3, Wire: U32, Default: 0.0},
	{Name: "updelay", Num: 4, Wire: U32, Default: 0.0, Beside: "miimon"},
	{Name: "downdelay", Num: 5, Wire: U32, Default: 0.0, Beside: "miimon"},
	{Name: "arp_interval", Num: 7, Wire: U32, Default: 0.0},
	{Name: "arp_ip_target", Num: 8, Wire: Addrs, Default: ""},
	{Name: "arp_validate", Num: 9, Wire: U32 | Word, Default: "none", Words: []Value{{"none", 0}, {"active", 1}, {"backup", 2}, {"all", 3}, {"filter", 4},
		{"filter_active", 5}, {"filter_backup", 6}}},
	{Name: "arp_all_targets", Num: 10, Wire: U32 | Word, Default: "any", Words: []Value{{"any", 0}, {"all", 1}}},
	{Name: "primary", Num: 11, Wire: U32 | Device, Default: ""},
	{Name: "primary_reselect", Num: 12, Wire: U8 | Word, Default: "always", Words: []Value{{"always", 0}, {"better", 1}, {"failure", 2}}},
	{Name: "fail_over_mac", Num: 13, Wire: U8 | Word, Default: "none", Words: []Value{{"none", 0}, {"active", 1}, {"follow", 2}}},
	{Name: "xmit_hash_policy", Num: 14, Wire: U8 | Word, Default: "layer2", Words: []Value{{"layer2", 0}, {"layer3+4", 1}, {"layer2+3", 2}, {"encap2+3", 3},
		{"encap3+4", 4}, {"vlan+srcmac", 5}}},
	{Name: "resend_igmp", Num: 15, Wire: U32, Default: 1.0},
	{Name: "num_peer_notif", Num: 16, Wire: U8, Default: 1.0},
	{Name: "all_ports_active", Num: 17, Wire: U8 | Bool, Default: false},
	{Name: "min_links", Num: 18, Wire: U32, Default: 0.0},
	{Name: "lp_interval", Num: 19, Wire: U32, Default: 1.0},
	{Name: "lacp_rate", Num: 21, Wire: U8 | Word, Default: "slow", Words: []Value{{"slow", 0}, {"fast", 1}}},
	{Name: "ad_select", Num: 22, Wire: U8 | Word, Default: "stable", Words: []Value{{"stable", 0}, {"bandwidth", 1}, {"count", 2}}},
	{Name: "tlb_dynamic_lb", Num: 27, Wire: U8 | Bool, Default: true},
	{Name: "lacp_active", Num: 29, Wire: U8 | Word, Default: "on", Words: onOff},
}}
