package linux

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Ping sends one request after the other, each awaited for o.Timeout.
func (p probes) Ping(ctx context.Context, address string, o host.PingOptions) (host.PingResult, error) {
	ip, err := p.resolve(ctx, address, o.Family)
	if err != nil {
		return host.PingResult{}, err
	}
	return p.ask(ctx, &pinger{ip: ip, id: uint16(rand.Uint32()), size: o.Size, payload: o.Payload}, address, o)
}

// UDP sends payload once.
func (p probes) UDP(ctx context.Context, address string, payload []byte, o host.PingOptions) ([]byte, host.PingResult, error) {
	name, port, err := splitHostPort(address)
	if err != nil {
		return nil, host.PingResult{}, &host.Error{Op: "send to", Object: address, Err: err}
	}
	ip, err := p.resolve(ctx, name, o.Family)
	if err != nil {
		return nil, host.PingResult{}, err
	}
	o.Count = 1
	s := &pinger{ip: ip, port: port, payload: payload}
	r, err := p.ask(ctx, s, address, o)
	return s.answer, r, err
}

func (p probes) ask(ctx context.Context, s *pinger, address string, o host.PingOptions) (host.PingResult, error) {
	op := "ping"
	if s.port != 0 {
		op = "send to"
	}
	o.Count, o.Interval, o.Timeout = max(o.Count, 1), orSecond(o.Interval), orSecond(o.Timeout)
	if err := s.open(p); err != nil {
		return host.PingResult{}, &host.Error{Op: op, Object: address, Err: err, Kind: kind(err)}
	}
	defer unix.Close(s.fd)
	if err := s.setup(o); err != nil {
		return host.PingResult{}, &host.Error{Op: op, Object: address, Err: err, Kind: kind(err)}
	}
	if err := s.connect(); err != nil {
		errno, _ := errors.AsType[unix.Errno](err)
		if s.res.Unreachable = refusal(errno); s.res.Unreachable != "" {
			return s.res, nil
		}
		return host.PingResult{}, &host.Error{Op: op, Object: address, Err: err, Kind: kind(err)}
	}
	return s.run(ctx, o)
}

func orSecond(d time.Duration) time.Duration {
	if d <= 0 {
		return time.Second
	}
	return d
}

// pinger is one ICMP or ICMPv6 socket, connected to ip, or one of UDP when there is a port.
type pinger struct {
	ip              netip.Addr
	port            uint16
	payload, answer []byte // of UDP; of a ping, payload is what it begins with
	fd              int
	raw             bool
	id              uint16
	size            int
	sum             time.Duration
	res             host.PingResult
}

// open makes a raw socket, or where that is not permitted a datagram one (icmp(7), ping_group_range).
func (s *pinger) open(p probes) (err error) {
	if s.port != 0 {
		s.fd, err = p.socket(s.ip, unix.SOCK_DGRAM, 0)
		return err
	}
	proto := unix.IPPROTO_ICMP
	if s.ip.Is6() {
		proto = unix.IPPROTO_ICMPV6
	}
	s.raw = true
	s.fd, err = p.socket(s.ip, unix.SOCK_RAW, proto)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		s.raw = false
		s.fd, err = p.socket(s.ip, unix.SOCK_DGRAM, proto)
	}
	return err
}

// setup asks for ICMP errors to be queued (ip(7), IP_RECVERR), and sets source and fragmentation.
func (s *pinger) setup(o host.PingOptions) error {
	level, recverr, discover, do, ttl := unix.IPPROTO_IP, unix.IP_RECVERR, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO, unix.IP_TTL
	if s.ip.Is6() {
		level, recverr, discover, do, ttl = unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO, unix.IPV6_UNICAST_HOPS
	}
	if err := unix.SetsockoptInt(s.fd, level, recverr, 1); err != nil {
		return fmt.Errorf("ask for errors: %w", err)
	}
	if o.DF {
		if err := unix.SetsockoptInt(s.fd, level, discover, do); err != nil {
			return fmt.Errorf("forbid fragmentation: %w", err)
		}
	}
	if o.TTL != 0 {
		if err := unix.SetsockoptInt(s.fd, level, ttl, o.TTL); err != nil {
			return fmt.Errorf("set time to live: %w", err)
		}
	}
	return s.source(o.Source)
}

