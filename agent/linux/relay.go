package linux

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

var _ host.Connector = (*Host)(nil)

// relayTimeout bounds the attempt to connect to one of several addresses.
const relayTimeout = 30 * time.Second

// Connect makes a connection over TCP for somebody else, as sshd would: a name is looked up as the host is set up to, and its
// addresses are tried in turn. The error is that of the last, in the words of connect(2), as sshd tells it.
func (h *Host) Connect(ctx context.Context, name string, port uint16) (host.Stream, error) {
	n, err := h.Net(ctx, "")
	if err != nil {
		return nil, err
	}
	p := probes{n.(*Net)}
	all, err := p.addresses(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, ip := range all {
		var s stream
		if s, err = p.stream(ctx, ip, port); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// addresses are all that a name stands for, in the order of getent(1), which is that of RFC 6724.
func (p probes) addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	out, err := p.getent(ctx, "ahosts", name)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w: give its address", name, err)
	}
	if out == nil {
		return nil, fmt.Errorf("look up %s: the name is unknown there", name)
	}
	return out, nil
}

// stream connects a socket.
func (p probes) stream(ctx context.Context, ip netip.Addr, port uint16) (stream, error) {
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	fd, err := p.socket(ip, unix.SOCK_STREAM, 0)
	if err != nil {
		return stream{}, err
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	if err := connectTCP(ctx, fd, ip, port); err != nil {
		unix.Close(fd)
		return stream{}, err
	}
	return stream{os.NewFile(uintptr(fd), "connection")}, nil // non-blocking: closing ends reads
}

// stream is a connection over TCP.
type stream struct{ *os.File }

func (s stream) CloseWrite() error {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Shutdown(int(fd), unix.SHUT_WR) }); err != nil {
		return err
	}
	return os.NewSyscallError("shutdown", failed)
}
