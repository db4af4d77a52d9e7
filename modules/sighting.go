package modules

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"labctl/modules/host"
)

// IP protocols (IANA).
const (
	protoICMP, protoTCP, protoUDP, protoICMPv6 = 1, 6, 17, 58
)

// sighting is a packet of a probe between two hosts as an end has seen it on the wire: before its own firewall when coming in,
// behind it when going out.
type sighting struct {
	what     string // request, answer, reset (an answer that refuses), or error: of ICMP, about another
	out      bool
	mark     uint64 // what the sender has marked its requests with; 0: that part was cut off
	seq      uint16
	src, dst string
	port     int    // of the request's destination; 0 in ICMP
	text     string // of an error
}

// openEyes begins to look at all packets of a protocol that a probe may have sent or caused, on all devices.
func openEyes(ctx context.Context, n host.Net, proto string) (host.Capture, error) {
	c, err := n.Probes().Capture(ctx, host.CaptureOptions{Plain: eyes(map[string]uint32{"icmp": protoICMP, "tcp": protoTCP, "udp": protoUDP}[proto])})
	if errors.Is(err, host.ErrPermission) {
		return nil, fmt.Errorf("look at packets, which takes root at both ends (become = true): %w", err)
	}
	return c, err
}

// eyes is a filter for ICMP and the given protocol. Of TCP it passes SYN and RST only, as that may be much.
func eyes(proto uint32) []host.BPF {
	const drop, pass = 16, 17
	to := func(op uint16, k uint32, at, yes, no int) host.BPF {
		return host.BPF{Op: op, K: k, Jt: uint8(yes - at - 1), Jf: uint8(no - at - 1)}
	}
	const loadByte, loadByteX, ipLen, and, equal, set, ret = 0x30, 0x50, 0xb1, 0x54, 0x15, 0x45, 0x06 // linux/bpf_common.h
	return []host.BPF{
		{Op: loadByte},
		{Op: and, K: 0xf0},
		to(equal, 0x40, 2, 3, 10),
		{Op: loadByte, K: 9}, // IPv4: the protocol
		to(equal, protoICMP, 4, pass, 5),
		to(equal, proto, 5, 6, drop),
		to(equal, protoTCP, 6, 7, pass),
		{Op: ipLen},
		{Op: loadByteX, K: 13},
		to(set, 0x06, 9, pass, drop),
		{Op: loadByte, K: 6}, // IPv6: the next header
		to(equal, protoICMPv6, 11, pass, 12),
		to(equal, proto, 12, 13, drop),
		to(equal, protoTCP, 13, 14, pass),
		{Op: loadByte, K: 40 + 13},
		to(set, 0x06, 15, pass, drop),
		{Op: ret}, // drop
		{Op: ret, K: 1 << 18},
	}
}

// sightings are those that have come since the last call.
func sightings(ctx context.Context, c host.Capture) ([]sighting, error) {
	var out []sighting
	for {
		f, err := c.Next(ctx, 0)
		if f == nil || err != nil {
			return out, err
		}
		if len(f.Data) > 14 {
			if s, ok := sight(f.Data[14:]); ok {
				s.out = f.Outgoing
				out = append(out, s)
			}
		}
	}
}

// sight reads an IP packet. One that was cut off behind 8 bytes of what is in it (RFC 792) is read as far as it goes.
func sight(b []byte) (s sighting, ok bool) {
	var proto byte
	var src, dst []byte
	switch {
	case len(b) >= 28 && b[0]>>4 == 4 && binary.BigEndian.Uint16(b[6:])&0x1fff == 0:
		proto, src, dst = b[9], b[12:16], b[16:20]
		b = b[min(int(b[0]&15)*4, len(b)):]
	case len(b) >= 48 && b[0]>>4 == 6:
		proto, src, dst = b[6], b[8:24], b[24:40]
		if b = b[40:]; proto == 44 && len(b) >= 16 && binary.BigEndian.Uint16(b[2:])&^7 == 0 { // the first of fragments
			proto, b = b[0], b[8:]
		}
	}
	if len(b) < 8 || src == nil {
		return s, false
	}
	from, _ := netip.AddrFromSlice(src)
	to, _ := netip.AddrFromSlice(dst)
	s.src, s.dst = from.String(), to.String()
	switch proto {
	case protoICMP, protoICMPv6:
		return s.icmp(b, proto == protoICMPv6)
	case protoTCP:
		return s.tcp(b)
	case protoUDP:
		s.what, s.port = "request", int(binary.BigEndian.Uint16(b[2:]))
		s.marked(b[8:])
		if len(b) > 8+markLen && b[8+markLen] == answerMark {
			s.what = "answer"
		}
		return s, true
	}
	return s, false
}

func (s sighting) icmp(b []byte, six bool) (sighting, bool) {
	text, code, info := host.ICMPText, b[1], binary.BigEndian.Uint32(b[4:])
	if six {
		text = host.ICMPv6Text
	}
	switch typ := b[0]; {
	case !six && typ == 8, six && typ == 128:
		s.what = "request"
	case !six && typ == 0, six && typ == 129:
		s.what = "answer"
	case !six && (typ == 3 || typ == 11 || typ == 12), six && typ >= 1 && typ <= 4:
		about, ok := sight(b[8:])
		about.what, about.text = "error", text(typ, code, info&0xffff)+" from "+s.src
		return about, ok
	default:
		return s, false
	}
	s.marked(b[8:])
	s.seq = uint16(info)
	return s, true
}

// tcp reads the header of RFC 9293. A connection is marked by its initial sequence number, which an answer acknowledges.
func (s sighting) tcp(b []byte) (sighting, bool) {
	s.port, s.what, s.mark = int(binary.BigEndian.Uint16(b[2:])), "request", uint64(binary.BigEndian.Uint32(b[4:]))
	if len(b) < 14 {
		return s, true
	}
	const syn, rst, ack = 2, 4, 16
	flags := b[13]
	if flags&ack != 0 {
		s.what, s.mark = "answer", uint64(binary.BigEndian.Uint32(b[8:])-1)
	}
	if flags&rst != 0 {
		s.what = "reset"
	}
	return s, flags&(syn|rst) != 0
}

// What a payload begins with: a mark for a run of requests, whether it is an answer, the number of the request.
const (
	markLen    = 8
	answerMark = 1
	headLen    = markLen + 2
)

func (s *sighting) marked(payload []byte) {
	if len(payload) >= headLen {
		s.mark, s.seq = binary.BigEndian.Uint64(payload), uint16(payload[markLen+1])
	}
}

// marking is a payload that bears a mark.
func marking(mark uint64, seq, size int) []byte {
	return append(append(binary.BigEndian.AppendUint64(nil, mark), 0, byte(seq)), make([]byte, max(size-headLen, 0))...)
}

// answerMarked answers a datagram of ours; nobody else's.
func answerMarked(b []byte) []byte {
	if len(b) < headLen || b[markLen] != 0 {
		return nil
	}
	b[markLen] = answerMark
	return b
}
