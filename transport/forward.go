package transport

import (
	"context"
	"errors"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// forward opens a TCP connection from the far side to host:port (RFC 4254,
// section 7.2), by sshd or by a relay.
func (l *link) forward(ctx context.Context, addr string) (net.Conn, error) {
	host, port := splitAddr(addr)
	request := ssh.Marshal(struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}{host, uint32(port), "127.0.0.1", 0})
	open := l.open
	if l.target.Relay {
		open = l.openByRelay
	}
	ch, reqs, err := open(ctx, "direct-tcpip", request)
	if err != nil {
		return nil, err
	}
	go ssh.DiscardRequests(reqs) // ends with the channel
	return &forwardConn{endpoints{l.target.Name, addr}, ch}, nil
}

// forwardConn is a forwarded channel as a net.Conn.
type forwardConn struct {
	endpoints
	ssh.Channel
}

// endpoints are what makes a stream a net.Conn without deadlines.
type endpoints struct{ from, to string }

type streamAddr string

func (a streamAddr) Network() string { return "stream" }
func (a streamAddr) String() string  { return string(a) }

func (e endpoints) LocalAddr() net.Addr              { return streamAddr(e.from) }
func (e endpoints) RemoteAddr() net.Addr             { return streamAddr(e.to) }
func (e endpoints) SetDeadline(time.Time) error      { return errNoDeadline }
func (e endpoints) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (e endpoints) SetWriteDeadline(time.Time) error { return errNoDeadline }

var errNoDeadline = errors.New("a connection through something else has no deadlines: close it")
