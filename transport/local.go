package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/pkg/sftp"
)

var _ Conn = (*localConn)(nil)

// Local returns a Conn to the machine labctl runs on, for connection =
// "local". Commands run by /bin/sh as the user who runs labctl.
func Local() Conn {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &localConn{ctx: ctx, cancel: cancel}
}

type localConn struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	sftp   sftpCache
	count  localCount
}

func (c *localConn) Start(ctx context.Context, cmd string) (*Process, error) {
	if c.ctx.Err() != nil {
		return nil, fmt.Errorf("start command: %w", context.Cause(c.ctx))
	}
	sh := exec.Command("/bin/sh", "-c", cmd)
	ownGroup(sh)
	out, in := io.Pipe()
	r := NewResult()
	p := &Process{Stdout: out, stderr: &tail{}, wait: r.Wait}
	sh.Stdout, sh.Stderr = &countWriter{in, &c.count.in, &c.count}, p.stderr
	sh.WaitDelay = time.Second // after the end: a child left behind may hold the streams open
	stdin, err := sh.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start command: %w", err)
	}
	p.Stdin = &countWriter{stdin, &c.count.out, &c.count}
	if err := sh.Start(); err != nil {
		return nil, fmt.Errorf("start command: %w", err)
	}
	p.kill = func(cause error) {
		if r.Finish(-1, cause) {
			_ = in.CloseWithError(cause)
			killGroup(sh)
		}
	}
	stop := context.AfterFunc(ctx, func() { p.kill(context.Cause(ctx)) })
	stopOwn := context.AfterFunc(c.ctx, func() { p.kill(context.Cause(c.ctx)) })
	c.wg.Go(func() {
		status, err := localStatus(sh.Wait())
		_ = in.Close()
		r.Finish(status, err)
		stop()
		stopOwn()
	})
	return p, nil
}

func localStatus(err error) (int, error) {
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return 0, nil
	case !errors.As(err, &exit):
		return -1, err
	case exit.ExitCode() < 0:
		return -1, &SignalError{Signal: signalName(exit)}
	}
	return exit.ExitCode(), nil
}

// SFTP talks to a server in this process, so that callers need no second way.
func (c *localConn) SFTP(context.Context) (*sftp.Client, error) {
	return c.sftp.get(func() (*sftp.Client, error) {
		near, far := net.Pipe()
		server, err := sftp.NewServer(far)
		if err != nil {
			return nil, fmt.Errorf("start sftp: %w", err)
		}
		c.wg.Go(func() { _ = server.Serve() })
		client, err := sftp.NewClientPipe(near, near)
		if err != nil {
			return nil, fmt.Errorf("start sftp: %w", err)
		}
		return client, nil
	})
}

func (c *localConn) Upload(ctx context.Context, path string, mode fs.FileMode, size int64, r io.Reader) error {
	client, err := c.SFTP(ctx)
	if err != nil {
		return err
	}
	return c.sftp.upload(ctx, client, path, mode, size, r)
}

func (c *localConn) Stats() Stats {
	c.count.mu.Lock()
	defer c.count.mu.Unlock()
	return Stats{BytesIn: c.count.in, BytesOut: c.count.out}
}

func (c *localConn) Close() error {
	c.cancel(errClosed)
	c.sftp.close()
	c.wg.Wait()
	return nil
}

// localCount counts what went through the pipes.
type localCount struct {
	mu      sync.Mutex
	in, out int64
}

type countWriter struct {
	io.WriteCloser
	n    *int64
	lock *localCount
}

func (w *countWriter) Write(p []byte) (int, error) {
	n, err := w.WriteCloser.Write(p)
	w.lock.mu.Lock()
	*w.n += int64(n)
	w.lock.mu.Unlock()
	if errors.Is(err, os.ErrClosed) {
		err = io.ErrClosedPipe
	}
	return n, err
}
