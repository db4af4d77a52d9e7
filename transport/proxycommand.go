package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// proxied reports whether a command takes the place of TCP and of hops.
func (t *Target) proxied() bool {
	return t.ProxyCommand != "" && !strings.EqualFold(t.ProxyCommand, "none")
}

// proxyConn is the standard input and output of a command as a net.Conn.
type proxyConn struct {
	endpoints
	io.WriteCloser
	io.Reader
	cmd    *exec.Cmd
	name   string // of the program
	stderr *tail
	ended  chan struct{} // closed when it is reaped
	status error         // valid after that
	unused chan struct{} // closed by Close
	close  func() error
}

// hangupGrace is how long the command may take to end by itself when nobody needs it any more.
const hangupGrace = time.Second

// proxyCommand is the command as ssh(1) runs it: by the user's shell, which it replaces. It has no terminal, since many of them would
// ask on the same one, and from a background where questions only stop a program.
func proxyCommand(t *Target, pool *Pool) (*exec.Cmd, *tail) {
	shell := os.Getenv("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	cmd, stderr := exec.Command(shell, "-c", "exec "+t.ProxyCommand), &tail{}
	ownSession(cmd)
	cmd.Stderr = &lines{to: stderr, tell: func(line string) { pool.opts.Logf("%s: proxy command: %s", t.Name, line) }}
	cmd.WaitDelay = hangupGrace
	return cmd, stderr
}

// startProxyCommand runs the command as the connection.
func startProxyCommand(t *Target, pool *Pool) (*proxyConn, error) {
	name := programOf(t.ProxyCommand)
	c := &proxyConn{endpoints: endpoints{"local", name}, name: name, ended: make(chan struct{}), unused: make(chan struct{})}
	c.cmd, c.stderr = proxyCommand(t, pool)
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	stdout, in, err := os.Pipe() // not StdoutPipe, which Wait closes while something may be left to read
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	c.WriteCloser, c.Reader = stdin, stdout
	c.cmd.Stdout = in
	err = c.cmd.Start()
	_ = in.Close()
	if err != nil {
		_ = stdout.Close()
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	c.close = sync.OnceValue(c.hangUp)
	pool.wg.Go(func() {
		c.reap()
		_ = stdout.Close()
	})
	return c, nil
}

// reap waits for the end of the command, and for the end of its use.
func (c *proxyConn) reap() {
	go func() {
		select {
		case <-c.ended:
			return
		case <-c.unused:
		}
		select {
		case <-c.ended:
		case <-time.After(hangupGrace):
			killGroup(c.cmd)
		}
	}()
	if err := c.cmd.Wait(); !errors.Is(err, exec.ErrWaitDelay) {
		c.status = err
	}
	close(c.ended)
	<-c.unused
	killGroup(c.cmd) // what it has left behind
}

// hangUp ends the command and all that it has started, by force what does not mind a signal.
func (c *proxyConn) hangUp() error {
	_ = c.WriteCloser.Close()
	hangupGroup(c.cmd)
	close(c.unused)
	return nil
}

// Close lets the command end.
func (c *proxyConn) Close() error { return c.close() }

// programOf is what messages call a command. Its arguments may be secret.
func programOf(command string) string {
	fields := strings.Fields(command)
	if len(fields) == 0 {
		return "the command"
	}
	return filepath.Base(fields[0])
}

// ProxyError says why a ProxyCommand brought no connection.
type ProxyError struct {
	Program string
	Err     error  // how it ended, or why it was given up
	Stderr  string // the end of what it said, trimmed
	dropped bool   // an sshd on its way was too busy, as far as one can tell
}

func (e *ProxyError) Error() string {
	s := fmt.Sprintf("%s: %v", e.Program, e.Err)
	if e.Stderr != "" {
		s += "; it said: " + e.Stderr
	}
	return s
}

func (e *ProxyError) Unwrap() error { return e.Err }

// verdict makes the end of a connection the command's, if the command brought it about. A command that has closed its output
// is about to end.
func (c *proxyConn) verdict(ctx context.Context, err error) *ProxyError {
	e := &ProxyError{Program: c.name, Err: err}
	if !isTimeout(err) && !isCancel(err) {
		select {
		case <-c.ended:
		case <-time.After(hangupGrace):
		case <-ctx.Done():
		}
	}
	var exit *exec.ExitError
	switch {
	case !isDone(c.ended) || isTimeout(err) || isCancel(err):
	case c.status == nil:
		e.Err, e.dropped = errors.New("it ended without an error"), true
	case errors.As(c.status, &exit) && exit.ExitCode() > 0:
		e.Err = fmt.Errorf("it ended with status %d", exit.ExitCode())
	default:
		e.Err = fmt.Errorf("it ended: %w", c.status)
	}
	e.Stderr = lastLines(c.stderr.String(), 5)
	e.dropped = e.dropped && e.Stderr == "" || strings.Contains(e.Stderr, "kex_exchange_identification") || strings.Contains(e.Stderr, "banner exchange")
	return e
}

// lastLines joins the last n lines that say something.
func lastLines(text string, n int) string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out[max(0, len(out)-n):], "; ")
}

// lines passes on what it gets, and tells of each whole line.
type lines struct {
	to   io.Writer
	tell func(line string)
	part []byte
}

func (l *lines) Write(p []byte) (int, error) {
	_, _ = l.to.Write(p)
	l.part = append(l.part, p...)
	for {
		line, rest, whole := strings.Cut(string(l.part), "\n")
		if !whole {
			return len(p), nil
		}
		l.part = []byte(rest)
		if line = strings.TrimSpace(line); line != "" {
			l.tell(line)
		}
	}
}

// hint says what a command usually means by what it says.
func (e *ProxyError) hint() string {
	switch {
	case isTimeout(e.Err):
		return "the command runs, but no SSH server answers through it"
	case strings.Contains(e.Stderr, "administratively prohibited"):
		return "the host on the way forbids forwarding: see AllowTcpForwarding, PermitOpen and DisableForwarding in its sshd_config"
	case strings.Contains(e.Stderr, "not found"):
		return "the program is not there: is it installed here, or on the host on the way that is to run it?"
	}
	return "the command is what reaches the machine, in place of TCP: does it work by hand?"
}
