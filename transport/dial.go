package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
)

// dial opens the byte stream that the handshake then runs on: a TCP connection from here, the standard streams of a
// command, or a connection from the hop before.
func (a *attempt) dial(ctx context.Context) (net.Conn, *Error) {
	l := a.link
	switch {
	case l.target.proxied() && l.target.ProxyUseFdpass:
		c, err := dialByFdpass(ctx, l.target, l.pool)
		if err != nil {
			return nil, a.fail(PhaseProxy, err)
		}
		return c, nil
	case l.target.proxied():
		c, err := startProxyCommand(l.target, l.pool)
		if err != nil {
			return nil, a.fail(PhaseProxy, err)
		}
		return c, nil
	case l.via == nil:
		c, err := l.target.dialTCP(ctx)
		if err != nil {
			return nil, a.fail(PhaseTCP, causeOf(ctx, err))
		}
		return c, nil
	}
	c, err := l.via.forward(ctx, l.target.dialAddr())
	if err == nil {
		return c, nil
	}
	fault := a.fail(PhaseChannel, causeOf(ctx, err))
	if isDone(l.via.down) { // the hop itself is gone
		fault.Hop, fault.Via, fault.Addr = l.via.target.Name, "", l.via.target.addr()
	}
	return nil, fault
}

// networks are the names that package net has for AddressFamily.
var networks = map[string]string{"": "tcp", "any": "tcp", "inet": "tcp4", "inet6": "tcp6"}

func (t *Target) dialTCP(ctx context.Context) (net.Conn, error) {
	network, ok := networks[strings.ToLower(t.AddressFamily)]
	if !ok {
		return nil, fmt.Errorf("address family %q is none of any, inet and inet6", t.AddressFamily)
	}
	from, err := t.sources(ctx, network)
	if err != nil {
		return nil, err
	}
	if from == nil {
		return new(net.Dialer).DialContext(ctx, network, t.dialAddr())
	}
	// An address of one family reaches only addresses of its own; net says of the others that none is suitable.
	for _, ip := range from {
		var c net.Conn
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: ip.IP, Zone: ip.Zone}}
		c, err = d.DialContext(ctx, network, t.dialAddr())
		var unsuitable *net.AddrError
		if err == nil || !errors.As(err, &unsuitable) {
			return c, err
		}
	}
	return nil, err
}

// sources are the addresses to dial from; nil leaves it to the kernel. BindAddress goes before BindInterface, of which, as in
// OpenSSH's sshconnect.c, addresses that reach beyond the link go before those that do not.
func (t *Target) sources(ctx context.Context, network string) ([]net.IPAddr, error) {
	if t.BindAddress != "" {
		all, err := new(net.Resolver).LookupIPAddr(ctx, bareHost(t.BindAddress))
		if err != nil {
			return nil, fmt.Errorf("bind to %s: %w", t.BindAddress, err)
		}
		return all, nil
	}
	if t.BindInterface == "" {
		return nil, nil
	}
	dev, err := net.InterfaceByName(t.BindInterface)
	if err != nil {
		return nil, fmt.Errorf("bind to interface %s: %w", t.BindInterface, err)
	}
	addrs, err := dev.Addrs()
	if err != nil {
		return nil, fmt.Errorf("bind to interface %s: %w", t.BindInterface, err)
	}
	var global, local []net.IPAddr
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		switch {
		case !ok || network == "tcp4" && n.IP.To4() == nil || network == "tcp6" && n.IP.To4() != nil:
		case n.IP.IsLoopback():
		case n.IP.IsLinkLocalUnicast():
			local = append(local, net.IPAddr{IP: n.IP, Zone: dev.Name})
		default:
			global = append(global, net.IPAddr{IP: n.IP})
		}
	}
	if out := append(global, local...); out != nil {
		return out, nil
	}
	return nil, fmt.Errorf("bind to interface %s: it has no address to dial from", t.BindInterface)
}
