package rtnl

import (
	"encoding/binary"
	"fmt"
	"iter"

	"golang.org/x/sys/unix"
)

const headerLen = 16 // struct nlmsghdr

var native = binary.NativeEndian

// Message is a request being built.
type Message struct {
	Type  uint16
	Flags uint16 // NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, ...; request and ack are added
	buf   []byte // after the nlmsghdr
}

// Reply is one message of the kernel: its payload after the nlmsghdr.
type Reply struct {
	Type  uint16
	Flags uint16
	Seq   uint32 // of the request, where it answers one of several
	Data  []byte
}

// New starts a message with its family header (struct ifinfomsg, ifaddrmsg, rtmsg, ndmsg, ...).
func New(typ, flags uint16, header []byte) *Message {
	return &Message{Type: typ, Flags: flags, buf: append(make([]byte, 0, 256), header...)}
}

func (m *Message) bytes(flags uint16, seq uint32) []byte {
	b := make([]byte, headerLen, headerLen+len(m.buf))
	native.PutUint32(b, uint32(headerLen+len(m.buf)))
	native.PutUint16(b[4:], m.Type)
	native.PutUint16(b[6:], m.Flags|flags)
	native.PutUint32(b[8:], seq)
	return append(b, m.buf...)
}

// Bytes returns the header and what was appended.
func (m *Message) Bytes() []byte { return m.buf }

// U64 reads eight bytes in host order; 0 when b is too short.
func U64(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return native.Uint64(b)
}

// Attr appends an attribute.
func (m *Message) Attr(typ uint16, data []byte) *Message {
	m.buf = native.AppendUint16(m.buf, uint16(4+len(data)))
	m.buf = native.AppendUint16(m.buf, typ)
	m.buf = append(m.buf, data...)
	for len(m.buf)%4 != 0 {
		m.buf = append(m.buf, 0)
	}
	return m
}

// U8 appends an attribute of one byte.
func (m *Message) U8(typ uint16, v uint8) *Message { return m.Attr(typ, []byte{v}) }

// U16 appends an attribute of two bytes in host order.
func (m *Message) U16(typ uint16, v uint16) *Message { return m.Attr(typ, native.AppendUint16(nil, v)) }

// U16BE appends an attribute of two bytes in network order.
func (m *Message) U16BE(typ uint16, v uint16) *Message {
	return m.Attr(typ, binary.BigEndian.AppendUint16(nil, v))
}

// U32 appends an attribute of four bytes in host order.
func (m *Message) U32(typ uint16, v uint32) *Message { return m.Attr(typ, native.AppendUint32(nil, v)) }

// Bool appends a byte, 0 or 1.
func (m *Message) Bool(typ uint16, v bool) *Message {
	if v {
		return m.U8(typ, 1)
	}
	return m.U8(typ, 0)
}

// Str appends a zero-terminated string.
func (m *Message) Str(typ uint16, s string) *Message { return m.Attr(typ, append([]byte(s), 0)) }

// Nest appends an attribute that holds what fill appends.
func (m *Message) Nest(typ uint16, fill func()) *Message {
	at := len(m.buf)
	m.Attr(typ, nil)
	fill()
	native.PutUint16(m.buf[at:], uint16(len(m.buf)-at))
	return m
}

// Raw appends bytes as they are, for headers inside attributes (VETH_INFO_PEER, RTA_MULTIPATH).
func (m *Message) Raw(b []byte) *Message {
	m.buf = append(m.buf, b...)
	return m
}

// Record appends a record of RTA_MULTIPATH, struct rtnexthop, whose first two bytes are its length; fill appends the
// record and its attributes.
func (m *Message) Record(fill func()) *Message {
	at := len(m.buf)
	fill()
	native.PutUint16(m.buf[at:], uint16(len(m.buf)-at))
	return m
}

// Attrs walks the attributes in b. Type flags (NLA_F_NESTED) are stripped. Malformed rests are dropped.
func Attrs(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= 4 {
			n := int(native.Uint16(b))
			if n < 4 || n > len(b) {
				return
			}
			if !yield(native.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[4:n]) {
				return
			}
			b = b[min(len(b), (n+3)&^3):]
		}
	}
}

// Str reads a zero-terminated string.
func Str(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// U16 reads two bytes in host order; 0 when b is too short.
func U16(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return native.Uint16(b)
}

// U16BE reads two bytes in network order; 0 when b is too short.
func U16BE(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// U32 reads four bytes in host order; 0 when b is too short.
func U32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return native.Uint32(b)
}

// Put64 writes v in host order.
func Put64(b []byte, v uint64) { native.PutUint64(b, v) }

// U8 reads one byte; 0 when b is empty.
func U8(b []byte) uint8 {
	if len(b) < 1 {
		return 0
	}
	return b[0]
}

// Put32 writes v in host order.
func Put32(b []byte, v uint32) { native.PutUint32(b, v) }

// collect sorts the messages of one datagram: replies to out, the acknowledgement or end of dump to done.
func (c *Conn) collect(b []byte, out *[]Reply, interrupted *bool) (done bool, err error) {
	for len(b) >= headerLen {
		n := int(native.Uint32(b))
		if n < headerLen || n > len(b) {
			return false, fmt.Errorf("receive from netlink: message of %d bytes in %d", n, len(b))
		}
		typ, flags, seq := native.Uint16(b[4:]), native.Uint16(b[6:]), native.Uint32(b[8:])
		body := b[headerLen:n]
		b = b[min(len(b), (n+3)&^3):]
		if seq != c.seq {
			continue // the rest of something that was given up
		}
		*interrupted = *interrupted || flags&unix.NLM_F_DUMP_INTR != 0
		switch typ {
		case unix.NLMSG_ERROR:
			return true, refusal(body, flags)
		case unix.NLMSG_DONE:
			return true, refusal(body, flags)
		case unix.NLMSG_NOOP:
		default:
			*out = append(*out, Reply{Type: typ, Flags: flags, Data: append([]byte(nil), body...)})
		}
	}
	return false, nil
}

// refusal decodes struct nlmsgerr, or the errno that ends a dump; nil for success.
func refusal(b []byte, flags uint16) error {
	errno := -int32(U32(b))
	if errno == 0 {
		return nil
	}
	e := &Error{Errno: unix.Errno(errno)}
	if flags&unix.NLM_F_ACK_TLVS == 0 {
		return e
	}
	rest := 4 // end of dump: the attributes follow the errno
	if len(b) >= 20 {
		rest = 20 // nlmsgerr: the request's header, and its body when the kernel does not cap it
		if flags&unix.NLM_F_CAPPED == 0 {
			rest += (int(U32(b[4:])) - headerLen + 3) &^ 3
		}
	}
	if rest > len(b) {
		return e
	}
	for typ, v := range Attrs(b[rest:]) {
		if typ == unix.NLMSGERR_ATTR_MSG {
			e.Text = Str(v)
		}
	}
	return e
}

// Put16s returns numbers of two bytes in host order.
func Put16s(vs ...uint16) []byte {
	var b []byte
	for _, v := range vs {
		b = native.AppendUint16(b, v)
	}
	return b
}

// Patch overwrites one byte of the family header.
func (m *Message) Patch(at int, v byte) { m.buf[at] = v }
