// Package memory is host.Host in memory: loaded lazily from a base host or a snapshot, changed without touching either. It
// behaves as the kernel does where modules can tell the difference, rejects what it does not know, and counts writes. A
// plan is a play against it. Standard library only.
package memory

import (
	"context"
	"fmt"
	"sync"

	"labctl/modules/host"
)

// Host is a host in memory.
type Host struct {
	base host.Host // nil: everything comes from what is loaded here

	mu     sync.Mutex
	nets   map[string]*Net // by name; "" is the host's own
	gone   map[string]bool // namespaces deleted here that base still has
	files  files
	facts  *host.Facts
	writes int
}

// New returns a host that starts as base is, reading it only as far as needed and never changing it.
func New(base host.Host) *Host {
	return &Host{base: base, nets: map[string]*Net{}, gone: map[string]bool{}}
}

// Planning reports that commands and probes are not to be executed here.
func (h *Host) Planning() bool { return true }

// Writes returns how many changes have been made.
func (h *Host) Writes() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.writes
}

func (h *Host) wrote() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes++
}

// Facts returns the facts of the base.
func (h *Host) Facts(ctx context.Context) (host.Facts, error) {
	if h.facts != nil {
		return *h.facts, nil
	}
	if h.base == nil {
		return host.Facts{}, fmt.Errorf("facts: %w", host.ErrNotExist)
	}
	return h.base.Facts(ctx)
}
