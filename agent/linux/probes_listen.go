package linux

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// backlog is how many connections may stand that nobody has accepted: the kernel makes them without us.
const backlog = 128

// maxTalks is how many connections are listened to at once. Each costs a buffer.
const maxTalks = 16

// listener is a socket, and who answers on it and on its connections.
type listener struct {
	*os.File
	talks sync.WaitGroup

	mu     sync.Mutex
	open   map[*os.File]bool // connections; nil when closed
	answer func([]byte) []byte
}

// Listen takes a socket for IPv6 that is for IPv4, too, or one for IPv4 where there is no IPv6.
func (p probes) Listen(_ context.Context, proto string, port int, answer func([]byte) []byte) (io.Closer, error) {
	fd, err := p.bound(proto, &unix.SockaddrInet6{Port: port}, unix.AF_INET6)
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
		fd, err = p.bound(proto, &unix.SockaddrInet4{Port: port}, unix.AF_INET)
	}
	if err != nil {
		e := &host.Error{Op: "listen on", Object: proto + " port " + strconv.Itoa(port), Err: err, Kind: kind(err)}
		if errors.Is(err, unix.EADDRINUSE) {
			e.Kind = host.ErrBusy
		}
		return nil, e
	}
	l := &listener{File: os.NewFile(uintptr(fd), proto), open: map[*os.File]bool{}, answer: answer}
	switch {
	case proto == "udp":
		l.talks.Go(l.datagrams)
	case answer != nil:
		l.talks.Go(l.accept)
	}
	return l, nil
}

func (p probes) bound(proto string, sa unix.Sockaddr, family int) (fd int, err error) {
	typ := unix.SOCK_STREAM
	if proto == "udp" {
		typ = unix.SOCK_DGRAM
	}
	err = p.do(func() error {
		fd, err = unix.Socket(family, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return -1, err
	}
	if family == unix.AF_INET6 {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	} else {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	if proto != "udp" { // connections of a probe before, in TIME_WAIT, are no reason to refuse; another listener is
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err = unix.Bind(fd, sa); err == nil && proto != "udp" {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		_ = unix.Close(fd)
	}
	return fd, err
}

// accept ends when the socket is closed.
func (l *listener) accept() {
	c, err := l.SyscallConn()
	for err == nil {
		err = c.Read(func(fd uintptr) bool {
			n, _, err := unix.Accept4(int(fd), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			if err != nil {
				return err != syscall.EAGAIN
			}
			l.begin(os.NewFile(uintptr(n), "tcp"))
			return true
		})
	}
}

// begin listens to a connection, unless there are too many.
func (l *listener) begin(c *os.File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil || len(l.open) >= maxTalks {
		_ = c.Close()
		return
	}
	l.open[c] = true
	l.talks.Go(func() { l.talk(c) })
}

func (l *listener) talk(c *os.File) {
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		if n > 0 {
			if out := l.answer(b[:n]); out != nil {
				_, err = c.Write(out)
			}
		}
		if err != nil {
			break
		}
	}
	l.mu.Lock()
	delete(l.open, c)
	l.mu.Unlock()
	_ = c.Close()
}

// datagrams ends when the socket is closed.
func (l *listener) datagrams() {
	c, err := l.SyscallConn()
	b, oob := make([]byte, 64<<10), make([]byte, 256)
	for err == nil {
		err = c.Read(func(fd uintptr) bool {
			n, oobn, _, from, err := unix.Recvmsg(int(fd), b, oob, unix.MSG_DONTWAIT)
			if err == nil {
				if out := l.answer(b[:n]); out != nil {
					_ = unix.Sendmsg(int(fd), out, addressedTo(oob[:oobn]), from, 0)
				}
			}
			return err != syscall.EAGAIN
		})
	}
}

// addressedTo makes of the control messages of a datagram those of its answer: it comes from the address that was written
// to, by whichever device the routes say.
func addressedTo(oob []byte) []byte {
	cmsgs, _ := unix.ParseSocketControlMessage(oob)
	for _, c := range cmsgs {
		switch {
		case c.Header.Level == unix.IPPROTO_IP && c.Header.Type == unix.IP_PKTINFO && len(c.Data) >= 12: // struct in_pktinfo
			clear(c.Data[:4])
			return oob
		case c.Header.Level == unix.IPPROTO_IPV6 && c.Header.Type == unix.IPV6_PKTINFO && len(c.Data) >= 20: // struct in6_pktinfo
			if rtnl.U16(c.Data)&bigEndian16(0xffc0) != bigEndian16(0xfe80) { // a link-local address needs its device
				clear(c.Data[16:20])
			}
			return oob
		}
	}
	return nil
}

// Close waits until nobody answers.
func (l *listener) Close() error {
	err := l.File.Close()
	l.mu.Lock()
	for c := range l.open {
		_ = c.Close()
	}
	l.open = nil
	l.mu.Unlock()
	l.talks.Wait()
	return err
}
