package transport

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"github.com/pkg/sftp"
)

// The parts that a Conn of another package is made of.

// Channels is a Conn whose subsystems can be had as bytes.
type Channels interface {
	Conn
	TTYStarter
	GatedStarter
	// Subsystem starts a subsystem of the server and returns its streams. Closing them ends it.
	Subsystem(ctx context.Context, name string) (io.ReadWriteCloser, error)
	// Alive reports whether the connection lives, as far as is known. If it does not, an operation that has failed to
	// begin has had no effect.
	Alive() bool
	// Shared reports whether others use the connection, or have used it: their sessions count for the server's MaxSessions.
	Shared() bool
}

var _ Channels = (*sshConn)(nil)

// NewProcess makes a Process of its streams, and returns what takes its standard error. wait and kill are called from
// several goroutines; kill cuts the command off, unless it has ended, and has wait return the cause.
func NewProcess(stdin io.WriteCloser, stdout io.Reader, wait func() (int, error), kill func(cause error)) (*Process, io.Writer) {
	p := &Process{Stdin: stdin, Stdout: stdout, stderr: &tail{}, wait: wait, kill: kill}
	return p, p.stderr
}

// Files is the SFTP half of a Conn: one client, opened at its first use.
type Files struct {
	Name  string // of the machine, for messages
	Open  func(ctx context.Context) (io.ReadWriteCloser, error)
	cache sftpCache
}

// SFTP is Conn.SFTP.
func (f *Files) SFTP(ctx context.Context) (*sftp.Client, error) {
	return f.cache.get(func() (*sftp.Client, error) {
		rw, err := f.Open(ctx)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { _ = rw.Close() })
		defer stop()
		client, err := sftp.NewClientPipe(rw, rw, sftp.UseConcurrentWrites(true))
		if err != nil {
			_ = rw.Close()
			return nil, fmt.Errorf("start sftp on %s: %w", f.Name, causeOf(ctx, err))
		}
		return client, nil
	})
}

// Upload is Conn.Upload.
func (f *Files) Upload(ctx context.Context, path string, mode fs.FileMode, size int64, r io.Reader) error {
	client, err := f.SFTP(ctx)
	if err != nil {
		return err
	}
	if err := f.cache.upload(ctx, client, path, mode, size, r); err != nil {
		return fmt.Errorf("upload to %s: %w", f.Name, err)
	}
	return nil
}

// Close ends the client.
func (f *Files) Close() { f.cache.close() }
