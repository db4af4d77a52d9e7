package transport

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/pkg/sftp"
)

// uploadsInFlight is how many 32 KiB writes are on the way at once: together
// 2 MiB, the window of the channel.
const uploadsInFlight = 64

// sftpCache holds the one SFTP client of a Conn. One that has broken is
// replaced at the next call.
type sftpCache struct {
	mu     sync.Mutex
	client *sftp.Client
}

func (s *sftpCache) get(open func() (*sftp.Client, error)) (*sftp.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		return s.client, nil
	}
	client, err := open()
	if err == nil {
		s.client = client
	}
	return client, err
}

func (s *sftpCache) drop(client *sftp.Client) {
	s.mu.Lock()
	if s.client == client {
		s.client = nil
	}
	s.mu.Unlock()
	_ = client.Close()
}

func (s *sftpCache) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		_ = s.client.Close()
		s.client = nil
	}
}

// upload writes to a temporary name and renames. SFTP has no cancel, so ctx
// closes the client.
func (s *sftpCache) upload(ctx context.Context, client *sftp.Client, path string, mode fs.FileMode, size int64, r io.Reader) error {
	stop := context.AfterFunc(ctx, func() { s.drop(client) })
	defer stop()
	temporary := path + "." + rand.Text()[:8] + ".part"
	err := writeRemote(client, temporary, mode, size, r)
	if err == nil {
		err = client.PosixRename(temporary, path)
	}
	if err != nil {
		if ctx.Err() == nil {
			_ = client.Remove(temporary)
		}
		return fmt.Errorf("write %s: %w", path, causeOf(ctx, err))
	}
	return nil
}

func writeRemote(client *sftp.Client, path string, mode fs.FileMode, size int64, r io.Reader) error {
	f, err := client.Create(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // closed below where it matters
	// Before the content: nobody reads what they should not meanwhile.
	if err := f.Chmod(mode.Perm()); err != nil {
		return err
	}
	n, err := f.ReadFromWithConcurrency(io.LimitReader(r, size), uploadsInFlight)
	if err != nil {
		return err
	}
	if n != size {
		return fmt.Errorf("%d bytes in place of %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	return f.Close()
}
