package rtnl

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrOverrun says that notifications were lost.
var ErrOverrun = errors.New("notifications lost")

// Listen returns a socket in the namespace of the calling thread that receives the notifications of multicast groups
// (unix.RTNLGRP_LINK, ...).
func Listen(groups ...int) (*Conn, error) {
	c, err := Open()
	if err != nil {
		return nil, err
	}
	_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20)
	for _, g := range groups {
		if err := unix.SetsockoptInt(c.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("join netlink group %d: %w", g, err)
		}
	}
	return c, nil
}

// Pending returns the notifications that came since the last call, without waiting. ErrOverrun when some were lost.
func (c *Conn) Pending() ([]Reply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Reply
	for {
		n, errno := call(unix.SYS_READ, c.fd, c.buf)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			return out, nil
		case errno == unix.ENOBUFS:
			return nil, ErrOverrun
		case errno != 0:
			return nil, fmt.Errorf("receive notifications: %w", errno)
		}
		out = appendMessages(out, c.buf[:n])
	}
}

// appendMessages splits a datagram of notifications.
func appendMessages(out []Reply, b []byte) []Reply {
	for len(b) >= headerLen {
		n := int(native.Uint32(b))
		if n < headerLen || n > len(b) {
			break
		}
		out = append(out, Reply{Type: native.Uint16(b[4:]), Flags: native.Uint16(b[6:]), Seq: native.Uint32(b[8:]), Data: append([]byte(nil), b[headerLen:n]...)})
		b = b[min(len(b), (n+3)&^3):]
	}
	return out
}
