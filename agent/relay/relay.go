// Package relay makes connections for a controller whose jump host's sshd forbids forwarding: an agent there serves them on
// its standard input and output. It speaks the server's side of OpenSSH's mux proxy mode (PROTOCOL.mux, "Request proxy"), in
// which the channels of RFC 4254 travel without encryption, so that the controller needs nothing but the SSH client that it
// has. It knows channels of type direct-tcpip alone, and not how a connection is made.
package relay

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"labctl/modules/host"
)

// Dialer is host.Connector's one method.
type Dialer func(ctx context.Context, name string, port uint16) (host.Stream, error)

// The messages of mux proxy mode (PROTOCOL.mux).
const (
	muxHello   = 0x00000001
	muxVersion = 4
	muxCProxy  = 0x1000000f
	muxSProxy  = 0x8000000f
)

// maxPacket bounds what is read as one packet: 256 KiB, as OpenSSH does.
const maxPacket = 256 << 10

// Serve makes the connections that are asked for on in until that ends, which ends them all. magic goes before all else.
func Serve(ctx context.Context, in io.Reader, out io.Writer, magic string, dial Dialer) error {
	ctx, cancel := context.WithCancel(ctx)
	s := &server{ctx: ctx, cancel: cancel, in: bufio.NewReaderSize(in, 64<<10), out: newOutput(out), dial: dial, channels: map[uint32]*channel{}}
	s.out.raw([]byte(magic))
	s.out.frame(u32(muxHello), u32(muxVersion))
	err := s.handshake()
	for err == nil {
		var p []byte
		if p, err = s.read(); err == nil {
			err = s.packet(p)
		}
	}
	s.end()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// server is the state of one Serve.
type server struct {
	ctx    context.Context
	cancel context.CancelFunc
	in     *bufio.Reader
	out    *output
	dial   Dialer
	wg     sync.WaitGroup

	mu       sync.Mutex
	channels map[uint32]*channel
	next     uint32
}

// handshake answers the two messages that precede the packets.
func (s *server) handshake() error {
	for _, want := range []uint32{muxHello, muxCProxy} {
		p, err := s.frame()
		if err != nil {
			return err
		}
		r := reader{p}
		if kind, value := r.u32(), r.u32(); r.bad() || kind != want || kind == muxHello && value != muxVersion {
			return fmt.Errorf("relay: message %#x with %d in the place of %#x", kind, value, want)
		} else if kind == muxCProxy {
			s.out.frame(u32(muxSProxy), u32(value))
		}
	}
	return nil
}

// frame reads what a length goes before.
func (s *server) frame() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxPacket {
		return nil, fmt.Errorf("relay: a packet of %d bytes: at most %d", n, maxPacket)
	}
	p := make([]byte, n)
	if _, err := io.ReadFull(s.in, p); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return p, nil
}

// read reads a packet, which begins with the length of its padding: none.
func (s *server) read() ([]byte, error) {
	p, err := s.frame()
	if err != nil {
		return nil, err
	}
	if len(p) < 2 || p[0] != 0 {
		return nil, errors.New("relay: a packet with padding, or without a message")
	}
	return p[1:], nil
}

// end closes every connection. One that is being made sees it by the context.
func (s *server) end() {
	s.cancel()
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.channels))
	s.mu.Unlock()
	for _, c := range all {
		c.abort()
	}
	s.out.close()
	s.wg.Wait()
}

// add gives a channel its number.
func (s *server) add(c *channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.channels[s.next] != nil {
		s.next++
	}
	c.id = s.next
	s.next++
	s.channels[c.id] = c
}

func (s *server) remove(c *channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.channels, c.id)
}

func (s *server) channel(id uint32) *channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channels[id]
}
