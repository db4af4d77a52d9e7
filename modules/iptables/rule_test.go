package iptables

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"labctl/modules/host"
)

func no() *bool       { b := false; return &b }
func num(n int) *int  { return &n }
func forward() Place  { return Place{host.IPv4, "filter", "FORWARD"} }
func forward6() Place { return Place{host.IPv6, "filter", "FORWARD"} }

func TestLines(t *testing.T) {
	for _, c := range []struct {
		place Place
		rule  Rule
		want  []string
	}{
		{forward(), Rule{Source: "192.168.50.0/24", InInterface: "vboxnet0", OutInterface: "eno1", CTState: []string{"NEW"}, Jump: "ACCEPT"},
			[]string{"-s 192.168.50.0/24 -i vboxnet0 -o eno1 -m conntrack --ctstate NEW -j ACCEPT"}},
		{forward(), Rule{Source: "10.0.0.1, 10.0.0.2", Destination: "1.1.1.0/24,0/0", Jump: "ACCEPT"},
			[]string{"-s 10.0.0.1/32 -d 1.1.1.0/24 -j ACCEPT", "-s 10.0.0.1/32 -j ACCEPT", "-s 10.0.0.2/32 -d 1.1.1.0/24 -j ACCEPT", "-s 10.0.0.2/32 -j ACCEPT"}},
		{forward(), Rule{Protocol: "tcp", Syn: no(), Comment: `a "b"`, Jump: "LOG", LogPrefix: "x", LogLevel: "info"},
			[]string{`-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m comment --comment "a \"b\"" -j LOG --log-prefix x --log-level 6`}},
		{forward(), Rule{Arguments: []string{"-m", "string", "--string", "a b", "--algo", "bm"}, Jump: "DROP"},
			[]string{`-m string --string "a b" --algo bm -j DROP`}},
		{forward(), Rule{MatchSet: "! a.b src,dst", Jump: "DROP"}, []string{"-m set ! --match-set a.b src,dst -j DROP"}},
		{forward(), Rule{Arguments: []string{"-j", "NFLOG"}}, []string{"-j NFLOG"}},
		{forward6(), Rule{Protocol: "icmpv6", ICMPType: "echo-request", Goto: "X"}, []string{"-p ipv6-icmp -m icmp6 --icmpv6-type 128 -g X"}},
		{forward(), Rule{Jump: "MARK", SetMark: "0x10/0xf"}, []string{"-j MARK --set-xmark 0x10/0x1f"}},
		{forward(), Rule{Jump: "MARK", SetXMark: "0x10/0xf"}, []string{"-j MARK --set-xmark 0x10/0xf"}},
		{forward(), Rule{Protocol: "tcp", SourcePort: "! 0:1023", Jump: "DROP"}, []string{"-p tcp -m tcp --sport 1024:65535 -j DROP"}},
		{forward(), Rule{Source: "10/8", Destination: "! 10.1/16", Jump: "DROP"}, []string{"-s 10.0.0.0/8 ! -d 10.1.0.0/16 -j DROP"}},
	} {
		got, err := c.rule.Lines(c.place)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v:\nhave %q, %v\nwant %q", c.rule, got, err, c.want)
		}
	}
}

