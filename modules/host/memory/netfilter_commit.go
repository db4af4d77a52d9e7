package memory

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"labctl/modules/host"
)

// CommitNetfilter writes every table that was changed here to the base, each in one commit, in the order of their names.
// When one is refused, those written before it are written back, so that all of it is done or nothing.
func (h *Host) CommitNetfilter(ctx context.Context) error {
	var done []tableCommit
	for _, c := range h.changedTables() {
		if err := c.apply(ctx, c.tab.was, c.tab.is); err != nil {
			return errors.Join(err, undo(context.WithoutCancel(ctx), done))
		}
		done = append(done, c)
	}
	for _, c := range done {
		c.tab.was = c.tab.is
	}
	return nil
}

// tableCommit is one table to be written to the base.
type tableCommit struct {
	net  *Net // nil base: exists only here
	name string
	key  tableKey
	tab  *table
}

// changedTables lists what differs from the base, sorted by namespace, family, back end and table.
func (h *Host) changedTables() []tableCommit {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []tableCommit
	for name, n := range h.nets {
		net := n
		if h.created[name] { // what base it has is only what a new namespace looks like
			net = nil
		}
		n.netfilter.mu.Lock()
		for key, tab := range n.netfilter.loaded {
			if !tab.is.Equal(tab.was) {
				out = append(out, tableCommit{net, name, key, tab})
			}
		}
		n.netfilter.mu.Unlock()
	}
	sort.Slice(out, func(i, j int) bool { return out[i].order() < out[j].order() })
	return out
}

func (c tableCommit) order() string {
	return fmt.Sprint(c.name, "\x00", c.key.family, c.key.backend, "\x00", c.key.name)
}

func (c tableCommit) apply(ctx context.Context, have, want host.Table) error {
	if c.net == nil || c.net.base == nil {
		return &host.Error{Op: "commit table", Object: c.key.name, Kind: host.ErrNoNetNS}
	}
	t, err := c.net.base.Netfilter().IPTables(ctx, c.key.family, c.key.backend)
	if err != nil {
		return err
	}
	return t.Commit(ctx, have, want)
}

// undo writes back what has been written, the last first.
func undo(ctx context.Context, done []tableCommit) error {
	var faults []error
	for i := len(done) - 1; i >= 0; i-- {
		if err := done[i].apply(ctx, done[i].tab.is, done[i].tab.was); err != nil {
			faults = append(faults, fmt.Errorf("write back table %s: %w", done[i].key.name, err))
		}
	}
	return errors.Join(faults...)
}
