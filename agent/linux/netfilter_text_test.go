package linux

import (
	"strings"
	"testing"

	"labctl/modules/host"
	ipt "labctl/modules/iptables"
)

// placed is a rule, where it goes and, if that is not what the generator must find by itself, nothing more: the tool says
// what is right.
type placed struct {
	table, chain string
	rule         ipt.Rule
}

func yes() *bool     { b := true; return &b }
func no() *bool      { b := false; return &b }
func num(n int) *int { return &n }

// bothFamilies are rules that mean the same in IPv4 and IPv6.
func bothFamilies() []placed {
	filter := func(r ipt.Rule) placed { return placed{"filter", "FORWARD", r} }
	tcp := func(r ipt.Rule) placed { r.Protocol, r.Jump = "tcp", "ACCEPT"; return filter(r) }
	ok := func(r ipt.Rule) placed { r.Jump = "ACCEPT"; return filter(r) }
	mangle := func(r ipt.Rule) placed { return placed{"mangle", "FORWARD", r} }
	return []placed{
		ok(ipt.Rule{}),
		ok(ipt.Rule{InInterface: "veth1"}),
		ok(ipt.Rule{InInterface: "eth+", OutInterface: "! eth0.100"}),
		ok(ipt.Rule{InInterface: "+"}),
		ok(ipt.Rule{Protocol: "tcp"}),
		ok(ipt.Rule{Protocol: "! udp"}),
		ok(ipt.Rule{Protocol: "6"}),
		ok(ipt.Rule{Protocol: "ESP"}),
		ok(ipt.Rule{Protocol: "50"}),
		ok(ipt.Rule{Protocol: "all"}),
		ok(ipt.Rule{Protocol: "sctp", DestinationPort: "5"}),
		ok(ipt.Rule{Protocol: "dccp", SourcePort: "5:7"}),
		ok(ipt.Rule{Protocol: "udp", DestinationPort: "53", SourcePort: "! 1024:"}),
		tcp(ipt.Rule{DestinationPort: "8800"}),
		tcp(ipt.Rule{DestinationPort: "80:80"}),
		tcp(ipt.Rule{DestinationPort: "80-90"}),
		tcp(ipt.Rule{DestinationPort: ":1023"}),
		tcp(ipt.Rule{DestinationPort: "0"}),
		tcp(ipt.Rule{DestinationPorts: []string{"80", "443", "1000:2000"}}),
		tcp(ipt.Rule{SourcePorts: []string{"! 80", "443"}, DestinationPorts: []string{"22"}}),
		tcp(ipt.Rule{Ports: []string{"22", "5-5"}}),
		tcp(ipt.Rule{Syn: yes()}),
		tcp(ipt.Rule{Syn: no(), DestinationPort: "22"}),
		tcp(ipt.Rule{TCPFlags: &ipt.TCPFlags{Mask: []string{"RST", "SYN"}, Comp: []string{"SYN"}}}),
		tcp(ipt.Rule{TCPFlags: &ipt.TCPFlags{Mask: []string{"! ALL"}, Comp: []string{"NONE"}}}),
		tcp(ipt.Rule{TCPFlags: &ipt.TCPFlags{Mask: []string{"ALL"}, Comp: []string{"psh", "urg", "fin"}}}),
		tcp(ipt.Rule{DestinationPort: "22", CTState: []string{"NEW"}, Limit: "3/minute", LimitBurst: num(10), Comment: "ssh, slowly"}),
		ok(ipt.Rule{CTState: []string{"ESTABLISHED", "RELATED"}}),
		ok(ipt.Rule{CTState: []string{"! DNAT", "SNAT", "NEW", "INVALID", "UNTRACKED"}}),
		ok(ipt.Rule{CTStatus: []string{"CONFIRMED", "ASSURED"}, CTState: []string{"related"}}),
		ok(ipt.Rule{CTStatus: []string{"NONE"}}),
		ok(ipt.Rule{State: []string{"NEW", "ESTABLISHED", "INVALID", "RELATED", "UNTRACKED"}}),
		ok(ipt.Rule{Mark: "1"}),
		ok(ipt.Rule{Mark: "! 0x10/0xff"}),
		ok(ipt.Rule{Mark: "0"}),
		ok(ipt.Rule{Mark: "16/0xffffffff", ConnMark: "5/5"}),
		ok(ipt.Rule{SrcType: "LOCAL,UNICAST", DstType: "! anycast"}),
		ok(ipt.Rule{DstType: "LOCAL"}),
		ok(ipt.Rule{MACSource: "! AA:BB:cc:dd:ee:0f"}),
		ok(ipt.Rule{PhysdevIn: "eth0", PhysdevOut: "! eth1+", PhysdevIsBridged: yes()}),
		ok(ipt.Rule{PhysdevIsIn: yes(), PhysdevIsOut: no()}),
		ok(ipt.Rule{PhysdevIsBridged: no()}),
		{"mangle", "OUTPUT", ipt.Rule{UIDOwner: "1000-2000", GIDOwner: "! 5", Jump: "ACCEPT"}},
		ok(ipt.Rule{Limit: "5/s"}),
		ok(ipt.Rule{Limit: "60/hour"}),
		ok(ipt.Rule{Limit: "7/hour", LimitBurst: num(5)}),
		ok(ipt.Rule{Limit: "100/min"}),
		ok(ipt.Rule{Limit: "25/day"}),
		ok(ipt.Rule{Limit: "24/day"}),
		ok(ipt.Rule{Limit: "10000/sec"}),
		ok(ipt.Rule{Limit: "7/sec"}),
		ok(ipt.Rule{Limit: "3333/min"}),
		ok(ipt.Rule{Limit: "5"}),
		ok(ipt.Rule{Comment: "plain"}),
		ok(ipt.Rule{Comment: "! not a negation"}),
		ok(ipt.Rule{Comment: `he"ll\o 'x' $y; -j DROP`}),
		ok(ipt.Rule{Comment: "-starts-with-a-dash"}),
		ok(ipt.Rule{Comment: "héé, 10%"}),
		ok(ipt.Rule{Comment: strings.Repeat("x", 255)}),
		filter(ipt.Rule{Jump: "RETURN"}),
		filter(ipt.Rule{Jump: "DROP", CTState: []string{"INVALID"}}),
		filter(ipt.Rule{Jump: "MY-CHAIN"}),
		filter(ipt.Rule{Goto: "lower.case"}),
		filter(ipt.Rule{Jump: "LOG"}),
		filter(ipt.Rule{Jump: "LOG", LogPrefix: "boxA:OUTPUT:filter:", LogLevel: "info"}),
		filter(ipt.Rule{Jump: "LOG", LogPrefix: "12345678901234567890123456789", LogLevel: "7"}),
		filter(ipt.Rule{Jump: "LOG", LogPrefix: "with space ", LogLevel: "warning", LogTCPSequence: true, LogTCPOptions: true, LogIPOptions: true, LogUID: true}),
		filter(ipt.Rule{Jump: "LOG", LogPrefix: "plain", LogLevel: "emerg"}),
		filter(ipt.Rule{Jump: "REJECT"}),
		filter(ipt.Rule{Jump: "REJECT", Protocol: "tcp", RejectWith: "tcp-reset"}),
		filter(ipt.Rule{Jump: "REJECT", RejectWith: "port-unreach"}),
		mangle(ipt.Rule{Jump: "MARK", SetMark: "1"}),
		mangle(ipt.Rule{Jump: "MARK", SetMark: "0x10/0xf"}),
		mangle(ipt.Rule{Jump: "MARK", SetXMark: "0x10/0xf"}),
		mangle(ipt.Rule{Jump: "MARK", SetMark: "0"}),
		mangle(ipt.Rule{Jump: "CONNMARK", SetMark: "1"}),
		mangle(ipt.Rule{Jump: "CONNMARK", SetMark: "0x4/3"}),
		mangle(ipt.Rule{Jump: "CONNMARK", SetXMark: "1/255"}),
		mangle(ipt.Rule{Jump: "CONNMARK", SaveMark: true}),
		mangle(ipt.Rule{Jump: "CONNMARK", RestoreMark: true, NFMask: "255", CTMask: "0xff"}),
		mangle(ipt.Rule{Jump: "TCPMSS", Protocol: "tcp", TCPFlags: &ipt.TCPFlags{Mask: []string{"SYN", "RST"}, Comp: []string{"SYN"}}, ClampMSSToPMTU: true}),
		mangle(ipt.Rule{Jump: "TCPMSS", Protocol: "tcp", Syn: yes(), SetMSS: num(1360)}),
		{"mangle", "OUTPUT", ipt.Rule{State: []string{"ESTABLISHED"}, Jump: "LOG", LogPrefix: "boxA:OUTPUT:established:", LogLevel: "info"}},
		mangle(ipt.Rule{Jump: "CHECKSUM", Protocol: "udp", ChecksumFill: true}),
		{"raw", "PREROUTING", ipt.Rule{Jump: "NOTRACK"}},
		{"raw", "OUTPUT", ipt.Rule{Jump: "CT", NoTrack: true}},
		{"nat", "POSTROUTING", ipt.Rule{OutInterface: "eno1", Jump: "MASQUERADE"}},
		{"nat", "POSTROUTING", ipt.Rule{Protocol: "tcp", Jump: "MASQUERADE", ToPorts: "1024-2000", Random: true}},
		{"nat", "POSTROUTING", ipt.Rule{Protocol: "tcp", Jump: "MASQUERADE", RandomFully: true}},
		{"nat", "PREROUTING", ipt.Rule{Protocol: "tcp", Jump: "REDIRECT"}},
		{"nat", "PREROUTING", ipt.Rule{Protocol: "tcp", Jump: "REDIRECT", ToPorts: "80-90", Random: true}},
		{"nat", "PREROUTING", ipt.Rule{Protocol: "tcp", Jump: "REDIRECT", ToPorts: "80"}},
		{"nat", "PREROUTING", ipt.Rule{Protocol: "tcp", Jump: "DNAT", ToDestination: ":80"}},
	}
}