// Each of these is refused before any host is touched, and the fault names the argument.
func TestFaults(t *testing.T) {
	input := Place{host.IPv4, "filter", "INPUT"}
	post := Place{host.IPv4, "nat", "POSTROUTING"}
	for _, c := range []struct {
		place Place
		rule  Rule
		arg   string
		says  string
	}{
		{forward(), Rule{Jump: "LOG", LogPrefix: strings.Repeat("x", 30)}, "log_prefix", "29"},
		{forward(), Rule{Jump: "LOG", LogPrefix: "a\nb"}, "log_prefix", "control"},
		{forward(), Rule{Jump: "LOG", LogLevel: "loud"}, "log_level", "emerg"},
		{forward(), Rule{Jump: "DROP", MatchSet: "banned"}, "match_set", "an end"},
		{forward(), Rule{Jump: "DROP", MatchSet: "banned source"}, "match_set", "not src"},
		{forward(), Rule{Jump: "LOG", LogLevel: "8"}, "log_level", "0 to 7"},
		{forward(), Rule{Jump: "ACCEPT", Source: "fd00::1"}, "source", "not an IPv4 address"},
		{forward6(), Rule{Jump: "ACCEPT", Destination: "10.0.0.1"}, "destination", "not an IPv6 address"},
		{forward(), Rule{Jump: "ACCEPT", Source: "www.example.com"}, "source", "host names"},
		{forward(), Rule{Jump: "ACCEPT", Source: "10.0.0.0/33"}, "source", "32"},
		{forward(), Rule{Jump: "ACCEPT", Source: "10.0.0.0/x"}, "source", "mask"},
		{forward(), Rule{Jump: "ACCEPT", Source: "! 0.0.0.0/0"}, "source", "matches nothing"},
		{forward(), Rule{Jump: "ACCEPT", Source: "! 10.0.0.1,10.0.0.2"}, "source", "negate"},
		{forward(), Rule{Jump: "ACCEPT", InInterface: "an-interface-name"}, "in_interface", "15"},
		{forward(), Rule{Jump: "ACCEPT", InInterface: "e+0"}, "in_interface", "end"},
		{input, Rule{Jump: "ACCEPT", OutInterface: "eth0"}, "out_interface", "INPUT"},
		{post, Rule{Jump: "MASQUERADE", InInterface: "eth0"}, "in_interface", "POSTROUTING"},
		{forward(), Rule{Jump: "ACCEPT", DestinationPort: "80"}, "destination_port", "protocol"},
		{forward(), Rule{Jump: "ACCEPT", Protocol: "! tcp", DestinationPort: "80"}, "destination_port", "protocol"},
		{forward(), Rule{Jump: "ACCEPT", Protocol: "tcp", DestinationPort: "http"}, "destination_port", "65535"},
		{forward(), Rule{Jump: "ACCEPT", Protocol: "tcp", DestinationPort: "65536"}, "destination_port", "65535"},
		{forward(), Rule{Jump: "ACCEPT", Protocol: "tcp", DestinationPort: "9:8"}, "destination_port", "before"},
		{forward(), Rule{Jump: "ACCEPT", Protocol: "tcp", Ports: strings.Split("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15:16", " ")}, "ports", "15"},
		{forward(), Rule{Jump: "ACCEPT", Protocol: "udp", Syn: no()}, "syn", "tcp"},
		{forward(), Rule{Jump: "ACCEPT", Protocol: "tcp", Syn: no(), TCPFlags: &TCPFlags{Mask: []string{"ALL"}, Comp: []string{"SYN"}}}, "syn", "tcp_flags"},
		{forward(), Rule{Jump: "ACCEPT", Protocol: "tcp", TCPFlags: &TCPFlags{Mask: []string{"ECE"}, Comp: []string{"SYN"}}}, "tcp_flags.mask", "ECE"},
		{forward(), Rule{Jump: "ACCEPT", Protocol: "icmp", ICMPType: "nonsense"}, "icmp_type", "TYPE"},
		{forward(), Rule{Jump: "ACCEPT", ICMPType: "8"}, "icmp_type", "protocol"},
		{forward6(), Rule{Jump: "ACCEPT", Protocol: "icmp", ICMPType: "8"}, "protocol", "ipv6"},
		{forward(), Rule{Jump: "ACCEPT", Protocol: "256"}, "protocol", "255"},
		{forward(), Rule{Jump: "ACCEPT", CTState: []string{"OLD"}}, "ctstate", "ESTABLISHED"},
		{forward(), Rule{Jump: "ACCEPT", State: []string{"DNAT"}}, "state", "DNAT"},
		{forward(), Rule{Jump: "ACCEPT", Mark: "0x100000000"}, "mark", "32"},
		{forward(), Rule{Jump: "ACCEPT", Limit: "fast"}, "limit", "rate"},
		{forward(), Rule{Jump: "ACCEPT", Limit: "0/s"}, "limit", "rate"},
		{forward(), Rule{Jump: "ACCEPT", Limit: "10001/s"}, "limit", "10000"},
		{forward(), Rule{Jump: "ACCEPT", LimitBurst: num(3)}, "limit_burst", "limit"},
		{forward(), Rule{Jump: "ACCEPT", Limit: "3/s", LimitBurst: num(0)}, "limit_burst", "10000"},
		{forward(), Rule{Jump: "ACCEPT", Comment: strings.Repeat("x", 256)}, "comment", "255"},
		{forward(), Rule{Jump: "ACCEPT", DstType: "HERE"}, "dst_type", "LOCAL"},
		{forward6(), Rule{Jump: "ACCEPT", DstType: "BROADCAST"}, "dst_type", "IPv6"},
		{forward(), Rule{Jump: "ACCEPT", SrcRange: "10.0.0.9-10.0.0.1"}, "src_range", "before"},
		{forward(), Rule{Jump: "ACCEPT", MACSource: "1:2:3"}, "mac_source", "MAC"},
		{forward6(), Rule{Jump: "ACCEPT", Fragment: no()}, "fragment", "IPv4"},
		{forward(), Rule{}, "jump", "missing"},
		{forward(), Rule{Jump: "A", Goto: "B"}, "goto", "exclude"},
		{forward(), Rule{Goto: "LOG"}, "goto", "chain"},
		{forward(), Rule{Jump: "a chain"}, "jump", "blanks"},
		{forward(), Rule{Jump: "SNAT", ToSource: "10.0.0.1"}, "jump", "nat"},
		{post, Rule{Jump: "DNAT", ToDestination: "10.0.0.1"}, "jump", "PREROUTING"},
		{post, Rule{Jump: "SNAT"}, "to_source", "missing"},
		{post, Rule{Jump: "SNAT", ToSource: "fd00::1"}, "to_source", "not an IPv4 address"},
		{post, Rule{Jump: "SNAT", ToSource: "gateway"}, "to_source", "host names"},
		{post, Rule{Jump: "SNAT", ToSource: "10.0.0.1:70000"}, "to_source", "65535"},
		{post, Rule{Jump: "MASQUERADE", ToSource: "10.0.0.1"}, "to_source", "SNAT"},
		{forward(), Rule{Jump: "ACCEPT", RejectWith: "tcp-reset"}, "reject_with", "REJECT"},
		{forward(), Rule{Jump: "REJECT", RejectWith: "icmp6-no-route"}, "reject_with", "icmp-"},
		{forward(), Rule{Jump: "REJECT", RejectWith: "tcp-reset"}, "reject_with", "protocol"},
		{forward(), Rule{Jump: "MARK"}, "jump", "set_mark"},
		{forward(), Rule{Jump: "MARK", SetMark: "1", SetXMark: "2"}, "jump", "one of"},
		{forward(), Rule{Jump: "MARK", SaveMark: true}, "save_mark", "CONNMARK"},
		{forward(), Rule{Jump: "CONNMARK", SetMark: "1", NFMask: "1"}, "nfmask", "save_mark"},
		{forward(), Rule{Jump: "TCPMSS", Protocol: "tcp"}, "jump", "set_mss"},
		{forward(), Rule{Jump: "CT", NoTrack: true}, "jump", "raw"},
		{forward(), Rule{Jump: "CHECKSUM", ChecksumFill: true}, "jump", "mangle"},
		{Place{host.IPv4, "mangle", "FORWARD"}, Rule{Jump: "CHECKSUM"}, "checksum_fill", "needed"},
		{forward(), Rule{Jump: "ACCEPT", ChecksumFill: true}, "checksum_fill", "CHECKSUM"},
		{forward(), Rule{Arguments: []string{"-t", "nat"}, Jump: "DROP"}, "arguments", "-t"},
		{forward(), Rule{Arguments: []string{"-s", "www.example.com"}, Jump: "DROP"}, "arguments", "host names"},
		{forward(), Rule{Arguments: []string{"a\n-F"}, Jump: "DROP"}, "arguments", "line break"},
	} {
		lines, err := c.rule.Lines(c.place)
		var f *Fault
		if !errors.As(err, &f) || f.Argument != c.arg || !strings.Contains(f.Msg, c.says) {
			t.Errorf("%+v: %q, %v; want a fault of %s that says %q", c.rule, lines, err, c.arg, c.says)
		}
	}
}

