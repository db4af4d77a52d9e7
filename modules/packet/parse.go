package packet

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"labctl/modules/host"
)

// The numbers of IEEE 802 and IANA that have a name here.
var (
	etherTypes = map[uint16]string{0x800: "ipv4", 0x806: "arp", 0x86dd: "ipv6"}
	protocols  = map[byte]string{1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 47: "gre", 58: "icmp6", 132: "sctp"}
	icmpTypes  = map[string]map[byte]string{
		"icmp": {0: "echo-reply", 3: "unreachable", 5: "redirect", 8: "echo-request", 11: "time-exceeded"},
		"icmp6": {1: "unreachable", 2: "packet-too-big", 3: "time-exceeded", 128: "echo-request", 129: "echo-reply", 133: "router-solicit",
			134: "router-advert", 135: "neighbor-solicit", 136: "neighbor-advert", 137: "redirect"},
	}
	tcpFlags = []string{"fin", "syn", "rst", "psh", "ack", "urg"}
)

// UDP ports of tunnels; 8472 is what Linux took for VXLAN before there was a standard.
const vxlanPort, vxlanOldPort, genevePort = 4789, 8472, 6081

// Parse reads a frame that begins with an Ethernet header. What is cut off or not understood stays unset.
func Parse(b []byte) *Packet {
	p := &Packet{}
	p.Tunnel = "none"
	p.ethernet(reader(b))
	return p
}

// reader is bytes that are read from the front; beyond the end there are zeros.
type reader []byte

func (b reader) u8(at int) byte {
	if at < len(b) {
		return b[at]
	}
	return 0
}

func (b reader) u16(at int) uint16 { return uint16(b.u8(at))<<8 | uint16(b.u8(at+1)) }

func (b reader) from(at int) reader { return b[min(at, len(b)):] }

func (b reader) ip(at, size int) string {
	if at+size > len(b) {
		return ""
	}
	a, _ := netip.AddrFromSlice(b[at : at+size])
	return a.String()
}

func ptr(v int) *int { return &v }

func (p *Packet) ethernet(b reader) {
	if len(b) < 14 {
		return
	}
	p.DstMAC, p.SrcMAC = host.MAC(b[:6]), host.MAC(b[6:12])
	p.VLAN, p.InnerVLAN = ptr(0), ptr(0)
	b = b[12:]
	for _, v := range []*int{p.VLAN, p.InnerVLAN} {
		if t := b.u16(0); t == 0x8100 || t == 0x88a8 || t == 0x9100 {
			*v = int(b.u16(2) & 0xfff)
			b = b.from(4)
		}
	}
	p.network(b.u16(0), b.from(2))
}

func (p *Packet) network(typ uint16, b reader) {
	if p.EtherType = etherTypes[typ]; p.EtherType == "" {
		p.EtherType = "0x" + strconv.FormatUint(uint64(typ)+0x10000, 16)[1:]
	}
	switch p.EtherType {
	case "arp":
		p.ARP = map[uint16]string{1: "request", 2: "reply"}[b.u16(6)]
		p.Src, p.Dst = b.ip(14, 4), b.ip(24, 4)
	case "ipv4":
		p.Src, p.Dst, p.TTL = b.ip(12, 4), b.ip(16, 4), ptr(int(b.u8(8)))
		end := len(b)
		if n := int(b.u16(2)); n >= 20 { // what is behind is padding; 0 is a packet that is still to be cut up
			end = min(n, end)
		}
		p.transport(b.u8(9), b[:end].from(max(20, int(b.u8(0)&15)*4)), b.u16(6)&0x1fff == 0)
	case "ipv6":
		p.Src, p.Dst, p.TTL = b.ip(8, 16), b.ip(24, 16), ptr(int(b.u8(7)))
		p.extensions(b.u8(6), b.from(40))
	}
}

// extensions skips the extension headers of IPv6 (RFC 8200, section 4).
func (p *Packet) extensions(next byte, b reader) {
	for first := true; ; next, b = b.u8(0), b.from(8+int(b.u8(1))*8) {
		switch {
		case next == 44 && len(b) >= 8:
			first = b.u16(2)&^7 == 0
			b = append(reader{b[0], 0}, b[2:]...)
		case next != 0 && next != 43 && next != 60 || len(b) < 8:
			p.transport(next, b, first)
			return
		}
	}
}

// transport reads what is in IP. Only the first fragment has a header.
func (p *Packet) transport(proto byte, b reader, first bool) {
	if p.Proto = protocols[proto]; p.Proto == "" {
		p.Proto = strconv.Itoa(int(proto))
	}
	if !first {
		return
	}
	switch p.Proto {
	case "tcp", "udp", "sctp":
		p.SrcPort, p.DstPort = ptr(int(b.u16(0))), ptr(int(b.u16(2)))
	case "icmp", "icmp6":
		if p.ICMP = icmpTypes[p.Proto][b.u8(0)]; p.ICMP == "" {
			p.ICMP = strconv.Itoa(int(b.u8(0)))
		}
	case "gre":
		p.gre(b)
	case "4", "41":
		p.within("ipip", nil, map[string]uint16{"4": 0x800, "41": 0x86dd}[p.Proto], b)
	}
	switch {
	case p.Proto == "tcp":
		var set []string
		for i, name := range tcpFlags {
			if b.u8(13)>>i&1 == 1 {
				set = append(set, name)
			}
		}
		p.TCPFlags = strings.Join(set, ",")
	case p.Proto != "udp" || len(b) < 16:
	case *p.DstPort == vxlanPort || *p.DstPort == vxlanOldPort:
		p.within("vxlan", b[12:15], ethernetInTunnel, b[16:])
	case *p.DstPort == genevePort:
		p.within("geneve", b[12:15], b.u16(10), b.from(16+int(b[8]&0x3f)*4))
	}
}

// ethernetInTunnel is the protocol type of Ethernet frames in GRE and GENEVE.
const ethernetInTunnel = 0x6558

// gre reads the header of RFC 2784 and RFC 2890.
func (p *Packet) gre(b reader) {
	flags, at := b.u16(0), 4
	if flags&0x8000 != 0 { // checksum
		at += 4
	}
	var key []byte
	if flags&0x2000 != 0 && len(b) >= at+4 {
		key = b[at : at+4]
		at += 4
	}
	if flags&0x1000 != 0 { // sequence number
		at += 4
	}
	p.within("gre", key, b.u16(2), b.from(at))
}

// within reads what is in a tunnel.
func (p *Packet) within(tunnel string, id []byte, typ uint16, b reader) {
	p.Tunnel, p.Inner = tunnel, &Packet{}
	if id != nil {
		p.VNI = ptr(int(binary.BigEndian.Uint32(append(make([]byte, 4-len(id)), id...))))
	}
	p.Inner.Tunnel = "none"
	if typ == ethernetInTunnel {
		p.Inner.ethernet(b)
		return
	}
	p.Inner.network(typ, b)
}
