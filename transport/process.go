package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
)

// stderrKept bounds what Process.Stderr remembers: the end is what explains
// a failure.
const stderrKept = 64 << 10

// Process is a command started by a Conn.
type Process struct {
	// Stdin reaches the command; closing it is the end of file.
	Stdin io.WriteCloser
	// Stdout must be read to the end, or the command stands still once some
	// 2 MiB wait (the SSH window).
	Stdout io.Reader

	stderr *tail
	wait   func() (int, error)
	ready  func(context.Context) error
	kill   func(error)
	giveUp func()
}

// Wait returns the exit status once the command has ended. The error is not
// nil, and the status -1, when there is none: the connection was lost, the
// context ended, or a signal killed the command (*SignalError).
// It may be called from several goroutines.
func (p *Process) Wait() (status int, err error) { return p.wait() }

// Ready returns when the command is known to run: at once for Start, with the
// agent's first byte for StartAgent. It need not be called.
func (p *Process) Ready(ctx context.Context) error {
	if p.ready == nil {
		return nil
	}
	return p.ready(ctx)
}

// GiveUp keeps an agent from running that is not at the machine, and still on its way there if at all: then reading Stdout,
// Wait and Ready report ErrGivenUp, and nothing that the agent was told is done. One that may be there goes on, as does the
// command of Start.
func (p *Process) GiveUp() {
	if p.giveUp != nil {
		p.giveUp()
	}
}

// Stderr returns the last 64 KiB the command wrote to standard error so far.
func (p *Process) Stderr() string { return p.stderr.String() }

// StderrTo copies standard error to w, what is remembered of it first. Writes
// to w come one at a time; its errors are ignored.
func (p *Process) StderrTo(w io.Writer) { p.stderr.copyTo(w) }

// Close cuts the command off. It does nothing to one that has ended.
func (p *Process) Close() error {
	p.kill(errClosed)
	return nil
}

// feed gives r to the command and waits for its end. heard gets what it says on standard output; what the command says on standard error may explain the error.
func (p *Process) feed(r io.Reader, heard io.Writer) (said string, err error) {
	go io.Copy(heard, p.Stdout) //nolint:errcheck // ends with the command
	_, readErr := io.Copy(p.Stdin, r)
	if closeErr := p.Stdin.Close(); readErr == nil {
		readErr = closeErr
	}
	status, err := p.Wait()
	switch {
	case err == nil && status != 0:
		err = fmt.Errorf("the command ended with status %d", status)
	case err == nil:
		err = readErr
	}
	return strings.TrimSpace(p.Stderr()), err
}

// SignalError says that a signal ended the command.
type SignalError struct {
	Signal string // without SIG, as in RFC 4254 section 6.10
}

func (e *SignalError) Error() string { return fmt.Sprintf("killed by signal %s", e.Signal) }

// tail remembers the end of a stream and passes it on.
type tail struct {
	mu   sync.Mutex
	kept []byte
	to   io.Writer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - stderrKept; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	if t.to != nil {
		_, _ = t.to.Write(p)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.Clone(t.kept))
}

func (t *tail) copyTo(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.to = w
	if len(t.kept) > 0 {
		_, _ = w.Write(t.kept)
	}
}
