package linux

import (
	"context"
	"encoding/binary"
	"time"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// captureBuffer is how much the kernel keeps for a capture: it may be left alone for the rest of a play.
const captureBuffer = 32 << 20

// capture is a packet socket (packet(7)).
type capture struct {
	fd    int
	plain bool // the device has no Ethernet headers
	loop  bool // the device is lo, which shows every frame going out and coming in
	lost  int
	buf   []byte
}

// Capture opens the socket for no protocol at first, so that nothing gets in before the filter is there.
func (p probes) Capture(_ context.Context, o host.CaptureOptions) (host.Capture, error) {
	index, typ, err := 0, unix.SOCK_DGRAM, error(nil)
	if o.Dev != "" {
		typ = unix.SOCK_RAW
		if index, err = p.n.index(o.Dev); err != nil {
			return nil, failed("capture on", o.Dev, err)
		}
	}
	c := &capture{plain: o.Dev == "", buf: make([]byte, 1<<18)}
	if c.fd, err = p.packetSocket(typ); err == nil {
		if err = c.setup(p, o, index); err != nil {
			_ = unix.Close(c.fd)
		}
	}
	if err != nil {
		return nil, failed("capture on", o.Dev, err)
	}
	return c, nil
}

func (p probes) packetSocket(typ int) (fd int, err error) {
	err = p.do(func() error {
		fd, err = unix.Socket(unix.AF_PACKET, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		return err
	})
	return fd, err
}

// kind takes a socket without Ethernet headers where the device has none.
func (c *capture) kind(p probes, dev string) error {
	if c.plain {
		return nil
	}
	ifr, err := unix.NewIfreq(dev)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(c.fd, unix.SIOCGIFHWADDR, ifr); err != nil {
		return err
	}
	typ := ifr.Uint16() // the family of a struct sockaddr
	c.loop = typ == unix.ARPHRD_LOOPBACK
	if typ == unix.ARPHRD_ETHER || c.loop {
		return nil
	}
	fd, err := p.packetSocket(unix.SOCK_DGRAM)
	if err == nil {
		_ = unix.Close(c.fd)
		c.fd, c.plain = fd, true
	}
	return err
}

func (c *capture) setup(p probes, o host.CaptureOptions, index int) error {
	if err := c.kind(p, o.Dev); err != nil {
		return err
	}
	filter := o.Ethernet
	if c.plain {
		filter = o.Plain
	}
	if len(filter) > 0 {
		prog := make([]unix.SockFilter, len(filter))
		for i, f := range filter {
			prog[i] = unix.SockFilter{Code: f.Op, Jt: f.Jt, Jf: f.Jf, K: f.K}
		}
		if err := unix.SetsockoptSockFprog(c.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}); err != nil {
			return err
		}
	}
	for _, opt := range [][3]int{{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer}, {unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1}, {unix.SOL_PACKET, unix.PACKET_AUXDATA, 1}} {
		if err := unix.SetsockoptInt(c.fd, opt[0], opt[1], opt[2]); err != nil && opt[1] != unix.SO_RCVBUFFORCE {
			return err
		}
	}
	if err := unix.Bind(c.fd, &unix.SockaddrLinklayer{Protocol: bigEndian16(unix.ETH_P_ALL), Ifindex: index}); err != nil || !o.Promisc {
		return err
	}
	return unix.SetsockoptPacketMreq(c.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC})
}

// bigEndian16 is v as a field in network order holds it.
func bigEndian16(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

func (c *capture) Send(frame []byte) error {
	return failed("send frame", "", unix.Send(c.fd, frame, 0))
}
func (c *capture) Close() error { return unix.Close(c.fd) }

// Dropped adds up what the kernel forgets with each answer (PACKET_STATISTICS).
func (c *capture) Dropped() int {
	if s, err := unix.GetsockoptTpacketStats(c.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
		c.lost += int(s.Drops)
	}
	return c.lost
}

func (c *capture) Next(ctx context.Context, wait time.Duration) (*host.Frame, error) {
	for end := time.Now().Add(wait); ; {
		oob := make([]byte, 256)
		n, oobn, _, from, err := unix.Recvmsg(c.fd, c.buf, oob, unix.MSG_DONTWAIT)
		switch {
		case err == nil:
			if f := c.frame(c.buf[:n], oob[:oobn], from); f != nil {
				return f, nil
			}
			continue
		case err == unix.EINTR:
			continue
		case err != unix.EAGAIN:
			return nil, failed("capture", "", err) // ENETDOWN: the device went down
		}
		left := time.Until(end)
		if left <= 0 {
			return nil, nil
		}
		if _, err := pollFor(ctx, c.fd, unix.POLLIN, min(left, 100*time.Millisecond)); err != nil {
			return nil, context.Cause(ctx)
		}
	}
}

// frame puts back what the kernel keeps beside a frame; nil for one that is not to be shown.
func (c *capture) frame(b, oob []byte, from unix.Sockaddr) *host.Frame {
	f := &host.Frame{Time: time.Now(), Length: len(b)}
	sa, _ := from.(*unix.SockaddrLinklayer)
	f.Outgoing = sa != nil && sa.Pkttype == unix.PACKET_OUTGOING
	cmsgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || f.Outgoing && c.loop {
		return nil
	}
	var tag []byte
	for _, m := range cmsgs {
		switch {
		case m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS:
			f.Time = stamp(m.Data)
		case m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA && len(m.Data) >= 20: // struct tpacket_auxdata
			f.Length, tag = int(rtnl.U32(m.Data[4:])), vlanTag(m.Data)
		}
	}
	switch {
	case c.plain && sa != nil:
		f.Data = append(binary.NativeEndian.AppendUint16(make([]byte, 12), sa.Protocol), b...)
	case tag != nil && len(b) >= 12:
		f.Data = append(append(append(f.Data, b[:12]...), tag...), b[12:]...)
	default:
		f.Data = append(f.Data, b...)
	}
	f.Length += len(f.Data) - len(b)
	return f
}

// vlanTag is the tag that the kernel took out of a frame, nil for none.
func vlanTag(aux []byte) []byte {
	status, tpid := rtnl.U32(aux), uint16(unix.ETH_P_8021Q)
	if status&unix.TP_STATUS_VLAN_VALID == 0 {
		return nil
	}
	if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
		tpid = rtnl.U16(aux[18:])
	}
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, tpid), rtnl.U16(aux[16:]))
}

// stamp reads a struct timespec, whose fields are as wide as the machine's words.
func stamp(b []byte) time.Time {
	if len(b) >= 16 {
		return time.Unix(int64(binary.NativeEndian.Uint64(b)), int64(binary.NativeEndian.Uint64(b[8:])))
	}
	if len(b) >= 8 {
		return time.Unix(int64(rtnl.U32(b)), int64(rtnl.U32(b[4:])))
	}
	return time.Now()
}
