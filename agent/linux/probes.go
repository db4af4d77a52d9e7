package linux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// probes opens its sockets in the namespace of n, where they stay: whatever is done with them may be done on any thread.
// Package net, with its resolver, would make the agent a tenth larger; the few system calls are made here.
type probes struct{ n *Net }

// Probes looks at the network from inside the namespace.
func (n *Net) Probes() host.Probes { return probes{n} }

// do runs fn on a thread in the namespace. An ordinary user may not enter even the namespace it is in.
func (p probes) do(fn func() error) error {
	if p.n == p.n.h.self && os.Geteuid() != 0 {
		return fn()
	}
	return p.n.h.inNetNS(p.n.fd, fn)
}

func (p probes) TCP(ctx context.Context, address string, o host.PingOptions) error {
	c, err := p.dial(ctx, address, o)
	if err != nil {
		return err
	}
	return c.Close()
}

// Exchange makes one connection for one request.
func (p probes) Exchange(ctx context.Context, address string, request []byte, enough func([]byte) bool, timeout time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := p.dial(ctx, address, host.PingOptions{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err = c.Write(request)
	var out []byte
	for b := make([]byte, 4096); err == nil && !enough(out); {
		var n int
		n, err = c.Read(b)
		out = append(out, b[:n]...)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(ctx.Err(), context.Canceled):
		return out, &host.Error{Op: "receive from", Object: address, Kind: host.ErrTimeout}
	case err != nil && !errors.Is(err, io.EOF):
		return out, &host.Error{Op: "receive from", Object: address, Err: err}
	}
	return out, nil
}

// Kept returns what earlier tasks of this session have left open.
func (p probes) Kept() *host.Kept { return &p.n.h.kept }

// dial connects to host:port over TCP.
func (p probes) dial(ctx context.Context, address string, o host.PingOptions) (*os.File, error) {
	return p.connect(ctx, unix.SOCK_STREAM, address, o, 0)
}

// connect connects a socket of a type; the segments of TCP shall be no larger than mss, if that is set.
func (p probes) connect(ctx context.Context, typ int, address string, o host.PingOptions, mss int) (*os.File, error) {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	name, port, err := splitHostPort(address)
	if err != nil {
		return nil, &host.Error{Op: "connect to", Object: address, Err: err}
	}
	ip, err := p.resolve(ctx, name, o.Family)
	if err != nil {
		return nil, err
	}
	fd, err := p.socket(ip, typ, 0)
	if err == nil && mss != 0 {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, mss)
	}
	if err == nil {
		if err = (&pinger{fd: fd, ip: ip}).source(o.Source); err != nil {
			unix.Close(fd)
			return nil, &host.Error{Op: "connect to", Object: address, Err: err, Kind: kind(err)}
		}
		if err = connectTCP(ctx, fd, ip, port); err == nil {
			return os.NewFile(uintptr(fd), address), nil // non-blocking: deadlines work
		}
		unix.Close(fd)
	}
	return nil, dialError(address, err)
}

// socket makes a non-blocking socket for the family of ip.
func (p probes) socket(ip netip.Addr, typ, proto int) (fd int, err error) {
	family := unix.AF_INET
	if ip.Is6() {
		family = unix.AF_INET6
	}
	err = p.do(func() error {
		fd, err = unix.Socket(family, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
		return err
	})
	return fd, err
}

// connectTCP connects fd and waits until that is done, refused, or ctx ends.
func connectTCP(ctx context.Context, fd int, ip netip.Addr, port uint16) error {
	sa, err := sockaddr(fd, ip, port)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, sa); err != unix.EINPROGRESS {
		return err
	}
	for {
		ready, err := pollFor(ctx, fd, unix.POLLOUT, 100*time.Millisecond)
		if err != nil {
			return err
		}
		if ready {
			errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err == nil && errno != 0 {
				err = unix.Errno(errno)
			}
			return err
		}
	}
}

// pollFor waits up to d, and reports whether one of events, or an error, is there.
func pollFor(ctx context.Context, fd int, events int16, d time.Duration) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if deadline, ok := ctx.Deadline(); ok {
		d = max(0, min(d, time.Until(deadline)))
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	n, err := unix.Poll(fds, int(d.Milliseconds())+1)
	if err == unix.EINTR {
		return false, nil
	}
	return n > 0, err
}

// sockaddr is ip as connect(2) wants it. The zone of a link-local address is looked up in the namespace of fd.
func sockaddr(fd int, ip netip.Addr, port uint16) (unix.Sockaddr, error) {
	if ip.Is4() {
		return &unix.SockaddrInet4{Addr: ip.As4(), Port: int(port)}, nil
	}
	sa := &unix.SockaddrInet6{Addr: ip.As16(), Port: int(port)}
	if ip.Zone() != "" {
		ifr, err := unix.NewIfreq(ip.Zone())
		if err != nil {
			return nil, unix.ENODEV
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr); err != nil {
			return nil, err
		}
		sa.ZoneId = ifr.Uint32()
	}
	return sa, nil
}

// splitHostPort takes HOST:PORT or [IPV6]:PORT apart.
func splitHostPort(address string) (string, uint16, error) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return "", 0, fmt.Errorf("the port is missing")
	}
	name := address[:i]
	port, err := strconv.ParseUint(address[i+1:], 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q is not a number", address[i+1:])
	}
	if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
		return name[1 : len(name)-1], uint16(port), nil
	}
	if name == "" || strings.Contains(name, ":") {
		return "", 0, fmt.Errorf("not HOST:PORT")
	}
	return name, uint16(port), nil
}

