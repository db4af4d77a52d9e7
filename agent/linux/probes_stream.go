package linux

import (
	"context"
	"errors"
	"os"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Stream resets a connection at the end (SO_LINGER in socket(7)): what is queued would otherwise be sent for as long as that
// takes.
func (p probes) Stream(ctx context.Context, proto, address string, o host.StreamOptions, next func() []byte) (r host.StreamResult, err error) {
	typ := unix.SOCK_STREAM
	if proto == "udp" {
		typ = unix.SOCK_DGRAM
	}
	c, err := p.connect(ctx, typ, address, host.PingOptions{Source: o.Source, Timeout: o.Timeout}, o.MSS)
	if err != nil {
		return r, err
	}
	defer c.Close()
	end := time.Now().Add(o.Duration)
	_ = c.SetWriteDeadline(end)
	stop := context.AfterFunc(ctx, func() { _ = c.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	for err == nil && time.Now().Before(end) && ctx.Err() == nil {
		b := next()
		if b == nil {
			break
		}
		_, err = c.Write(b)
		if errno, ok := errors.AsType[unix.Errno](err); ok && proto == "udp" {
			r.Told, err = told(errno), nil
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	if err != nil {
		err = &host.Error{Op: "send to", Object: address, Err: err, Kind: kind(err)}
	}
	if raw, rawErr := c.SyscallConn(); rawErr == nil && proto == "tcp" {
		_ = raw.Control(func(fd uintptr) {
			if i, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				r.Acked = int64(max(i.Bytes_acked, 1)) - 1 // SYN counts as one
				r.MSS, r.MTU, r.Retransmits = int(i.Snd_mss), int(i.Pmtu), int(i.Total_retrans)
			}
			_ = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		})
	}
	return r, err
}

// told says what a socket is told of datagrams that it has sent.
func told(errno unix.Errno) string {
	switch errno {
	case unix.ECONNREFUSED:
		return "port unreachable"
	case unix.EPERM:
		return "not permitted by the netfilter rules of this host"
	}
	if text := refusal(errno); text != "" {
		return text
	}
	return errno.Error()
}
