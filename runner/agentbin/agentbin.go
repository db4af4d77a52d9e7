// Package agentbin holds the agents that labctl carries to the machines it manages: one static
// Linux binary per GOARCH, packed by xz and embedded by "make". It knows bytes, sizes and hashes,
// and may not know how they travel, what is in them, or any other package of labctl.
//
// A build without embedded agents (go install, go build) still works where the machine is like
// this computer: there labctl's own executable stands in for the agent, see [Set.Self].
package agentbin

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"sync"
)

//go:generate go run ./pack -o bin

//go:embed bin
var embedded embed.FS

// The forms in which an agent can be had, named for the program that unpacks it with -dc.
const (
	Plain = ""     // the binary itself
	Gzip  = "gzip" // RFC 1952
	XZ    = "xz"   // as embedded; labctl's own executable does not come in it
)

// Default returns the agents that this executable carries.
func Default() *Set {
	dir, err := fs.Sub(embedded, "bin")
	if err != nil {
		panic(err) // "bin" is a valid path
	}
	s := &Set{dir: dir}
	if runtime.GOOS == "linux" {
		s.self = runtime.GOARCH
	}
	return s
}

// Set is a collection of agents by GOARCH. Its methods may be called from several goroutines.
type Set struct {
	dir  fs.FS
	self string // the GOARCH of this executable, if it may stand in for an agent

	mu     sync.Mutex
	agents map[string]*agent // those asked for so far
}

const (
	filePrefix = "labctl-agent-linux-"
	fileSuffix = ".xz"
)

// FileName is the name of the packed agent for goarch inside bin/.
func FileName(goarch string) string { return filePrefix + goarch + fileSuffix }

// Arches lists the embedded agents' GOARCHes, sorted.
func (s *Set) Arches() []string {
	names, err := fs.Glob(s.dir, FileName("*"))
	if err != nil {
		panic(err) // the pattern is well formed
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(n, filePrefix), fileSuffix)
	}
	return names
}

// Hash returns the SHA-256 of the agent for goarch, unpacked, in lower-case hexadecimal; false if
// there is no agent for it. It reads one line, so it costs nothing on the way to a host; the first
// call for an executable that stands in for its agent reads that executable once.
func (s *Set) Hash(goarch string) (string, bool) {
	a := s.agent(goarch)
	if a == nil {
		return "", false
	}
	h, err := a.header()
	return h.Hash, err == nil
}

// Size returns the length of the agent for goarch, unpacked, in bytes; 0 if there is none.
func (s *Set) Size(goarch string) int64 {
	a := s.agent(goarch)
	if a == nil {
		return 0
	}
	h, _ := a.header() // no header, no hash either
	return h.Size
}

// Open returns the agent for goarch in one of the forms above, its length as read from there, and
// its length once unpacked, in bytes; the caller closes it. What is unpacked or packed anew for it
// is kept, and shared by all callers. The error is [fs.ErrNotExist] if there is no agent for
// goarch, and [errors.ErrUnsupported] if there is none in that form.
func (s *Set) Open(goarch, form string) (r io.ReadCloser, length, size int64, err error) {
	a := s.agent(goarch)
	if a == nil {
		return nil, 0, 0, fmt.Errorf("open agent for %s: %w", goarch, fs.ErrNotExist)
	}
	h, err := a.header()
	if err == nil {
		r, length, err = a.open(form)
	}
	if err != nil {
		return nil, 0, 0, fmt.Errorf("open agent for %s: %w", goarch, err)
	}
	return r, length, h.Size, nil
}

// Self says whether the agent for goarch is labctl's own executable, because none is embedded for
// this computer's kind. Such an agent has to be told by an argument that it is one.
func (s *Set) Self(goarch string) bool { return goarch == s.self && s.self != "" && !s.embeds(goarch) }

func (s *Set) embeds(goarch string) bool {
	_, err := fs.Stat(s.dir, FileName(goarch))
	return !errors.Is(err, fs.ErrNotExist)
}

// agent is nil if there is none for goarch.
func (s *Set) agent(goarch string) *agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agents[goarch]
	switch {
	case a != nil:
		return a
	case s.embeds(goarch):
		a = newEmbedded(s.dir, FileName(goarch))
	case s.Self(goarch):
		a = newSelf()
	default:
		return nil
	}
	if s.agents == nil {
		s.agents = map[string]*agent{}
	}
	s.agents[goarch] = a
	return a
}