// FuzzLines: whatever the arguments are, a rule stays one line of plain words, and its values come back as they were.
func FuzzLines(f *testing.F) {
	f.Add("10.0.0.1", "eth0", "80", "a comment", "prefix", "3/s", "x y", true)
	f.Add("! fd00::/8", "! e+", "1:", `"\'`, "!", "60/hour", "--", false)
	f.Fuzz(func(t *testing.T, source, dev, port, comment, prefix, limit, word string, v6 bool) {
		p := forward()
		if v6 {
			p = forward6()
		}
		r := Rule{Source: source, InInterface: dev, Protocol: "tcp", DestinationPort: port, Comment: comment, Limit: limit, Arguments: []string{word}, Jump: "LOG", LogPrefix: prefix}
		lines, err := r.Lines(p)
		if err != nil {
			return
		}
		for _, l := range lines {
			if strings.ContainsAny(l, "\n\x00") {
				t.Fatalf("%q has a line break", l)
			}
			words := host.RuleWords(l)
			for flag, value := range map[string]string{"--comment": comment, "--log-prefix": prefix} {
				if i := slices.Index(words, flag); value != "" && word != flag && (i < 0 || words[i+1] != value) {
					t.Fatalf("%q: %s is not %q in %q", l, flag, value, words)
				}
			}
			if !slices.Contains(words, word) {
				t.Fatalf("%q lost %q", l, word)
			}
			if words[len(words)-1] == "LOG" != (prefix == "") {
				t.Fatalf("%q ends oddly", l)
			}
		}
	})
}
