package linux

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// probes opens its sockets in the namespace of n, where they stay: whatever is done with them may be done on any thread.
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

func (p probes) TCP(ctx context.Context, address string, timeout time.Duration) error {
	c, err := p.dial(ctx, address, timeout)
	if err != nil {
		return err
	}
	return c.Close()
}

// dial connects to host:port over TCP.
func (p probes) dial(ctx context.Context, address string, timeout time.Duration) (net.Conn, error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	name, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &host.Error{Op: "connect to", Object: address, Err: err}
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, &host.Error{Op: "connect to", Object: address, Err: fmt.Errorf("port %q is not a number", service)}
	}
	ip, err := p.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	var c net.Conn
	err = p.do(func() (err error) {
		// An address, not a name, and only one: package net then makes the socket on this very thread.
		c, err = new(net.Dialer).DialContext(ctx, "tcp", netip.AddrPortFrom(ip, uint16(port)).String())
		return err
	})
	return c, dialError(address, err)
}

func dialError(address string, err error) error {
	if err == nil {
		return nil
	}
	e := &host.Error{Op: "connect to", Object: address, Err: err, Kind: kind(err)}
	var errno unix.Errno
	if errors.As(err, &errno) {
		e.Err = errno
	}
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		e.Err = context.Canceled
	case errno == unix.ECONNREFUSED:
		e.Kind, e.Err = host.ErrRefused, nil
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Err = host.ErrTimeout, nil
	case errno == unix.ENETUNREACH:
		e.Err = errors.New(noRoute)
	case errno == unix.EACCES, errno == unix.EINVAL: // routes of type prohibit and blackhole
		e.Kind, e.Err = host.ErrUnreachable, errors.New(refusal(errno))
	}
	return e
}

const noRoute = "network is unreachable (no route)"

// refusal says what the errno of connect(2) or send(2) means for a probe; "" when it is not the network's.
func refusal(errno unix.Errno) string {
	switch errno {
	case unix.ENETUNREACH:
		return noRoute
	case unix.EHOSTUNREACH:
		return "host unreachable (by route or neighbour of this host)"
	case unix.EACCES:
		return "prohibited by a route of this host"
	case unix.EINVAL:
		return "discarded by a route of this host (blackhole)"
	}
	return ""
}

// resolve returns the address that name is, or stands for, IPv4 first. Name servers are asked from inside the namespace.
func (p probes) resolve(ctx context.Context, name string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Unmap(), nil
	}
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (c net.Conn, err error) {
		err = p.do(func() error {
			c, err = new(net.Dialer).DialContext(ctx, network, address)
			return err
		})
		return c, err
	}}
	ips, err := r.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return netip.Addr{}, &host.Error{Op: "resolve", Object: name, Err: err}
	}
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			return ip.Unmap(), nil
		}
	}
	return ips[0], nil
}
