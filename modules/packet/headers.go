// Package packet reads the headers of frames: Ethernet, VLAN tags, ARP, IP, ICMP, TCP, UDP, and those of tunnels with what is
// in them. It knows bytes only, neither sockets nor hosts.
package packet

import (
	"reflect"
	"strconv"
	"strings"
)

// Headers are what a frame says of itself, and as arguments what it is expected to say: what is unset may be anything.
type Headers struct {
	SrcMAC    string `json:"src_mac,omitempty" doc:"MAC address of the sender."`
	DstMAC    string `json:"dst_mac,omitempty" doc:"MAC address of the receiver."`
	VLAN      *int   `json:"vlan,omitempty" doc:"VLAN of the outermost 802.1Q or 802.1ad tag, 0 for a frame without one."`
	InnerVLAN *int   `json:"inner_vlan,omitempty" doc:"VLAN of the second tag, 0 for a frame without one."`
	EtherType string `json:"ethertype,omitempty" doc:"What is behind the tags: ipv4, ipv6, arp, or a number such as 0x88cc."`
	ARP       string `json:"arp,omitempty" enum:"request,reply" doc:"Operation of ARP."`
	Src       string `json:"src,omitempty" doc:"IP address of the sender, in ARP, too."`
	Dst       string `json:"dst,omitempty" doc:"IP address of the receiver; in ARP the one that is asked for or answered to."`
	TTL       *int   `json:"ttl,omitempty" doc:"Time to live, in IPv6 the hop limit."`
	Proto     string `json:"proto,omitempty" doc:"Protocol in IP: icmp, igmp, tcp, udp, gre, icmp6, sctp, or its number."`
	ICMP      string `json:"icmp,omitempty" doc:"Type of ICMP or ICMPv6: echo-request, echo-reply, unreachable, time-exceeded, redirect, packet-too-big, router-solicit, router-advert, neighbor-solicit, neighbor-advert, or its number."`
	SrcPort   *int   `json:"src_port,omitempty" doc:"Port of the sender, in TCP, UDP and SCTP."`
	DstPort   *int   `json:"dst_port,omitempty" doc:"Port of the receiver."`
	TCPFlags  string `json:"tcp_flags,omitempty" doc:"Those that are set, of fin, syn, rst, psh, ack, urg in this order with commas between: syn, or syn,ack."`
	Tunnel    string `json:"tunnel,omitempty" enum:"vxlan,geneve,gre,ipip,none" doc:"Tunnel that the packet belongs to. Its frame is described by inner."`
	VNI       *int   `json:"vni,omitempty" doc:"VNI of VXLAN and GENEVE, key of GRE."`
}

// Packet is a frame, and what is in its tunnel.
type Packet struct {
	Headers
	Inner *Packet
}

// Matches reports whether h says all that want does.
func (h *Headers) Matches(want *Headers) bool {
	have, w := reflect.ValueOf(h).Elem(), reflect.ValueOf(want).Elem()
	for i := range w.NumField() {
		if f := w.Field(i); !f.IsZero() && !reflect.DeepEqual(f.Interface(), have.Field(i).Interface()) {
			return false
		}
	}
	return true
}

// String is a packet on one line, what is outside first.
func (p *Packet) String() string {
	var out []string
	add := func(parts ...string) { out = append(out, strings.Join(parts, " ")) }
	if p.SrcMAC != "" {
		add(p.SrcMAC, ">", p.DstMAC)
	}
	for _, v := range []*int{p.VLAN, p.InnerVLAN} {
		if v != nil && *v != 0 {
			add("vlan", strconv.Itoa(*v))
		}
	}
	what := p.EtherType
	if p.Proto != "" {
		what = p.Proto
	}
	if p.Src == "" {
		add(what)
	} else {
		add(what+port(nil, p.ARP+p.ICMP), p.Src+port(p.SrcPort, ""), ">", p.Dst+port(p.DstPort, p.TCPFlags))
	}
	if p.Tunnel != "none" {
		add(p.Tunnel + port(p.VNI, ""))
	}
	text := strings.Join(out, ", ")
	if p.Inner != nil {
		text += " [" + p.Inner.String() + "]"
	}
	return text
}

func port(v *int, word string) string {
	if v != nil {
		word = strings.TrimSpace(strconv.Itoa(*v) + " " + word)
	}
	if word == "" {
		return ""
	}
	return " " + word
}
