package transport

import (
	"context"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// throughMaster takes the connection of a live OpenSSH master, if there is one: its proxy mode carries the channels of others
// (PROTOCOL.mux). Where there is none, or it will not, labctl logs in by itself.
func (l *link) throughMaster(parent context.Context) bool {
	t := l.target
	if t.ControlPath == "" || strings.EqualFold(t.ControlPath, "none") || l.key == "" { // DialFresh is to prove that a login works
		return false
	}
	ctx, cancel := context.WithTimeout(parent, t.connectTimeout())
	defer cancel()
	begin := time.Now()
	path := expandHome(t.ControlPath)
	raw, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		l.pool.opts.Logf("%s: no OpenSSH master at %s: %v", t.Name, path, plain(err))
		return false
	}
	f := newFlow(raw)
	stop := context.AfterFunc(ctx, func() { _ = f.Close() })
	conn, chans, reqs, err := ssh.NewControlClientConn(f)
	if !stop() || err != nil {
		_ = f.Close()
		l.pool.opts.Logf("%s: the OpenSSH master at %s does not let others use its connection: %v", t.Name, path, causeOf(ctx, err))
		return false
	}
	go refuse(chans, reqs) // ends with the connection
	l.pool.opts.Logf("%s: use the connection of the OpenSSH master at %s", t.Name, path)
	l.conn, l.flow, l.master, l.handshake = conn, f, path, time.Since(begin)
	return true
}