// source sets the address or the interface to send from; "" leaves it to the kernel.
func (s *pinger) source(text string) error {
	if text == "" {
		return nil
	}
	if src, err := netip.ParseAddr(text); err == nil {
		if src.Is4() != s.ip.Is4() {
			return fmt.Errorf("source %s: %w", text, unix.EAFNOSUPPORT)
		}
		sa, err := sockaddr(s.fd, src, 0)
		if err == nil {
			err = unix.Bind(s.fd, sa)
		}
		if err != nil {
			return fmt.Errorf("source %s: %w", text, err)
		}
		return nil
	}
	if err := unix.BindToDevice(s.fd, text); err != nil {
		return fmt.Errorf("source %s: %w", text, err)
	}
	return nil
}

// connect lets the kernel look up the route: without one it says so here. The error is an errno.
func (s *pinger) connect() error {
	sa, err := sockaddr(s.fd, s.ip, s.port)
	if err != nil {
		return err
	}
	return unix.Connect(s.fd, sa)
}

func (s *pinger) run(ctx context.Context, o host.PingOptions) (host.PingResult, error) {
	for seq := range o.Count {
		start := time.Now()
		if s.send(uint16(seq)) {
			if err := s.await(ctx, uint16(seq), start, o.Timeout); err != nil {
				return s.res, err
			}
		}
		if seq == o.Count-1 {
			break
		}
		select {
		case <-ctx.Done():
			return s.res, context.Cause(ctx)
		case <-time.After(time.Until(start.Add(o.Interval))):
		}
	}
	if s.res.Received > 0 {
		s.res.RTT = s.sum / time.Duration(s.res.Received)
	}
	return s.res, nil
}

// send reports whether a packet left, as far as this host knows.
func (s *pinger) send(seq uint16) bool {
	s.res.Sent++
	var err error
	for range 2 { // the first call may return the error of an earlier packet, which is in the queue as well
		if err = unix.Send(s.fd, s.request(seq), 0); err == nil {
			return true
		}
		s.errors(seq)
	}
	errno, _ := errors.AsType[unix.Errno](err)
	switch {
	case errno == unix.EPERM:
		s.res.Note = "not permitted by the netfilter rules of this host"
	case errno == unix.EMSGSIZE:
		s.res.Unreachable = cmp.Or(s.res.Unreachable, "packet is too big to leave unfragmented")
	default:
		s.res.Unreachable = cmp.Or(s.res.Unreachable, refusal(errno), err.Error())
	}
	return false
}

// request is an echo request (RFC 792, RFC 4443). The kernel fills in the checksum of ICMPv6.
func (s *pinger) request(seq uint16) []byte {
	if s.port != 0 {
		return s.payload
	}
	b := make([]byte, 8+s.size)
	b[0] = 8
	if s.ip.Is6() {
		b[0] = 128
	}
	binary.BigEndian.PutUint16(b[4:], s.id)
	binary.BigEndian.PutUint16(b[6:], seq)
	for i := range b[8:] {
		b[8+i] = byte(i)
	}
	copy(b[8:], s.payload)
	if s.ip.Is4() {
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	return b
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// await waits until request seq is answered, refused, or lost.
func (s *pinger) await(ctx context.Context, seq uint16, start time.Time, timeout time.Duration) error {
	deadline := start.Add(timeout)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return nil
		}
		if _, err := pollFor(ctx, s.fd, unix.POLLIN, min(left, 100*time.Millisecond)); err != nil {
			return fmt.Errorf("await reply: %w", err)
		}
		if s.replied(seq) {
			s.res.Received++
			s.sum += time.Since(start)
			return nil
		}
		if s.errors(seq) {
			return nil
		}
	}
}

// replied reads what has arrived and reports whether the reply to seq was among it.
func (s *pinger) replied(seq uint16) bool {
	b := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(s.fd, b, unix.MSG_DONTWAIT)
		if err != nil {
			return false // nothing more, or an error that is in the queue as well
		}
		msg := b[:n]
		if s.port != 0 {
			s.answer = msg
			return true
		}
		if s.raw && s.ip.Is4() {
			msg = skipIPv4(msg)
		}
		if s.matches(msg, seq, 0, 129) {
			return true
		}
	}
}

func skipIPv4(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b[min(len(b), int(b[0]&0xf)*4):]
}

// matches reports whether msg is the echo message seq of the given type. The id of a datagram socket is the kernel's choice.
func (s *pinger) matches(msg []byte, seq uint16, type4, type6 byte) bool {
	if len(msg) < 8 || msg[0] != type4 && s.ip.Is4() || msg[0] != type6 && s.ip.Is6() {
		return false
	}
	return binary.BigEndian.Uint16(msg[6:]) == seq && (!s.raw || binary.BigEndian.Uint16(msg[4:]) == s.id)
}