func ipv4Only() []placed {
	ok := func(r ipt.Rule) placed { r.Jump = "ACCEPT"; return placed{"filter", "FORWARD", r} }
	icmp := func(t string) placed {
		return ok(ipt.Rule{Protocol: "icmp", ICMPType: t})
	}
	return []placed{
		ok(ipt.Rule{Source: "192.168.50.0/24", InInterface: "vboxnet0", OutInterface: "eno1", CTState: []string{"NEW"}}),
		ok(ipt.Rule{Source: "172.16.100.5", Destination: "! 10.1.2.3/8"}),
		ok(ipt.Rule{Source: "10.0.0.0/255.0.0.0", Destination: "10.1.2.3/255.0.255.0"}),
		ok(ipt.Rule{Source: "0.0.0.0/0", Destination: "0.0.0.0/0.0.0.0"}),
		ok(ipt.Rule{Source: "0.0.0.0", Destination: "10.0.0.0/0.0.0.255"}),
		ok(ipt.Rule{Source: "10.0.0.1,10.0.0.2", Destination: "1.1.1.1,1.1.1.2"}),
		ok(ipt.Rule{SrcType: "LOCAL,UNICAST", DstType: "! broadcast"}),
		ok(ipt.Rule{Fragment: yes()}),
		ok(ipt.Rule{Fragment: no(), Protocol: "udp"}),
		ok(ipt.Rule{SrcRange: "10.0.0.1-10.0.0.9", DstRange: "! 10.0.0.5"}),
		icmp("echo-request"), icmp("8"), icmp("3/4"), icmp("any"), icmp("! destination-unreachable"), icmp("fragmentation-needed"), icmp("ttl-exceeded"), icmp("timestamp-request"), icmp("8/0"),
		{"filter", "INPUT", ipt.Rule{Jump: "REJECT", RejectWith: "icmp-host-prohibited"}},
		{"filter", "INPUT", ipt.Rule{Jump: "REJECT", RejectWith: "admin-prohib"}},
		{"filter", "INPUT", ipt.Rule{Jump: "REJECT", RejectWith: "net-unreach"}},
		{"nat", "POSTROUTING", ipt.Rule{OutInterface: "veth2", Jump: "SNAT", ToSource: "172.16.200.1"}},
		{"nat", "POSTROUTING", ipt.Rule{Protocol: "tcp", Jump: "SNAT", ToSource: "172.16.200.1-172.16.200.7:10-20", Random: true, Persistent: true}},
		{"nat", "POSTROUTING", ipt.Rule{Protocol: "tcp", Jump: "SNAT", ToSource: "172.16.200.1", RandomFully: true}},
		{"nat", "PREROUTING", ipt.Rule{InInterface: "veth2", Protocol: "tcp", DestinationPort: "8800", Jump: "DNAT", ToDestination: "172.16.100.5:8800"}},
		{"nat", "OUTPUT", ipt.Rule{Protocol: "tcp", Jump: "DNAT", ToDestination: "172.16.100.5-172.16.100.6:80-90", Random: true, Persistent: true}},
	}
}

