package agentbin

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
)

// self is the running executable in the place of an agent. It is read at most once.
type self struct {
	goarch  string
	content func() ([]byte, error)
	hash    func() (string, error)
	packed  func() ([]byte, error)
}

func newSelf(goarch string) *self {
	s := &self{goarch: goarch, content: sync.OnceValues(readExecutable)}
	s.hash = sync.OnceValues(s.sum)
	s.packed = sync.OnceValues(s.pack)
	return s
}

// readExecutable goes by /proc/self/exe, which is this program even after its file has been replaced.
func readExecutable() ([]byte, error) {
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("read own executable: %w", err)
	}
	return b, nil
}

func (s *self) sum() (string, error) {
	b, err := s.content()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

func (s *self) pack() ([]byte, error) {
	b, err := s.content()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	gz, err := gzip.NewWriterLevel(&out, gzip.BestSpeed) // somebody is waiting
	if err != nil {
		return nil, err
	}
	if _, err := gz.Write(b); err != nil {
		return nil, fmt.Errorf("pack own executable: %w", err)
	}
	if err := gz.Close(); err != nil {
		return nil, fmt.Errorf("pack own executable: %w", err)
	}
	return out.Bytes(), nil
}

func (s *self) open() (io.ReadCloser, int64, int64, error) {
	b, err := s.packed()
	if err != nil {
		return nil, 0, 0, err
	}
	content, err := s.content()
	if err != nil {
		return nil, 0, 0, err
	}
	return io.NopCloser(bytes.NewReader(b)), int64(len(b)), int64(len(content)), nil
}
