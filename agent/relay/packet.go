package relay

import (
	"encoding/binary"
	"fmt"
)

// The messages of the connection protocol (RFC 4254, section 9) that a relay meets.
const (
	msgGlobalRequest  = 80
	msgRequestFailure = 82
	msgOpen           = 90
	msgOpenConfirm    = 91
	msgOpenFailure    = 92
	msgWindowAdjust   = 93
	msgData           = 94
	msgEOF            = 96
	msgClose          = 97
	msgRequest        = 98
	msgFailure        = 100
)

// The reasons for which a channel is not opened (RFC 4254, section 5.1).
const (
	connectFailed      = 2
	unknownChannelType = 3
)

// packet takes in one message. An error ends the relay: after it nothing that comes can be trusted.
func (s *server) packet(p []byte) error {
	kind, r := p[0], reader{p[1:]}
	switch kind {
	case msgGlobalRequest:
		if _, reply := r.text(), r.flag(); reply {
			s.out.packet(msgRequestFailure)
		}
		return r.fault(kind)
	case msgOpen:
		return s.open(&r)
	case msgWindowAdjust, msgData, msgEOF, msgClose, msgRequest:
		c := s.channel(r.u32())
		if r.bad() || c == nil {
			return fmt.Errorf("relay: message %d is for no channel", kind)
		}
		return c.packet(kind, &r)
	}
	return nil // an answer to what was never asked, or for other channels than ours
}

// open makes a connection without holding up the others.
func (s *server) open(r *reader) error {
	kind, peer, window, limit := r.text(), r.u32(), r.u32(), r.u32()
	if r.bad() {
		return malformed(msgOpen)
	}
	if kind != "direct-tcpip" {
		s.refuse(peer, unknownChannelType, "a relay makes connections over TCP alone")
		return nil
	}
	name, port := r.text(), r.u32()
	if _, _ = r.text(), r.u32(); r.bad() || port > 65535 || limit == 0 {
		return malformed(msgOpen)
	}
	c := newChannel(s, peer, window, limit)
	s.wg.Go(func() {
		conn, err := s.dial(s.ctx, name, uint16(port))
		if err != nil {
			s.refuse(peer, connectFailed, err.Error())
			return
		}
		c.begin(conn)
	})
	return nil
}

func (s *server) refuse(peer, reason uint32, text string) {
	s.out.packet(msgOpenFailure, u32(peer), u32(reason), str(text), str(""))
}

// reader takes a message apart. What is too short reads as zero, and is bad in the end.
type reader struct{ rest []byte }

func (r *reader) take(n uint32) []byte {
	if r.rest == nil || uint64(n) > uint64(len(r.rest)) {
		r.rest = nil
		return nil
	}
	p := r.rest[:n]
	r.rest = r.rest[n:]
	return p
}

func (r *reader) u32() uint32 {
	if p := r.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

func (r *reader) flag() bool {
	p := r.take(1)
	return p != nil && p[0] != 0
}

func (r *reader) bytes() []byte { return r.take(r.u32()) }
func (r *reader) text() string  { return string(r.bytes()) }
func (r *reader) bad() bool     { return r.rest == nil }

func (r *reader) fault(kind byte) error {
	if r.bad() {
		return malformed(kind)
	}
	return nil
}

func malformed(kind byte) error { return fmt.Errorf("relay: message %d is malformed", kind) }

func u32(n uint32) []byte    { return binary.BigEndian.AppendUint32(nil, n) }
func str(text string) []byte { return append(u32(uint32(len(text))), text...) }
