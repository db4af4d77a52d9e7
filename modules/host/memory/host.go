// Package memory is host.Host in memory: loaded lazily from a base host or a snapshot, changed without touching either. It
// behaves as the kernel does where modules can tell the difference, rejects what it does not know, and counts writes. A
// plan is a play against it. Standard library only.
package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"labctl/modules/host"
)

// Host is a host in memory.
type Host struct {
	base host.Host      // nil: everything comes from seed, or was made here
	seed *host.Snapshot // nil: everything comes from base

	mu      sync.Mutex // guards all network state; taken by exported methods, those whose names end in Locked need it
	nets    map[string]*Net
	gone    map[string]bool // namespaces deleted here that base still has
	created map[string]bool // namespaces created here

	containers containerState
	processes  processState

	files    files
	packages packages
	services map[string]*host.Service // those changed here
	kernel   map[string]*host.KernelModule

	ovs    ovs
	writes atomic.Int64

	known struct { // kinds that the base was asked for
		sync.Mutex
		of map[string]error
	}
}

var _ host.Host = (*Host)(nil)

// New returns a host that starts as base is, reading it only as far as needed and never changing it.
func New(base host.Host) *Host {
	return &Host{base: base, nets: map[string]*Net{}, gone: map[string]bool{}, created: map[string]bool{}}
}

// Planning reports that commands and probes are not to be executed here.
func (h *Host) Planning() bool { return true }

// Writes returns how many changes have been made.
func (h *Host) Writes() int { return int(h.writes.Load()) }

func (h *Host) wrote() { h.writes.Add(1) }

// Knows passes on what the base says, which is asked once for each kind.
func (h *Host) Knows(ctx context.Context, what, kind string) error {
	k, ok := h.base.(host.Knower)
	if !ok {
		return nil
	}
	h.known.Lock()
	defer h.known.Unlock()
	key := what + " " + kind
	err, asked := h.known.of[key]
	if !asked {
		if h.known.of == nil {
			h.known.of = map[string]error{}
		}
		err = k.Knows(ctx, what, kind)
		h.known.of[key] = err
	}
	return err
}

// unknown is how the kernel refuses a kind of device or of queueing discipline that it does not know; nil when it does.
func (h *Host) unknown(ctx context.Context, what, kind string) (cause error, ack string) {
	var e *host.Error
	if !errors.As(h.Knows(ctx, what, kind), &e) {
		return nil, ""
	}
	return map[string]error{"link": errUnsupported, "qdisc": errNoFile}[what], e.Ack
}

// Facts returns the facts of the base.
func (h *Host) Facts(ctx context.Context) (host.Facts, error) {
	switch {
	case h.seed != nil:
		return h.seed.Facts, nil
	case h.base != nil:
		return h.base.Facts(ctx)
	}
	return host.Facts{}, fmt.Errorf("facts: %w", host.ErrNotExist)
}
