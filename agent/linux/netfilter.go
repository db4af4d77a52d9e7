package linux

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"labctl/modules/host"
)

// xtables is what a host knows of its iptables: which tools it has, and what they made of rules.
type xtables struct {
	path    []string      // where to look for programs; nil: PATH and the usual places
	changes atomic.Uint64 // counts what may have changed any table: own writes and commands

	mu       sync.Mutex
	defaults map[host.Family]string // back end of the plain iptables-save
	tools    map[dumpKey]toolset
	canon    map[canonKey][]string
	shapes   map[canonKey]bool // shapes of rules that the tool prints as they are
}

// canonKey names what a canonical form was found for. It does not depend on the namespace.
type canonKey struct {
	family  host.Family
	backend string
	rule    host.ChainRule
}

// dumpLife is how long a dump of all tables serves. Other programs change them too, another user's agent among them.
const dumpLife = time.Second

// Idle forgets what was read of tables: nothing is known of who has been at work since. Whoever runs requests on the host
// calls it when there were none for a while.
func (h *Host) Idle() { h.netfilterChanged() }

// netfilterChanged must be called after anything that may have changed iptables behind the back of this package, such as
// running a command.
func (h *Host) netfilterChanged() { h.nf.changes.Add(1) }

// dumps are the tables of one namespace as they were last read.
type dumps struct {
	mu    sync.Mutex
	inUse map[host.Family]string
	dump  map[dumpKey]*dump
}

type dumpKey struct {
	family  host.Family
	backend string
}

// Netfilter returns the iptables of the namespace.
func (n *Net) Netfilter() host.Netfilter { return netfilter{n} }

type netfilter struct{ n *Net }

// iptables is one family of one namespace through one back end.
type iptables struct {
	n     *Net
	key   dumpKey
	tools toolset
}

var (
	_ host.Netfilter = netfilter{}
	_ host.IPTables  = (*iptables)(nil)
)

func (nf netfilter) IPTables(ctx context.Context, f host.Family, backend string) (host.IPTables, error) {
	if f != host.IPv4 && f != host.IPv6 {
		return nil, fmt.Errorf("open iptables: family %d is neither 4 nor 6", f)
	}
	if backend == "" {
		var err error
		if backend, err = nf.n.backendInUse(ctx, f); err != nil {
			return nil, err
		}
	}
	return nf.n.iptables(ctx, f, backend)
}

func (n *Net) iptables(ctx context.Context, f host.Family, backend string) (*iptables, error) {
	t, err := n.h.tools(ctx, f, backend)
	if err != nil {
		return nil, err
	}
	return &iptables{n: n, key: dumpKey{f, backend}, tools: t}, nil
}

func (t *iptables) Backend() string { return t.key.backend }

func (t *iptables) Tables(ctx context.Context) ([]host.Table, error) {
	d, err := t.read(ctx, false)
	if err != nil {
		return nil, err
	}
	out := make([]host.Table, len(d.tables))
	for i, tab := range d.tables {
		out[i] = tab.Complete()
	}
	return out, nil
}

func (t *iptables) Table(ctx context.Context, name string) (host.Table, error) {
	if host.BuiltinChains(name) == nil {
		return host.Table{}, &host.Error{Op: "read table", Object: name, Kind: host.ErrNotExist}
	}
	d, err := t.read(ctx, false)
	if err != nil {
		return host.Table{}, err
	}
	return d.table(name)
}

// read returns all tables, read anew when asked to or when something may have changed since.
func (t *iptables) read(ctx context.Context, anew bool) (*dump, error) {
	c := &t.n.nf
	c.mu.Lock()
	defer c.mu.Unlock()
	now := t.n.h.nf.changes.Load()
	if d := c.dump[t.key]; d != nil && d.changes == now && time.Since(d.read) < dumpLife && !anew {
		return d, nil
	}
	out, err := t.n.run(ctx, t.tools.save, "")
	if err != nil {
		return nil, fmt.Errorf("read iptables: %w", err)
	}
	d, err := parseSave(out)
	if err != nil {
		return nil, fmt.Errorf("read iptables: %s: %w", t.tools.save, err)
	}
	d.changes, d.read = now, time.Now()
	if c.dump == nil {
		c.dump = map[dumpKey]*dump{}
	}
	c.dump[t.key] = d
	return d, nil
}
