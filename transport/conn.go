package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

var _ Conn = (*sshConn)(nil)
var _ Forwarder = (*sshConn)(nil)
var _ TTYStarter = (*sshConn)(nil)

// Forwarder is a Conn that can open TCP connections from the far machine.
type Forwarder interface {
	// Forward connects to addr (host:port) as seen from the machine. The
	// net.Conn knows no deadlines; close it instead.
	Forward(ctx context.Context, addr string) (net.Conn, error)
}

// sshConn is one user's hold on a link.
type sshConn struct {
	link  *link
	pool  *Pool // that dialled; link may be another's
	once  sync.Once
	files Files
}

func newConn(p *Pool, l *link) *sshConn {
	c := &sshConn{link: l, pool: p}
	c.files.Name = l.target.Name
	c.files.Open = func(ctx context.Context) (io.ReadWriteCloser, error) { return c.Subsystem(ctx, "sftp") }
	return c
}

func (c *sshConn) Close() error {
	c.once.Do(func() {
		c.files.Close()
		c.link.pool.release(c.link)
	})
	return nil
}

func (c *sshConn) Stats() Stats { return c.pool.costs(c.link) }

// Alive reports whether the connection lives, as far as is known.
func (c *sshConn) Alive() bool { return c.link.alive() }

// Shared implements Channels.
func (c *sshConn) Shared() bool {
	c.link.pool.mu.Lock()
	defer c.link.pool.mu.Unlock()
	return c.link.pool != c.pool || c.link.refs > 1
}

func (c *sshConn) Forward(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := c.link.forward(ctx, addr)
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		if h := openHint(refused, c.link.target.Name); h != "" {
			err = fmt.Errorf("%w: %s", err, h)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("forward to %s from %s: %w", addr, c.link.target.Name, err)
	}
	return conn, nil
}

// Start opens a session and sends the command without waiting for the answer
// to it, so what the caller writes travels in the same flight.
func (c *sshConn) Start(ctx context.Context, cmd string) (*Process, error) {
	return c.start(ctx, cmd, startWay{})
}

// session opens a session. sshd counts one that has ended until it has gone through all that it had to read then
// (server_loop2 in its serverloop.c), which may be this request: so it is made once more.
func (c *sshConn) session(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	ch, reqs, err := c.link.open(ctx, "session", nil)
	if NoSession(err) && c.link.freed.Swap(false) {
		ch, reqs, err = c.link.open(ctx, "session", nil)
	}
	if NoSession(err) {
		err = fmt.Errorf("%w: too many sessions on one connection? See MaxSessions in its sshd_config", err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open session on %s: %w", c.link.target.Name, err)
	}
	return ch, reqs, nil
}

// discard ends a session.
func (c *sshConn) discard(ch ssh.Channel) {
	_ = ch.Close()
	c.link.freed.Store(true)
}

// The buffers of a session, in bytes. There may be thousands of sessions, most of the time with nothing to carry.
const (
	outputBuffer = 8 << 10
	errorsBuffer = 512
)

// process wires up a running command. A server does not confirm the end of a
// session while its child lives, so a cut-off command must be able to end
// here alone: reads go through a pipe, and the goroutines left behind end with
// the channel or the connection.
func (c *sshConn) process(ctx context.Context, ch ssh.Channel, reqs <-chan *ssh.Request) *Process {
	out, in := io.Pipe()
	r := NewResult()
	p := &Process{Stdin: &sessionStdin{ch: ch, result: r}, Stdout: out, stderr: &tail{}, wait: r.Wait}
	p.kill = func(cause error) {
		if r.Finish(-1, cause) {
			_ = in.CloseWithError(cause)
			_ = ch.Close()
		}
	}
	stop := context.AfterFunc(ctx, func() { p.kill(context.Cause(ctx)) })
	wg := &c.link.pool.wg
	wg.Go(func() {
		_, err := io.CopyBuffer(in, ch, make([]byte, outputBuffer))
		if err == nil {
			err = c.afterEOF(r)
		}
		_ = in.CloseWithError(err)
	})
	errDone := make(chan struct{})
	wg.Go(func() {
		_, _ = io.CopyBuffer(p.stderr, ch.Stderr(), make([]byte, errorsBuffer))
		close(errDone)
	})
	wg.Go(func() {
		status, err := exitStatus(reqs)
		<-errDone
		if errors.Is(err, errNoStatus) {
			err = c.link.ended()
		}
		c.discard(ch)
		r.Finish(status, err)
		stop()
	})
	return p
}

// lossGrace is how long the news that a connection is lost may take from the
// end of its channels, which x/crypto closes first and as if all were well.
const lossGrace = 100 * time.Millisecond

// afterEOF tells the end of a command's output from the loss of the
// connection. A command that closes its output and lives on is noticed later
// by lossGrace.
func (c *sshConn) afterEOF(r *Result) error {
	var signal *SignalError
	select {
	case <-r.done:
		if errors.As(r.err, &signal) {
			return nil
		}
		return r.err
	case <-c.link.down:
		return c.link.reason(nil)
	case <-time.After(lossGrace):
		return nil
	}
}

var errNoStatus = errors.New("the session ended without an exit status")

// exitStatus reads the requests of a session until it closes (RFC 4254,
// section 6.10).
func exitStatus(reqs <-chan *ssh.Request) (status int, err error) {
	status, err = -1, errNoStatus
	for r := range reqs {
		switch r.Type {
		case "exit-status":
			var m struct{ Status uint32 }
			if ssh.Unmarshal(r.Payload, &m) == nil {
				status, err = int(m.Status), nil
			}
		case "exit-signal":
			var m struct {
				Signal        string
				Core          bool
				Message, Lang string
			}
			if ssh.Unmarshal(r.Payload, &m) == nil {
				status, err = -1, &SignalError{Signal: m.Signal}
			}
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
	return status, err
}

// ended is the error of a session that closed without a status.
func (l *link) ended() error { return l.reason(errNoStatus) }

// sessionStdin is the standard input of a session.
type sessionStdin struct {
	ch     ssh.Channel
	result *Result
}

// Write reports why the command ended in place of a bare EOF.
func (s *sessionStdin) Write(p []byte) (int, error) {
	n, err := s.ch.Write(p)
	if ended := s.result.Err(); err != nil && ended != nil {
		err = ended
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrClosedPipe
	}
	return n, err
}

func (s *sessionStdin) Close() error {
	if err := s.ch.CloseWrite(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// Subsystem implements Channels.
func (c *sshConn) Subsystem(ctx context.Context, name string) (io.ReadWriteCloser, error) {
	ch, reqs, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	go ssh.DiscardRequests(reqs)
	stop := context.AfterFunc(ctx, func() { _ = ch.Close() })
	defer stop()
	ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{name}))
	if err == nil && !ok {
		err = fmt.Errorf("refused: is Subsystem %s set in its sshd_config?", name)
	}
	if err != nil {
		_ = ch.Close()
		return nil, fmt.Errorf("start %s on %s: %w", name, c.link.target.Name, causeOf(ctx, err))
	}
	return ch, nil
}

// SFTP opens the sftp subsystem at the first call.
func (c *sshConn) SFTP(ctx context.Context) (*sftp.Client, error) { return c.files.SFTP(ctx) }

// Upload implements Conn.
func (c *sshConn) Upload(ctx context.Context, path string, mode fs.FileMode, size int64, r io.Reader) error {
	return c.files.Upload(ctx, path, mode, size, r)
}
