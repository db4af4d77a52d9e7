// Package iptables turns the arguments of a rule into the text that iptables-save prints for it, and finds what is wrong with
// them before any host is touched. It knows no host, no module and no process; names that only a machine can resolve (users,
// unusual protocols) it passes on, and the machine's own iptables has the last word on every text.
package iptables

// Rule holds the matches and the target of one iptables rule, named after the long options of iptables(8) and
// iptables-extensions(8). A leading "!" in a value negates the match, as in "! eth0"; in a list it stands in the first element.
type Rule struct {
	Protocol     string `json:"protocol,omitempty" lab:"option" doc:"Protocol: tcp, udp, icmp, icmpv6, sctp, esp, ... or a number."`
	Source       string `json:"source,omitempty" lab:"option" doc:"Source address, ADDRESS[/LENGTH or /MASK]; several with commas make one rule each. Host names are refused."`
	Destination  string `json:"destination,omitempty" lab:"option" doc:"Destination address, like source."`
	InInterface  string `json:"in_interface,omitempty" lab:"option" doc:"Interface the packet came in by; a trailing + matches any rest of the name."`
	OutInterface string `json:"out_interface,omitempty" lab:"option" doc:"Interface the packet leaves by, like in_interface."`
	Fragment     *bool  `json:"fragment,omitempty" lab:"option" doc:"Second and further IPv4 fragments (true), or only packets that are not (false)."`

	SourcePort       string    `json:"source_port,omitempty" lab:"option" doc:"Source port, or range LOW:HIGH; needs protocol."`
	DestinationPort  string    `json:"destination_port,omitempty" lab:"option" doc:"Destination port, or range LOW:HIGH; needs protocol."`
	SourcePorts      []string  `json:"source_ports,omitempty" lab:"option" doc:"Up to 15 source ports and ranges (multiport)."`
	DestinationPorts []string  `json:"destination_ports,omitempty" lab:"option" doc:"Up to 15 destination ports and ranges (multiport)."`
	Ports            []string  `json:"ports,omitempty" lab:"option" doc:"Up to 15 ports and ranges, of either end (multiport)."`
	TCPFlags         *TCPFlags `json:"tcp_flags,omitempty" lab:"option" doc:"TCP flags to look at, and which of them must be set."`
	Syn              *bool     `json:"syn,omitempty" lab:"option" doc:"TCP packets that open a connection (true), or all others (false)."`
	ICMPType         string    `json:"icmp_type,omitempty" lab:"option" doc:"ICMP or ICMPv6 type: a name, TYPE or TYPE/CODE; needs protocol."`

	CTState          []string `json:"ctstate,omitempty" lab:"option" doc:"Connection states (conntrack): NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED, SNAT, DNAT."`
	CTStatus         []string `json:"ctstatus,omitempty" lab:"option" doc:"Connection statuses (conntrack): NONE, EXPECTED, SEEN_REPLY, ASSURED, CONFIRMED."`
	State            []string `json:"state,omitempty" lab:"option" doc:"Connection states in the older match state."`
	Mark             string   `json:"mark,omitempty" lab:"option" doc:"Packet mark, VALUE[/MASK], decimal or 0x."`
	ConnMark         string   `json:"connmark,omitempty" lab:"option" doc:"Connection mark, VALUE[/MASK]."`
	SrcType          string   `json:"src_type,omitempty" lab:"option" doc:"Types of the source address, with commas (addrtype): LOCAL, UNICAST, BROADCAST, ..."`
	DstType          string   `json:"dst_type,omitempty" lab:"option" doc:"Types of the destination address, with commas (addrtype)."`
	SrcRange         string   `json:"src_range,omitempty" lab:"option" doc:"Source addresses FROM-TO (iprange)."`
	DstRange         string   `json:"dst_range,omitempty" lab:"option" doc:"Destination addresses FROM-TO (iprange)."`
	MACSource        string   `json:"mac_source,omitempty" lab:"option" doc:"Source MAC address."`
	PhysdevIn        string   `json:"physdev_in,omitempty" lab:"option" doc:"Bridge port the packet came in by."`
	PhysdevOut       string   `json:"physdev_out,omitempty" lab:"option" doc:"Bridge port the packet leaves by."`
	PhysdevIsIn      *bool    `json:"physdev_is_in,omitempty" lab:"option" doc:"Packets that came in by a bridge port (true), or did not (false)."`
	PhysdevIsOut     *bool    `json:"physdev_is_out,omitempty" lab:"option" doc:"Packets that leave by a bridge port (true), or do not (false)."`
	PhysdevIsBridged *bool    `json:"physdev_is_bridged,omitempty" lab:"option" doc:"Packets that are bridged and not routed (true), or are not (false)."`
	UIDOwner         string   `json:"uid_owner,omitempty" lab:"option" doc:"User that sent the packet, by name, number or range."`
	GIDOwner         string   `json:"gid_owner,omitempty" lab:"option" doc:"Group that sent the packet, by name, number or range."`
	MatchSet         string   `json:"match_set,omitempty" lab:"option" doc:"IP set that the packet is in, and by which of its ends: NAME src, NAME dst, NAME src,dst (set)."`
	Limit            string   `json:"limit,omitempty" lab:"option" doc:"Mean rate N/UNIT with unit second, minute, hour or day."`
	LimitBurst       *int     `json:"limit_burst,omitempty" lab:"option" doc:"Packets that may pass before the limit holds." default:"5"`
	Arguments        []string `json:"arguments,omitempty" lab:"option" doc:"Words of iptables for what has no argument here, one each; a last resort."`
	Comment          string   `json:"comment,omitempty" lab:"option" doc:"Comment, up to 255 bytes; part of the rule."`

	Jump           string `json:"jump,omitempty" lab:"option" doc:"Target: ACCEPT, DROP, REJECT, RETURN, LOG, SNAT, DNAT, MASQUERADE, REDIRECT, MARK, CONNMARK, TCPMSS, NOTRACK, CT, CHECKSUM, ... or a chain."`
	Goto           string `json:"goto,omitempty" lab:"option" doc:"Chain to go on in, without coming back."`
	ToSource       string `json:"to_source,omitempty" lab:"option" doc:"SNAT: new source ADDRESS[-ADDRESS][:PORT[-PORT]]."`
	ToDestination  string `json:"to_destination,omitempty" lab:"option" doc:"DNAT: new destination [ADDRESS[-ADDRESS]][:PORT[-PORT]]."`
	ToPorts        string `json:"to_ports,omitempty" lab:"option" doc:"MASQUERADE and REDIRECT: PORT[-PORT]."`
	Random         bool   `json:"random,omitempty" lab:"option" doc:"NAT targets: randomise the port mapping."`
	RandomFully    bool   `json:"random_fully,omitempty" lab:"option" doc:"SNAT and MASQUERADE: randomise the port mapping fully."`
	Persistent     bool   `json:"persistent,omitempty" lab:"option" doc:"SNAT and DNAT: give a client the same address for each connection."`
	LogPrefix      string `json:"log_prefix,omitempty" lab:"option" doc:"LOG: text in front, up to 29 bytes; the kernel has no room for more."`
	LogLevel       string `json:"log_level,omitempty" lab:"option" doc:"LOG: level of syslog, a name or a number." default:"warning"`
	LogTCPSequence bool   `json:"log_tcp_sequence,omitempty" lab:"option" doc:"LOG: TCP sequence numbers too."`
	LogTCPOptions  bool   `json:"log_tcp_options,omitempty" lab:"option" doc:"LOG: TCP options too."`
	LogIPOptions   bool   `json:"log_ip_options,omitempty" lab:"option" doc:"LOG: IP options too."`
	LogUID         bool   `json:"log_uid,omitempty" lab:"option" doc:"LOG: the user that sent the packet too."`
	RejectWith     string `json:"reject_with,omitempty" lab:"option" doc:"REJECT: the answer, such as icmp-port-unreachable, icmp6-adm-prohibited or tcp-reset."`
	SetMark        string `json:"set_mark,omitempty" lab:"option" doc:"MARK and CONNMARK: VALUE[/MASK]; clears the bits of MASK, then sets VALUE."`
	SetXMark       string `json:"set_xmark,omitempty" lab:"option" doc:"MARK and CONNMARK: VALUE[/MASK]; clears the bits of MASK, then XORs VALUE."`
	SaveMark       bool   `json:"save_mark,omitempty" lab:"option" doc:"CONNMARK: copy the packet mark to the connection."`
	RestoreMark    bool   `json:"restore_mark,omitempty" lab:"option" doc:"CONNMARK: copy the connection mark to the packet."`
	NFMask         string `json:"nfmask,omitempty" lab:"option" doc:"CONNMARK: bits of the packet mark to copy." default:"0xffffffff"`
	CTMask         string `json:"ctmask,omitempty" lab:"option" doc:"CONNMARK: bits of the connection mark to copy." default:"0xffffffff"`
	ClampMSSToPMTU bool   `json:"clamp_mss_to_pmtu,omitempty" lab:"option" doc:"TCPMSS: bound the segment size by the path MTU."`
	SetMSS         *int   `json:"set_mss,omitempty" lab:"option" doc:"TCPMSS: set the segment size, in bytes."`
	NoTrack        bool   `json:"notrack,omitempty" lab:"option" doc:"CT: do not track the connection."`
	ChecksumFill   bool   `json:"checksum_fill,omitempty" lab:"option" doc:"CHECKSUM: fill in the checksum that the kernel leaves to a NIC."`
}

// TCPFlags select TCP packets by their flags.
type TCPFlags struct {
	Mask []string `json:"mask" lab:"required" doc:"Flags to look at: SYN, ACK, FIN, RST, URG, PSH, ALL or NONE. A leading ! in the first negates the match."`
	Comp []string `json:"comp" lab:"required" doc:"Those of them that must be set."`
}
