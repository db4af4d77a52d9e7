package transport

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// TTYStarter is a Conn that can run a command on a terminal of its own whose modes leave every byte as it is. Standard
// output and standard error come as one. If there is no terminal to be had (PermitTTY), the command runs without, and who
// wants one says so.
type TTYStarter interface {
	StartTTY(ctx context.Context, cmd string) (*Process, error)
}

// rawModes make a terminal a pipe in both directions (RFC 4254, section 8; cfmakeraw in termios(3)). What is not listed is
// off in Linux from the beginning.
var rawModes = map[uint8]uint32{
	ssh.IGNPAR: 0, ssh.PARMRK: 0, ssh.INPCK: 0, ssh.ISTRIP: 0, ssh.INLCR: 0, ssh.IGNCR: 0, ssh.ICRNL: 0, ssh.IXON: 0, ssh.IXANY: 0,
	ssh.IXOFF: 0, ssh.IMAXBEL: 0, ssh.ISIG: 0, ssh.ICANON: 0, ssh.ECHO: 0, ssh.ECHOE: 0, ssh.ECHOK: 0, ssh.ECHONL: 0, ssh.IEXTEN: 0,
	ssh.ECHOCTL: 0, ssh.ECHOKE: 0, ssh.OPOST: 0, ssh.ONLCR: 0, ssh.CS8: 1, ssh.PARENB: 0,
	ssh.TTY_OP_ISPEED: 38400, ssh.TTY_OP_OSPEED: 38400,
}

// GatedStarter is a Conn that opens a session at once for a command that is to be sent later: when gate returns, unless that is
// with an error, which closes the session again.
type GatedStarter interface {
	StartGated(ctx context.Context, cmd string, tty bool, gate func() error) (*Process, error)
}

// startWay is how a command is started, beside its words.
type startWay struct {
	tty bool
	// gate is waited for before the command is sent, but not before its session is opened, which is a round trip. An error
	// closes that again: a session without a command is gone at once.
	gate func() error
}

// StartTTY implements TTYStarter.
func (c *sshConn) StartTTY(ctx context.Context, cmd string) (*Process, error) {
	return c.start(ctx, cmd, startWay{tty: true})
}

// StartGated implements GatedStarter.
func (c *sshConn) StartGated(ctx context.Context, cmd string, tty bool, gate func() error) (*Process, error) {
	return c.start(ctx, cmd, startWay{tty, gate})
}

func (c *sshConn) start(ctx context.Context, cmd string, way startWay) (*Process, error) {
	ch, reqs, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	if way.gate != nil {
		if err := way.gate(); err != nil {
			c.discard(ch)
			go ssh.DiscardRequests(reqs)
			return nil, err
		}
	}
	if way.tty {
		terminal := &Terminal{Type: "dumb", Size: Size{Rows: 24, Cols: 80}, Modes: rawModes}
		_, err = ch.SendRequest("pty-req", false, terminal.request())
	}
	if err == nil {
		_, err = ch.SendRequest("exec", false, ssh.Marshal(struct{ Command string }{cmd}))
	}
	if err != nil {
		_ = ch.Close()
		go ssh.DiscardRequests(reqs)
		return nil, fmt.Errorf("start command on %s: %w", c.link.target.Name, c.link.lost(err))
	}
	return c.process(ctx, ch, reqs), nil
}

// startCommand starts cmd by whatever kind of connection.
func startCommand(ctx context.Context, conn Conn, cmd string, way startWay) (*Process, error) {
	if way.gate != nil {
		if g, ok := conn.(GatedStarter); ok {
			return g.StartGated(ctx, cmd, way.tty, way.gate)
		}
		if err := way.gate(); err != nil {
			return nil, err
		}
	}
	if !way.tty {
		return conn.Start(ctx, cmd)
	}
	t, ok := conn.(TTYStarter)
	if !ok {
		return nil, errors.New("a terminal is wanted to become another user, and there is none to be had here: with connection = \"local\" that works on Linux alone")
	}
	return t.StartTTY(ctx, cmd)
}
