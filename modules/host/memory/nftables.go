package memory

import (
	"context"
	"errors"
	"maps"
	"sync"

	"labctl/modules/host"
)

// nftables are the tables of nftables of one namespace that have been looked at or changed; "" is one that is not there.
type nftables struct {
	mu     sync.Mutex
	tables map[string]string
}

// NFTables returns the tables of nftables of the namespace.
func (n *Net) NFTables() host.NFTables { return nftablesOf{n} }

type nftablesOf struct{ n *Net }

// base is where tables come from; nil: the namespace is new here, or comes from a snapshot.
func (t nftablesOf) base() host.NFTables {
	if t.n.base == nil {
		return nil
	}
	return t.n.base.NFTables()
}

func (t nftablesOf) Tables(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	if b := t.base(); b != nil {
		all, err := b.Tables(ctx)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, all)
	} else if t.n.seed != nil {
		maps.Copy(out, t.n.seed.NFTables)
	}
	nf := &t.n.nftables
	nf.mu.Lock()
	defer nf.mu.Unlock()
	maps.Copy(out, nf.tables)
	maps.DeleteFunc(out, func(_, text string) bool { return text == "" })
	return out, nil
}

func (t nftablesOf) Table(ctx context.Context, name string) (string, error) {
	nf := &t.n.nftables
	nf.mu.Lock()
	defer nf.mu.Unlock()
	text, known := nf.tables[name]
	if b := t.base(); !known && b != nil {
		var err error
		if text, err = b.Table(ctx, name); err != nil && !errors.Is(err, host.ErrNotExist) {
			return "", err
		}
	} else if !known && t.n.seed != nil {
		text = t.n.seed.NFTables[name]
	}
	t.putLocked(name, text)
	if text == "" {
		return "", &host.Error{Op: "read table", Object: name, Kind: host.ErrNotExist, Err: host.ErrNotExist}
	}
	return text, nil
}

func (t nftablesOf) putLocked(name, text string) {
	if t.n.nftables.tables == nil {
		t.n.nftables.tables = map[string]string{}
	}
	t.n.nftables.tables[name] = text
}

// Canonical asks the base. Without one it takes the script as it is.
func (t nftablesOf) Canonical(ctx context.Context, name, script string, devices []string) (string, error) {
	tool, err := t.n.tool(ctx)
	if err != nil || tool == nil {
		return script, err
	}
	return tool.NFTables().Canonical(ctx, name, script, devices)
}

func (t nftablesOf) Replace(_ context.Context, name, text string) error {
	t.n.nftables.mu.Lock()
	defer t.n.nftables.mu.Unlock()
	t.putLocked(name, text)
	t.n.h.wrote()
	return nil
}

func (t nftablesOf) Delete(ctx context.Context, name string) error {
	if _, err := t.Table(ctx, name); err != nil {
		return err
	}
	return t.Replace(ctx, name, "")
}
