package packet

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func frame(parts ...string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(parts, ""), " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

const (
	ether   = "0200000000fe 020000000001 "
	arp     = "0806 0001 0800 06 04 0001 020000000001 0a000101 000000000000 0a0001fe"
	ipv4    = "45 00 0000 0000 4000 40 %s 0000 0a000101 0a0001fe"
	echo    = "0800 0000 0001 0001"
	ipv6    = "86dd 60000000 0020 %s 40 fd000001000000000000000000000001 fd0000010000000000000000000000fe"
	udpHead = "c000 %s 0000 0000"
)

func with(text, arg string) string { return strings.Replace(text, "%s", arg, 1) }

func ip(proto string) string { return "0800" + with(ipv4, proto) }

// frames are written down as RFC 826, 791, 792, 8200, 768, 9293, 7348, 8926, 2890 and 4443, and IEEE 802.1Q have them.
var frames = []struct{ text, bytes string }{
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, arp request 10.0.1.1 > 10.0.1.254", ether + arp},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, vlan 100, arp request 10.0.1.1 > 10.0.1.254", ether + "8100 e064" + arp},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, vlan 5, vlan 100, icmp echo-request 10.0.1.1 > 10.0.1.254", ether + "88a8 0005 8100 0064" + ip("01") + echo},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, 0x88cc", ether + "88cc 0207"},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, icmp time-exceeded 10.0.1.1 > 10.0.1.254", ether + ip("01") + "0b00 0000 00000000"},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, 89 10.0.1.1 > 10.0.1.254", ether + ip("59") + "0000"},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, tcp 10.0.1.1 49152 > 10.0.1.254 80 syn,ack", ether + ip("06") + "c000 0050 00000000 00000000 50 12 0000 0000 0000"},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, udp 10.0.1.1 > 10.0.1.254", ether + "0800" + with(strings.Replace(ipv4, "4000 40", "2010 40", 1), "11") + with(udpHead, "0035")}, // a later fragment
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, icmp6 neighbor-solicit fd00:1::1 > fd00:1::fe", ether + with(ipv6, "3a") + "8700"},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, udp fd00:1::1 49152 > fd00:1::fe 53", ether + with(ipv6, "00") + "2c 00 0000 00000000" + "11 00 0001 00000000" + with(udpHead, "0035")},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, udp 10.0.1.1 49152 > 10.0.1.254 4789, vxlan 100 [02:00:00:00:00:01 > 02:00:00:00:00:fe, vlan 7, arp request 10.0.1.1 > 10.0.1.254]",
		ether + ip("11") + with(udpHead, "12b5") + "08000000 00006400" + ether + "8100 0007" + arp},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, udp 10.0.1.1 49152 > 10.0.1.254 6081, geneve 16777215 [02:00:00:00:00:01 > 02:00:00:00:00:fe, icmp echo-request 10.0.1.1 > 10.0.1.254]",
		ether + ip("11") + with(udpHead, "17c1") + "02 00 6558 ffffff 00 0102030405060708" + ether + ip("01") + echo},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, gre 10.0.1.1 > 10.0.1.254, gre 77 [icmp echo-request 10.0.1.1 > 10.0.1.254]", ether + ip("2f") + "b000 0800 00000000 0000004d 00000001" + with(ipv4, "01") + echo},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, gre 10.0.1.1 > 10.0.1.254, gre [02:00:00:00:00:01 > 02:00:00:00:00:fe, arp request 10.0.1.1 > 10.0.1.254]", ether + ip("2f") + "0000 6558" + ether + arp},
	{"02:00:00:00:00:01 > 02:00:00:00:00:fe, 4 10.0.1.1 > 10.0.1.254, ipip [icmp echo-request 10.0.1.1 > 10.0.1.254]", ether + ip("04") + with(ipv4, "01") + echo},
}

func TestParse(t *testing.T) {
	for _, tt := range frames {
		if got := Parse(frame(tt.bytes)).String(); got != tt.text {
			t.Errorf("parse %s:\n%s, not\n%s", tt.bytes, got, tt.text)
		}
	}
}

// FuzzParse cuts and spoils frames: whatever is on the wire must not stop the agent, and reading must end.
func FuzzParse(f *testing.F) {
	for _, tt := range frames {
		b := frame(tt.bytes)
		for n := range len(b) {
			f.Add(b[:n])
		}
		f.Add(append(b, bytes.Repeat([]byte{0}, 40)...))
	}
	f.Fuzz(func(_ *testing.T, b []byte) { _ = Parse(b).String() })
}

func TestMatches(t *testing.T) {
	p := Parse(frame(ether, "8100 0064", ip("01"), echo))
	hundred, none := 100, 0
	for want, is := range map[*Headers]bool{
		{}:                                true,
		{VLAN: &hundred, Proto: "icmp"}:   true,
		{VLAN: &none}:                     false,
		{InnerVLAN: &none}:                true,
		{ICMP: "echo-reply"}:              false,
		{SrcPort: &none}:                  false,
		{Tunnel: "none", Src: "10.0.1.1"}: true,
	} {
		if p.Matches(want) != is {
			t.Errorf("%v matches %+v: %v", p, want, !is)
		}
	}
}
