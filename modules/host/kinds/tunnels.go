package kinds

var dontFragment = []Value{{"unset", 0}, {"set", 1}, {"inherit", 2}} // enum ifla_vxlan_df, ifla_geneve_df

// The flags of a GRE header that say which of its fields are there (RFC 2890).
const (
	greCsum = 0x8000
	greKey  = 0x2000
	greSeq  = 0x1000
)

// gre is a kind of GRE tunnel: of packets or of frames (tap), over IPv4 or over IPv6 (linux/if_tunnel.h).
func gre(name string, over6 bool) Kind {
	k := Kind{Name: name, Link: 1, Whole: true, Routed: true, Family: 4, Attrs: []Attr{
		{Name: "icsum", Num: 2, Wire: BE16 | Bool, Bit: greCsum, Default: false},
		{Name: "iseq", Num: 2, Wire: BE16 | Bool, Bit: greSeq, Default: false},
		{Name: "ocsum", Num: 3, Wire: BE16 | Bool, Bit: greCsum, Default: false},
		{Name: "oseq", Num: 3, Wire: BE16 | Bool, Bit: greSeq, Default: false},
		{Name: "ikey", Num: 4, Wire: BE32, Bit: greKey, Also: 2, Default: -1.0, Min: -1, Max: 1<<32 - 1},
		{Name: "okey", Num: 5, Wire: BE32, Bit: greKey, Also: 3, Default: -1.0, Min: -1, Max: 1<<32 - 1},
		{Name: "local", Num: 6, Wire: Addr, Default: ""},
		{Name: "remote", Num: 7, Wire: Addr, Default: ""},
		{Name: "ttl", Num: 8, Wire: U8, Default: 0.0},
		{Name: "fwmark", Num: 20, Wire: U32, Default: 0.0},
	}}
	if over6 {
		k.Family = 6
		k.Attrs = append(k.Attrs, Attr{Name: "encap_limit", Num: 11, Wire: U8, Default: 0.0}, Attr{Name: "flowinfo", Num: 12, Wire: BE32, Default: 0.0, Max: 1<<28 - 1}, Attr{Name: "ign_encap_limit", Num: 13, Wire: U32 | Bool, Bit: 1, Default: false}, Attr{Name: "use_orig_tclass", Num: 13, Wire: U32 | Bool, Bit: 2, Default: false},
			Attr{Name: "use_orig_flowlabel", Num: 13, Wire: U32 | Bool, Bit: 4, Default: false}, Attr{Name: "use_orig_fwmark", Num: 13, Wire: U32 | Bool, Bit: 0x20, Default: false})
		return k
	}
	k.Attrs = append(k.Attrs, Attr{Name: "tos", Num: 9, Wire: U8, Default: 0.0}, Attr{Name: "pmtudisc", Num: 10, Wire: U8 | Bool, Default: true},
		Attr{Name: "ignore_df", Num: 19, Wire: U8 | Bool, Default: false})
	return k
}

// ipip is a kind of tunnel of IP in IPv4: ipip, or IPv6 in it, sit.
func ipip(name string) Kind {
	mode, ttl := "ipip", 0.0
	if name == "sit" {
		mode, ttl = "ip6ip", 64.0
	}
	return Kind{Name: name, Link: 1, Whole: true, Routed: true, Family: 4, Attrs: []Attr{
		{Name: "local", Num: 2, Wire: Addr, Default: ""},
		{Name: "remote", Num: 3, Wire: Addr, Default: ""},
		{Name: "ttl", Num: 4, Wire: U8, Default: ttl},
		{Name: "tos", Num: 5, Wire: U8, Default: 0.0},
		{Name: "mode", Num: 9, Wire: U8 | Word, Words: []Value{{"any", 0}, {"ipip", 4}, {"ip6ip", 41}, {"mplsip", 137}}, Default: mode},
		{Name: "pmtudisc", Num: 10, Wire: U8 | Bool, Default: true},
		{Name: "fwmark", Num: 20, Wire: U32, Default: 0.0},
	}}
}

var geneve = Kind{Name: "geneve", Routed: true, Attrs: []Attr{
	{Name: "vni", Num: 1, Wire: U32, Default: 0.0, Max: 1<<24 - 1},
	{Name: "remote", Num: 2, Also: 7, Wire: Addr},
	{Name: "ttl", Num: 3, Wire: U8, Default: 0.0},
	{Name: "tos", Num: 4, Wire: U8, Default: 0.0},
	{Name: "dstport", Num: 5, Wire: BE16, Default: 6081.0, Min: 1},
	{Name: "external", Num: 6, Wire: None, Default: false},
	{Name: "udp_csum", Num: 8, Wire: U8 | Bool, Default: false},
	{Name: "udp_zero_csum6_tx", Num: 9, Wire: U8 | Bool, Default: false},
	{Name: "udp_zero_csum6_rx", Num: 10, Wire: U8 | Bool, Default: false, Six: true},
	{Name: "flowlabel", Num: 11, Wire: BE32, Default: 0.0, Max: 1<<20 - 1},
	{Name: "ttl_inherit", Num: 12, Wire: U8 | Bool, Default: false, By: "ttl"},
	{Name: "df", Num: 13, Wire: U8 | Word, Words: dontFragment, Default: "unset"},
}}