func dialError(address string, err error) error {
	e := &host.Error{Op: "connect to", Object: address, Err: err, Kind: kind(err)}
	errno, _ := errors.AsType[unix.Errno](err)
	switch {
	case errno == unix.ECONNREFUSED:
		e.Kind, e.Err = host.ErrRefused, nil
	case errno == unix.ETIMEDOUT, errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Err = host.ErrTimeout, nil
	case refusal(errno) != "":
		e.Kind, e.Err = host.ErrUnreachable, errors.New(refusal(errno))
	}
	return e
}

// refusal says what the errno of connect(2) or send(2) means for a probe; "" when it is not the network's.
func refusal(errno unix.Errno) string {
	switch errno {
	case unix.ENETUNREACH:
		return "network is unreachable (no route)"
	case unix.EHOSTUNREACH:
		return "host is unreachable"
	case unix.EACCES:
		return "prohibited by a route of this host"
	case unix.EINVAL:
		return "discarded by a route of this host (blackhole)"
	}
	return ""
}

// resolve returns the address that name is, or stands for: IPv4 first, or of the family that is asked for. Names are looked up
// as the host is set up to (nsswitch.conf(5)) by its own getent(1), inside the namespace.
func (p probes) resolve(ctx context.Context, name string, family int) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Unmap(), nil
	}
	for _, database := range []string{"ahostsv4", "ahostsv6"} {
		if family != 0 && database != fmt.Sprintf("ahostsv%d", family) {
			continue
		}
		all, err := p.getent(ctx, database, name)
		if err != nil {
			return netip.Addr{}, &host.Error{Op: "resolve", Object: name, Err: err}
		}
		if len(all) > 0 {
			return all[0], nil
		}
	}
	return netip.Addr{}, &host.Error{Op: "resolve", Object: name, Kind: host.ErrNotExist}
}

// getent lists the addresses of a name by a database of getent(1), each once; none is no error.
func (p probes) getent(ctx context.Context, database, name string) ([]netip.Addr, error) {
	e := host.Exec{Argv: []string{"getent", database, name}}
	if p.n != p.n.h.self {
		e.NetNS = p.n.ref
	}
	r, err := p.n.h.Commands().Run(ctx, e)
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for line := range strings.Lines(string(r.Stdout)) { // ADDRESS TYPE [NAME], once for each type of socket
		word, _, _ := strings.Cut(line, " ")
		if ip, err := netip.ParseAddr(word); err == nil && !slices.Contains(out, ip.Unmap()) {
			out = append(out, ip.Unmap())
		}
	}
	return out, nil
}
