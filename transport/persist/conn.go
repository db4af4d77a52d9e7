package persist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"sync"

	"github.com/pkg/sftp"

	"labctl/transport"
)

var (
	_ transport.Conn       = (*conn)(nil)
	_ transport.Forwarder  = (*conn)(nil)
	_ transport.Sheller    = (*conn)(nil)
	_ transport.TTYStarter = (*conn)(nil)

	_ transport.GatedStarter = (*conn)(nil)
)

// conn is a hold on a connection of the server.
type conn struct {
	d    *Dialer
	t    *transport.Target
	c    *channel
	hold string

	files transport.Files
	last  lastStats
	once  sync.Once
}

func newConn(d *Dialer, t *transport.Target, c *channel, hold string) *conn {
	n := &conn{d: d, t: t, c: c, hold: hold}
	n.files.Name = t.Name
	n.files.Open = func(ctx context.Context) (io.ReadWriteCloser, error) {
		return n.op(ctx, request{Op: "subsystem", Text: "sftp"}, nil)
	}
	return n
}

// op begins an operation on the connection, and returns when the far side has taken it. A gate is waited for on the way.
func (n *conn) op(ctx context.Context, q request, gate func() error) (*channel, error) {
	q.Hold, q.Gated = n.hold, gate != nil
	c, err := open(n.d.path, q, busyPatience)
	if err != nil {
		return nil, fmt.Errorf("connection to %s lost: %w", n.t.Name, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	var l line
	if gate != nil {
		if err := gate(); err != nil {
			stop()
			_ = c.Close()
			return nil, err
		}
		_ = c.send(line{})
	}
	err = c.receive(&l)
	switch {
	case !stop():
		err = context.Cause(ctx)
	case err != nil:
		err = fmt.Errorf("connection to %s lost: %w", n.t.Name, err)
	default:
		err = l.Err.decode()
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (n *conn) Close() error {
	n.once.Do(func() {
		n.files.Close()
		_ = n.c.Close()
	})
	return nil
}

func (n *conn) Stats() transport.Stats {
	n.last.mu.Lock()
	defer n.last.mu.Unlock()
	if c, err := open(n.d.path, request{Op: "stats", Hold: n.hold}, dialPatience); err == nil {
		defer c.Close()
		var l line
		if c.receive(&l) == nil && l.Stats != nil {
			n.last.s = *l.Stats
		}
	}
	return n.last.s
}

func (n *conn) SFTP(ctx context.Context) (*sftp.Client, error) { return n.files.SFTP(ctx) }

func (n *conn) Upload(ctx context.Context, path string, mode fs.FileMode, size int64, r io.Reader) error {
	return n.files.Upload(ctx, path, mode, size, r)
}

func (n *conn) Forward(ctx context.Context, addr string) (net.Conn, error) {
	c, err := n.op(ctx, request{Op: "forward", Text: addr}, nil)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Shell logs in anew: what a person sits in front of is not worth the frames.
func (n *conn) Shell(ctx context.Context, s transport.Session) (int, error) {
	own, err := n.d.own.Dial(ctx, n.t)
	if err != nil {
		return -1, err
	}
	defer own.Close()
	return own.(transport.Sheller).Shell(ctx, s)
}

// Start implements transport.Conn.
func (n *conn) Start(ctx context.Context, cmd string) (*transport.Process, error) {
	return n.start(ctx, request{Op: "start", Text: cmd}, nil)
}

// StartTTY implements transport.TTYStarter.
func (n *conn) StartTTY(ctx context.Context, cmd string) (*transport.Process, error) {
	return n.start(ctx, request{Op: "start", Text: cmd, TTY: true}, nil)
}

// StartGated implements transport.GatedStarter.
func (n *conn) StartGated(ctx context.Context, cmd string, tty bool, gate func() error) (*transport.Process, error) {
	return n.start(ctx, request{Op: "start", Text: cmd, TTY: tty}, gate)
}

func (n *conn) start(ctx context.Context, q request, gate func() error) (*transport.Process, error) {
	c, err := n.op(ctx, q, gate)
	if err != nil {
		return nil, err
	}
	out, in := io.Pipe()
	e := transport.NewResult()
	kill := func(cause error) {
		if e.Finish(-1, cause) {
			_ = in.CloseWithError(cause)
			_ = c.Close()
		}
	}
	p, stderr := transport.NewProcess(&input{c, e}, out, e.Wait, kill)
	stop := context.AfterFunc(ctx, func() { kill(context.Cause(ctx)) })
	go func() {
		defer stop()
		status, err := receive(c, in, stderr)
		if errors.Is(err, errServer) {
			err = fmt.Errorf("connection to %s lost: %w", n.t.Name, err)
		}
		e.Finish(status, err)
		_ = in.CloseWithError(err)
		_ = c.Close()
	}()
	return p, nil
}

var errServer = errors.New("the process that keeps connections has ended")

// receive carries what a command says, until it has ended.
func receive(c *channel, out *io.PipeWriter, stderr io.Writer) (int, error) {
	buf := make([]byte, maxFrame)
	for {
		kind, b, err := c.next(buf)
		if err != nil {
			return -1, errServer
		}
		switch kind {
		case frameOutput:
			_, _ = out.Write(b)
		case frameErrors:
			_, _ = stderr.Write(b)
		case frameEOF:
			var f *fault
			_ = json.Unmarshal(b, &f)
			_ = out.CloseWithError(f.decode())
		case frameExit:
			var x exit
			if err := json.Unmarshal(b, &x); err != nil {
				return -1, err
			}
			return x.Status, x.Err.decode()
		}
	}
}

// input is the standard input of a command.
type input struct {
	c *channel
	e *transport.Result
}

func (i *input) Write(p []byte) (int, error) {
	n, err := frames{i.c, frameInput}.Write(p)
	if err == nil {
		return n, nil
	}
	if err := i.e.Err(); err != nil {
		return n, err
	}
	return n, io.ErrClosedPipe
}

func (i *input) Close() error {
	_ = i.c.frame(frameInput, nil)
	return nil
}
