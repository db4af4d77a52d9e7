// Package agentbin holds the agents that labctl carries to the machines it manages: one static
// Linux binary per GOARCH, gzipped and embedded by "make". It knows bytes, sizes and hashes, and
// may not know how they travel, what is in them, or any other package of labctl.
//
// A build without embedded agents (go install, go build) still works where the machine is like
// this computer: there labctl's own executable stands in for the agent, see [Set.Self].
package agentbin

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"strings"
)

//go:generate go run ./pack -o bin

//go:embed bin
var embedded embed.FS

// Default returns the agents that this executable carries.
func Default() *Set {
	dir, err := fs.Sub(embedded, "bin")
	if err != nil {
		panic(err) // "bin" is a valid path
	}
	s := &Set{dir: dir}
	if runtime.GOOS == "linux" {
		s.self = newSelf(runtime.GOARCH)
	}
	return s
}

// Set is a collection of agents by GOARCH. Its methods may be called from several goroutines.
type Set struct {
	dir  fs.FS
	self *self // nil: there is no standing in
}

// FileName is the name of the packed agent for goarch inside bin/.
func FileName(goarch string) string { return "labctl-agent-linux-" + goarch + ".gz" }

// Arches lists the embedded agents' GOARCHes, sorted.
func (s *Set) Arches() []string {
	names, err := fs.Glob(s.dir, FileName("*"))
	if err != nil {
		panic(err) // the pattern is well formed
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(path.Base(n), "labctl-agent-linux-"), ".gz")
	}
	return names
}

// Hash returns the SHA-256 of the uncompressed agent for goarch, in lower-case hexadecimal; false
// if there is no agent for it. It reads a header only, so it costs nothing on the way to a host;
// the first call for an executable that stands in for its agent reads that executable once.
func (s *Set) Hash(goarch string) (string, bool) {
	if h, err := s.header(goarch); err == nil {
		return h.Hash, true
	}
	if !s.Self(goarch) {
		return "", false
	}
	h, err := s.self.hash()
	return h, err == nil
}

// Open returns the gzipped agent for goarch, its length as read from there, and its length once
// unpacked, in bytes. The error is [fs.ErrNotExist] if there is no agent for goarch.
func (s *Set) Open(goarch string) (gz io.ReadCloser, gzSize, size int64, err error) {
	b, err := fs.ReadFile(s.dir, FileName(goarch))
	switch {
	case err == nil:
		h, err := readHeader(bytes.NewReader(b))
		if err != nil {
			return nil, 0, 0, fmt.Errorf("open agent for %s: %w", goarch, err)
		}
		return io.NopCloser(bytes.NewReader(b)), int64(len(b)), h.Size, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, 0, 0, fmt.Errorf("open agent for %s: %w", goarch, err)
	case s.Self(goarch):
		return s.self.open()
	}
	return nil, 0, 0, fmt.Errorf("open agent for %s: %w", goarch, fs.ErrNotExist)
}

// Self says whether the agent for goarch is labctl's own executable, because none is embedded for
// this computer's kind. Such an agent has to be told by an argument that it is one.
func (s *Set) Self(goarch string) bool {
	if s.self == nil || s.self.goarch != goarch {
		return false
	}
	_, err := fs.Stat(s.dir, FileName(goarch))
	return errors.Is(err, fs.ErrNotExist)
}

func (s *Set) header(goarch string) (Header, error) {
	f, err := s.dir.Open(FileName(goarch))
	if err != nil {
		return Header{}, err
	}
	defer f.Close()
	return readHeader(f)
}

func readHeader(r io.Reader) (Header, error) {
	gz, err := gzip.NewReader(r)
	if err != nil {
		return Header{}, err
	}
	return ParseHeader(gz.Comment)
}