func ipv6Only() []placed {
	ok := func(r ipt.Rule) placed { r.Jump = "ACCEPT"; return placed{"filter", "FORWARD", r} }
	icmp := func(t string) placed {
		return ok(ipt.Rule{Protocol: "icmpv6", ICMPType: t})
	}
	return []placed{
		ok(ipt.Rule{Source: "FD00:0:0::1", Destination: "! 2001:DB8::5/32"}),
		ok(ipt.Rule{Source: "::/0", Destination: "fd00::/7"}),
		ok(ipt.Rule{Source: "::1", Destination: "::1.2.3.4"}),
		ok(ipt.Rule{Source: "::ffff:1.2.3.4", Destination: "::5:6/127"}),
		ok(ipt.Rule{Source: "::/128", Destination: "::1:0:0/96"}),
		ok(ipt.Rule{Source: "fd00::/ff00::", Destination: "ff00::1/ff00::ff"}),
		ok(ipt.Rule{Source: "fd00::1,fd00::2"}),
		ok(ipt.Rule{SrcRange: "fd00::1-fd00::9", DstRange: "! fd00::7"}),
		ok(ipt.Rule{Protocol: "58"}),
		ok(ipt.Rule{Protocol: "mh"}),
		icmp("echo-request"), icmp("128/0"), icmp("1/4"), icmp("neighbor-solicitation"), icmp("! 134"), icmp("packet-too-big"),
		{"filter", "INPUT", ipt.Rule{Jump: "REJECT", RejectWith: "icmp6-adm-prohibited"}},
		{"filter", "INPUT", ipt.Rule{Jump: "REJECT", RejectWith: "no-route"}},
		{"filter", "INPUT", ipt.Rule{Jump: "REJECT", RejectWith: "policy-fail"}},
		{"nat", "POSTROUTING", ipt.Rule{Jump: "SNAT", ToSource: "FD00::1-fd00::8"}},
		{"nat", "POSTROUTING", ipt.Rule{Protocol: "tcp", Jump: "SNAT", ToSource: "[fd00::1]:80-90"}},
		{"nat", "PREROUTING", ipt.Rule{Protocol: "tcp", DestinationPort: "80", Jump: "DNAT", ToDestination: "[fd00::5]:8080"}},
		{"nat", "PREROUTING", ipt.Rule{Jump: "DNAT", ToDestination: "fd00::5"}},
	}
}

// The text made from arguments is what iptables-save prints, on both back ends: then a play that changes nothing never
// needs the tool, and a plan made from a snapshot is right too.
func TestRuleTextIsCanonical(t *testing.T) {
	everyVariant(t, func(t *testing.T, h *Host, x host.IPTables, f host.Family) {
		cases := append(bothFamilies(), ipv4Only()...)
		if f == host.IPv6 {
			cases = append(bothFamilies(), ipv6Only()...)
		}
		var texts []host.ChainRule
		for _, c := range cases {
			lines, err := c.rule.Lines(ipt.Place{Family: f, Table: c.table, Chain: c.chain})
			if err != nil {
				t.Errorf("%+v: %v", c.rule, err)
			}
			for _, l := range lines {
				texts = append(texts, host.ChainRule{Table: c.table, Chain: c.chain, Rule: l})
			}
		}
		forms, err := x.(*iptables).inScratch(ctxOf(t), texts, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range texts {
			if len(forms[i]) != 1 || forms[i][0] != r.Rule {
				t.Errorf("made  %s\nsaved %s", r.Rule, strings.Join(forms[i], "\n      "))
			}
		}
		t.Logf("%d rules", len(texts))
	})
}
